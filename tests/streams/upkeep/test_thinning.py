"""A stream's versions thinned: what of them must stay does, and the stream goes on as if nothing were."""

from datetime import UTC, datetime, timedelta

import pytest

from shared_resources.attesting.verifying import evidence_of
from shared_resources.cli.main import main
from shared_resources.housekeeping.tasks import Task, perform
from shared_resources.stores.lake.catalog.read_once import ReadOnce
from shared_resources.stores.pins import pin_of
from shared_resources.streams import process as process_module
from shared_resources.streams.upkeep.thinning import thin
from tests.streams.receipts import PRODUCT, contract, receipt, send
from tests.streams.test_process import definition, drain, standing_entries
from tests.streams.test_to_the_lake import entries, numbers, position

LATER = timedelta(hours=2)


@pytest.fixture
def shop(mesh):
    mesh.environment.log.create("receipts", 2)
    mesh.product(PRODUCT, contract())
    return mesh


def commit(shop, *values):
    send(shop, list(values))
    drain(shop)


def thinned(shop, **how):
    made = definition(shop).contract
    [store] = shop.environment.stores_of(made)
    return [v.number for v in thin(shop.environment, made, store, datetime.now(UTC) + LATER, **how)]


def kept(shop):
    return [version.number for version in shop.versions(PRODUCT)]


def test_what_of_a_streams_versions_says_more_stays_and_the_rest_goes(shop):
    for n in range(4):
        commit(shop, receipt(n), {**receipt(100 + n), "more": 1})
    [first, *_] = entries(shop)
    shop.product(PRODUCT, contract(extraColumns="ignore"))
    with pytest.raises(SystemExit):
        main(["quarantine", "replay", first.id])  # version 5
    with pytest.raises(SystemExit):
        main(["rollback", PRODUCT, "--to", "3"])  # version 6
    for n in range(4, 8):
        commit(shop, receipt(n))
    shop.environment.pins.keep_first("a run", pin_of(shop.versions(PRODUCT)[7]))
    before, at, rejected = numbers(shop), position(shop), standing_entries(shop)
    gone = thinned(shop, dry_run=True)
    assert gone == [1, 2, 4, 7, 9]
    assert thinned(shop) == gone
    assert kept(shop) == [3, 5, 6, 8, 10]
    assert (numbers(shop), position(shop)) == (before, at)
    assert standing_entries(shop) == rejected
    assert len(shop.rows(PRODUCT, 3)) == 3
    [proof] = evidence_of(shop.environment, definition(shop).contract, verify=True)
    assert proof.differences == ()
    assert thinned(shop) == []
    commit(shop, receipt(50))
    assert numbers(shop) == sorted((*before, 50))
    for code in (0, 1):  # the rollback took back its replay, which is done once again
        with pytest.raises(SystemExit) as done:
            main(["quarantine", "replay", first.id])
        assert done.value.code == code


def test_housekeeping_thins_what_no_process_has(shop):
    for n in range(3):
        commit(shop, receipt(n))
    made, later = definition(shop).contract, datetime.now(UTC) + LATER
    for how in ({"dry_run": True}, {}):
        [done, _] = perform(shop.environment, made, Task.EXPIRE, now=later, **how)
        assert done.details == {"versions_removed": [1, 2], "versions_kept": 1}
        assert done.summary == "versions 1 to 2 of 3"
    assert kept(shop) == [3]


def test_the_process_itself_thins_now_and_then(shop, monkeypatch):
    monkeypatch.setattr(process_module, "COMMITS_PER_UPKEEP", 1)
    monkeypatch.setattr(
        process_module,
        "thin",
        lambda environment, made, store: thin(environment, made, store, datetime.now(UTC) + LATER),
    )
    for n in range(3):
        commit(shop, receipt(n))
    assert kept(shop) == [3]
    assert numbers(shop) == [0, 1, 2]


def test_what_was_made_of_a_thinned_version_is_no_difference(shop, tmp_path):
    for n in range(4):
        commit(shop, receipt(n))
    versions = shop.versions(PRODUCT)
    thinned(shop)
    [proof] = evidence_of(shop.environment, definition(shop).contract, verify=True)
    assert proof.expired == (3,)  # the last of those that went together
    assert [proven.version.number for proven in proof.versions] == [versions[-1].number]


def test_a_file_that_was_written_anew_is_read_anew(tmp_path):
    file = tmp_path / "1.metadata.json"
    read = ReadOnce(2)
    assert read.get(str(file)) is None
    assert read.keep(str(file), "nothing to keep") == "nothing to keep"
    assert read.get(str(file)) is None
    file.write_text("one")
    read.keep(str(file), "one")
    assert read.get(str(file)) == "one"
    file.write_text("another")
    assert read.get(str(file)) is None
    read.keep(str(file), "another")
    file.unlink()
    assert read.get(str(file)) is None


def test_the_newest_few_are_kept(tmp_path):
    read = ReadOnce(2)
    for name in "abc":
        (tmp_path / name).write_text(name)
        read.keep(str(tmp_path / name), name)
    assert [read.get(str(tmp_path / name)) for name in "abc"] == [None, "b", "c"]
