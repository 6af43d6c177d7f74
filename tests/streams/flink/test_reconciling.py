"""What a job has staged is taken when it is what the log holds, message by message, and else never."""

import json
from decimal import Decimal

import pyarrow as pa
import pytest

from shared_resources.contracts.streams.model import Engine
from shared_resources.streams.flink import reconciling
from shared_resources.streams.flink.reconciling import NotStaged, reconciled
from shared_resources.streams.flink.staged import Staged, Unreconciled
from shared_resources.streams.flink.staged_columns import BROKEN, EMPTY, KEPT, UNREAD
from shared_resources.streams.process import StreamProcess
from shared_resources.streams.window import Window
from tests.guarantees.processes import definition, roll_back
from tests.streams.flink.staging import StagingJob
from tests.streams.receipts import PRODUCT, contract, messages, receipt, send


@pytest.fixture
def shop(mesh, monkeypatch):
    monkeypatch.setattr(reconciling, "LEAST_SILENT_SECONDS", 0.5)
    monkeypatch.setattr(reconciling, "SILENT_CHECKPOINTS", 0)
    mesh.environment.log.create("receipts", 2)
    mesh.product(PRODUCT, contract(engine="flink"))
    mesh.made = definition(mesh.environment, PRODUCT)
    assert mesh.made.contract.stream.engine is Engine.FLINK
    return mesh


def kept(offset, number, partition=0, verdict=KEPT, **fields):
    return partition, offset, verdict, {**receipt(number), "paid": Decimal("1.50"), **fields}


def other(offset, verdict, partition=0):
    return partition, offset, verdict, {}


def take(shop):
    ends = shop.environment.log.topic("receipts").ends
    StreamProcess(shop.environment, shop.made, "stream-1", lambda: False).run(ends)


def numbers(shop):
    return sorted(row["receipt_id"] for row in shop.rows(PRODUCT))


def test_kept_rows_and_what_the_platform_reads_itself_become_one_window(shop):
    odd = json.dumps(receipt(4, till='a "b"')).encode()
    values = [receipt(1), b"{bad", None, receipt(3, paid=-1), odd, receipt(5)]
    send(shop, values, partition=0)
    send(shop, [receipt(6)], partition=1)
    job = StagingJob(shop.environment, shop.made.contract)
    staged = [kept(0, 1), other(1, UNREAD), other(2, EMPTY)]
    staged += [kept(3, 3, verdict=BROKEN, paid=Decimal("-1.00")), other(4, UNREAD), kept(5, 5)]
    job.stage(staged)
    job.stage([kept(0, 6, partition=1)])
    take(shop)
    assert numbers(shop) == [1, 4, 5, 6]
    position = shop.versions(PRODUCT)[-1].evidence.stream
    assert (position.engine, position.messages, position.rejected) == ("flink", 7, 2)
    assert dict(position.positions) == {0: 6, 1: 1}
    [entry] = shop.environment.quarantine.list(PRODUCT)
    assert entry.kind == "messages" and entry.rows == 2
    assert job.files() == []  # what was passed is needed no longer


def test_fields_that_are_left_out_are_named_of_what_the_platform_reads_itself(shop):
    shop.product(PRODUCT, contract(engine="flink", extraColumns="ignore"))
    shop.made = definition(shop.environment, PRODUCT)
    send(shop, [receipt(1), receipt(2) | {"colour": "red"}], partition=0)
    job = StagingJob(shop.environment, shop.made.contract)
    job.stage([kept(0, 1), other(1, UNREAD)])
    take(shop)
    assert numbers(shop) == [1, 2]
    assert "colour" in shop.versions(PRODUCT)[-1].evidence.stream.left_out.names


def test_what_was_passed_is_removed_and_a_new_process_knows_it(shop):
    job = StagingJob(shop.environment, shop.made.contract)
    send(shop, [receipt(1)], partition=0)
    job.stage([kept(0, 1)])
    take(shop)
    send(shop, [receipt(2)], partition=0)
    job.stage([kept(1, 2)])
    take(shop)
    assert numbers(shop) == [1, 2]


def test_a_file_of_which_only_a_part_was_taken_stays(shop):
    job = StagingJob(shop.environment, shop.made.contract)
    job.stage([kept(0, 1), kept(0, 2, partition=1), kept(1, 3, partition=1)])
    send(shop, [receipt(1)], partition=0)
    send(shop, [receipt(2)], partition=1)
    take(shop)
    assert len(job.files()) == 1
    send(shop, [receipt(3)], partition=1)
    take(shop)
    assert numbers(shop) == [1, 2, 3] and job.files() == []


