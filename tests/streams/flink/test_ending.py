"""Where the gate of a new job begins: after what the job before has committed, and never twice."""

import os
import time

import pytest

from shared_resources.streams.flink import ending
from shared_resources.streams.flink.ending import (
    NotAtThisGate,
    job_gate,
    make_topics,
    mark_ended,
    out_of_time,
    to_be_ended,
)
from shared_resources.streams.flink.gate_sql import CHECKPOINTS
from shared_resources.streams.flink.generations import current
from shared_resources.streams.flink.staged_columns import KEPT
from shared_resources.streams.flink.verdict_sql import JobRules
from shared_resources.streams.gate.standing import Note, gate_of, write_notes
from shared_resources.streams.standing import MessagesGone
from tests.guarantees.processes import definition
from tests.streams.flink.staging import StagingJob
from tests.streams.gate.test_standing import keep_from
from tests.streams.receipts import PRODUCT, contract, receipt, send

GATE = {"topic": "good", "engine": "flink"}


@pytest.fixture
def shop(mesh):
    mesh.environment.log.create("receipts", 2)
    mesh.product(PRODUCT, contract(engine="flink", gate=GATE, deadLetters={"topic": "bad"}))
    mesh.made = definition(mesh.environment, PRODUCT)
    return mesh


def begins(shop):
    old = current(shop.environment, shop.made.contract)
    return job_gate(shop.environment, shop.made.contract, shop.made.rules, old).begins


def checkpoint(job, number, age=0.0):
    folder = job.folder / CHECKPOINTS / "job" / f"chk-{number}"
    folder.mkdir(parents=True)
    (folder / "_metadata").touch()
    at = time.time() - age
    os.utime(folder / "_metadata", (at, at))
    return folder


def kept(offset, partition=0):
    return partition, offset, KEPT, receipt(offset) | {"paid": None}


def test_the_first_job_begins_where_the_platforms_own_process_was(shop):
    send(shop, [receipt(n) for n in range(5)], partition=0)
    assert begins(shop) == {0: 0, 1: 0}
    topic = shop.environment.log.topic("receipts")
    name = gate_of(shop.environment, shop.made.contract)
    write_notes(shop.environment.state, name, {0: Note("receipts", topic.id, 3)})
    assert begins(shop) == {0: 3, 1: 0}


def test_an_ended_job_has_brought_the_gate_to_where_its_staging_ends(shop):
    send(shop, [receipt(n) for n in range(9)], partition=0)
    job = StagingJob(shop.environment, shop.made.contract, gate={"0": 2, "1": 0})
    job.stage([kept(offset) for offset in range(7)])
    old = current(shop.environment, shop.made.contract)
    assert begins(shop) == {0: 2, 1: 0}  # nothing says that any of it was committed
    mark_ended(old)
    assert begins(shop) == {0: 7, 1: 0}


def test_a_job_of_another_topic_says_nothing(shop):
    StagingJob(shop.environment, shop.made.contract, gate={"0": 7, "1": 0}, topic_id="another")
    assert begins(shop) == {0: 0, 1: 0}


def test_a_job_is_to_be_ended_from_its_last_whole_checkpoint_and_once(shop):
    assert to_be_ended(None) is None
    job = StagingJob(shop.environment, shop.made.contract, gate={"0": 0, "1": 0})
    old = current(shop.environment, shop.made.contract)
    assert to_be_ended(old) is None
    checkpoint(job, 9, age=1000)
    last = checkpoint(job, 10)
    (job.folder / CHECKPOINTS / "job" / "chk-11").mkdir()
    assert to_be_ended(old) == last and not out_of_time(last)
    mark_ended(old)
    assert to_be_ended(old) is None


def test_what_kafka_may_have_aborted_meanwhile_is_known(shop):
    job = StagingJob(shop.environment, shop.made.contract, gate={"0": 0, "1": 0})
    assert out_of_time(checkpoint(job, 1, age=1000))


def test_a_job_that_staged_alone_is_not_ended(shop):
    job = StagingJob(shop.environment, shop.made.contract)
    checkpoint(job, 1)
    assert to_be_ended(current(shop.environment, shop.made.contract)) is None


def test_a_rule_that_flink_cannot_be_asked_keeps_the_job_from_the_gate(shop, monkeypatch):
    left = (("range_paid", "it cannot be said in flink's SQL"),)
    monkeypatch.setattr(ending, "job_rules", lambda *_: JobRules((), left))
    with pytest.raises(NotAtThisGate, match="no job can hold required_receipt_id"):
        begins(shop)


def test_what_is_gone_stops_it_until_that_is_accepted(shop):
    send(shop, [receipt(n) for n in range(5)], partition=0)
    topic = shop.environment.log.topic("receipts")
    name = gate_of(shop.environment, shop.made.contract)
    write_notes(shop.environment.state, name, {0: Note("receipts", topic.id, 1)})
    keep_from(shop, 0, 4)
    with pytest.raises(MessagesGone, match="Nothing was begun"):
        begins(shop)
    gap = ending.gate_standing(shop.environment, shop.made.contract).gap
    ending.accepted_gaps(shop.environment, shop.made.contract).accept(gap, "me", "kept too short")
    assert begins(shop) == {0: 4, 1: 0}


def test_the_gates_topics_are_made(shop):
    make_topics(shop.environment, shop.made.contract, 2)
    log = shop.environment.log
    assert [log.topic(n).partitions for n in ("good", "good.undecided", "bad")] == [2, 2, 2]