LOST = "were not staged by the job"
WRONG = {
    "one is lost": ([kept(0, 1), kept(2, 3)], LOST, "0/1 "),
    "one is doubled": ([kept(0, 1), kept(1, 2), kept(1, 2), kept(2, 3)], "more than once", "0/1 "),
    "a value is another": (
        [kept(0, 1), kept(1, 2, till="other"), kept(2, 3)], "read otherwise", "0/0, 0/1, 0/2 ",
    ),
    "a broken one was kept": (
        [kept(0, 1), kept(1, 2), kept(2, 3), kept(3, 4)], "read otherwise", "0/3 ",
    ),
    "one has no value, and has": (
        [kept(0, 1), other(1, EMPTY), kept(2, 3)], "a value or none other", "0/1 ",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("staged", "said", "which"), WRONG.values(), ids=WRONG)
def test_what_is_not_what_the_log_holds_stops_the_stream(shop, staged, said, which):
    values = [receipt(1), receipt(2), receipt(3)]
    if kept(3, 4) in staged:
        values.append(b"{bad")
    send(shop, values, partition=0)
    StagingJob(shop.environment, shop.made.contract).stage(staged)
    with pytest.raises(Unreconciled, match=said) as stopped:
        take(shop)
    assert which in str(stopped.value)
    assert "mesh stream job shop/receipts" in str(stopped.value)
    assert not shop.versions(PRODUCT)


def test_what_was_aborted_and_staged_all_the_same_is_found(shop):
    job = StagingJob(shop.environment, shop.made.contract)
    job.stage([kept(0, 1), kept(1, 2), kept(2, 3)])
    staged = Staged(job.generation)
    staged.refresh()
    log = messages([receipt(1), receipt(3)], partition=0)
    log = log.set_column(1, "offset", pa.array([0, 2], pa.int64()))
    window = Window("receipts", "", log, {0: 0}, {0: 3})
    with pytest.raises(Unreconciled, match="0/1 were staged and are not in the log"):
        reconciled(shop.made.contract, window, staged)


def test_a_file_that_is_gone_stops_the_stream(shop):
    send(shop, [receipt(1)], partition=0)
    job = StagingJob(shop.environment, shop.made.contract)
    job.stage([kept(0, 1)])
    [file] = job.files()
    file.unlink()
    with pytest.raises(Unreconciled, match="is gone"):
        take(shop)


NEVER = {
    "no job": (None, "no job of Flink's was begun"),
    "a job that has not come so far": ({}, "has said nothing"),
    "one of another topic": ({"topic_id": "x"}, "another topic"),
    "one of another contract": ({"statement": "x"}, "another contract"),
    "one that began later": ({"begins": {0: 1, 1: 0}}, "nothing before offset 1"),
    "one without the partition": ({"begins": {1: 0}}, "does not read partition 0"),
}


@pytest.mark.parametrize(("said", "why"), NEVER.values(), ids=NEVER)
def test_a_job_that_can_never_stage_it_is_waited_for_and_then_named(shop, said, why):
    send(shop, [receipt(1)], partition=0)
    if said is not None:
        StagingJob(shop.environment, shop.made.contract, **said).stage([])
    with pytest.raises(NotStaged, match=why):
        take(shop)
    assert not shop.versions(PRODUCT)


def test_a_job_that_is_begun_anew_is_followed(shop):
    send(shop, [receipt(1)], partition=0)
    StagingJob(shop.environment, shop.made.contract).stage([kept(0, 1)])
    take(shop)
    send(shop, [receipt(2)], partition=0)
    job = StagingJob(shop.environment, shop.made.contract, "two", begins={0: 1, 1: 0})
    job.stage([kept(1, 2)])
    take(shop)
    assert numbers(shop) == [1, 2]


def test_after_a_rollback_the_job_is_to_be_begun_anew(shop):
    job = StagingJob(shop.environment, shop.made.contract)
    for number in range(3):
        send(shop, [receipt(number)], partition=0)
        job.stage([kept(number, number)])
        take(shop)
    roll_back(shop.environment, PRODUCT, 1)
    with pytest.raises(NotStaged, match="nothing before offset 3"):
        take(shop)
    assert numbers(shop) == [0]
