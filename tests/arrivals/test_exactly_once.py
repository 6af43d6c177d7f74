"""Every object is processed exactly once, whatever its key, whoever dies: the cases one by one.

On a folder and, over real HTTP, on a bucket.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from shared_resources.arrivals import listing as scan
from shared_resources.arrivals.ledger.rows import SAME_SECOND
from shared_resources.arrivals.ledger.states import State
from shared_resources.arrivals.ledger.tables import OBJECTS
from shared_resources.contracts.model import LandingMode
from shared_resources.environment import Environment
from shared_resources.locations.sensing import run_outcomes as settling
from shared_resources.locations.sensing import run_requests as asking
from shared_resources.wiring import LocalEnvironment
from tests.arrivals.simulated import Daemon, Producer, contract_of, counted, stands
from tests.contract_factory import make_version


class Landing(Daemon):
    """A daemon and a producer; `put` gives every object another content unless told otherwise."""

    def __init__(self, environment: Environment, mode: LandingMode, instance: Any) -> None:
        contract = contract_of(mode)
        super().__init__(environment, contract, instance)
        self.producer = Producer(environment, contract, whole_seconds=True)
        self.count = 0

    def put(self, name: str, content: str | None = None) -> tuple[str, str]:
        self.count += 1
        content = content or f"{name} {self.count} {'.' * self.count}"
        self.producer.put(name, content)
        return self.producer.key(name), content

    def days(self, first: str, count: int) -> list[str]:
        start = date.fromisoformat(first)
        return [f"{(start + timedelta(days=n)).isoformat()}.csv" for n in range(count)]

    def ingest(self) -> None:
        self.tick()
        self.work_off()

    def state_of(self, name: str) -> list[State]:
        key = self.producer.key(name)
        rows = self.ledger._rows.entries(OBJECTS.c.key == key)
        return [row.state for row in rows]

    def once(self) -> None:
        """Everything that was put and processed was processed once."""
        assert set(self.processed.values()) <= {1}, self.processed


# Over HTTP each takes seconds; the sensor is the same code.
@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.slow)])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    if request.param == "bucket":
        return request.getfixturevalue("production")  # type: ignore[no-any-return]
    return LocalEnvironment(root=tmp_path, home=tmp_path / "home")


@pytest.fixture
def landing(environment: Environment) -> Iterator[Landing]:
    """Objects of days."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Landing(environment, LandingMode.PARTITION, instance)


@pytest.fixture
def extracts(environment: Environment) -> Iterator[Landing]:
    """Full extracts, of which the newest counts."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Landing(environment, LandingMode.REPLACE, instance)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix of a dozen keys is a large one."""
    monkeypatch.setattr(scan, "PAGE_KEYS", 5)
    monkeypatch.setattr(scan, "WINDOW_KEYS", 2)
    monkeypatch.setattr(scan, "PAGES_A_TICK", 2)


def sweep(landing: Landing, rounds: int = 12) -> None:
    for _ in range(rounds):
        landing.ingest()
        landing.clock.advance(scan.SWEEP_EVERY)


def test_keys_that_sort_before_the_position(landing: Landing, small_pages: None) -> None:
    later = [landing.put(name) for name in landing.days("2026-06-01", 12)]
    sweep(landing)
    assert landing.stands["position"] > landing.producer.key("2026-06-09")
    old = [landing.put(name) for name in landing.days("2026-01-01", 3)]
    sweep(landing)
    assert set(landing.processed) == {*later, *old}
    landing.once()


def test_a_key_that_sorts_last_hides_nothing_that_follows(landing: Landing) -> None:
    landing.put("zzz-notes.txt")
    landing.put("2026-12-31.csv")
    landing.ingest()
    for name in landing.days("2026-03-01", 3):
        one = landing.put(name)
        landing.ingest()
        assert landing.processed[one] == 1
    landing.once()


def test_equal_times_lose_nothing(landing: Landing) -> None:
    """A bucket's times are whole seconds: these objects have the same."""
    first = landing.put("2026-03-02.csv")
    landing.ingest()
    others = [landing.put("2026-03-01.csv"), landing.put("2026-03-03.csv")]
    landing.ingest()
    assert set(landing.processed) == {first, *others}
    landing.once()


def test_an_overwritten_object_is_new_data(landing: Landing, small_pages: None) -> None:
    names = landing.days("2026-03-01", 12)
    first = [landing.put(name) for name in names]
    sweep(landing)
    again = [landing.put(names[0]), landing.put(names[-1])]
    sweep(landing)
    assert set(landing.processed) == {*first, *again}
    landing.once()


def test_the_same_bytes_again_in_the_same_second_are_new_data(landing: Landing) -> None:
    one = landing.put("2026-03-01.csv", "the same")
    landing.ingest()
    landing.put("2026-03-01.csv", "the same")
    landing.ingest()
    assert landing.processed == {one: 2}
    landing.clock.advance(SAME_SECOND * 2)
    for _ in range(3):
        landing.ingest()
    assert landing.processed == {one: 2}


def test_an_object_that_is_overwritten_before_its_run_is_processed_as_it_is(
    landing: Landing,
) -> None:
    landing.put("2026-03-01.csv")
    landing.tick()
    second = landing.put("2026-03-01.csv")
    landing.tick()
    landing.settle_down(4)
    assert landing.processed == {second: 1}
    assert sorted(landing.state_of("2026-03-01.csv")) == [State.PUBLISHED, State.REPLACED]


def test_an_object_that_is_overwritten_twice_in_a_second_before_its_run_is_processed_once(
    landing: Landing,
) -> None:
    landing.put("2026-03-01.csv")
    landing.tick()
    wait_for_another_second()
    landing.put("2026-03-01.csv")
    landing.tick()
    last = landing.put("2026-03-01.csv")
    landing.work_off()
    landing.settle_down(4)
    assert landing.processed == {last: 1}
    assert sorted(landing.state_of("2026-03-01.csv")) == [
        State.PUBLISHED,
        State.REPLACED,
        State.REPLACED,
    ]


def test_an_object_that_is_overwritten_while_its_run_publishes_follows(landing: Landing) -> None:
    first = landing.put("2026-03-01.csv")
    landing.ingest()
    second = landing.put("2026-03-01.csv")
    landing.settle_down(3)
    assert landing.processed == {first: 1, second: 1}


def test_the_position_may_be_deleted(landing: Landing, small_pages: None) -> None:
    names = landing.days("2026-03-01", 12)
    for name in names:
        landing.put(name)
    sweep(landing)
    for name in names[4:]:
        landing.producer.delete(name)
    new = [landing.put("2026-03-09.csv"), landing.put("2026-02-01.csv")]
    sweep(landing)
    assert all(landing.processed[one] == 1 for one in new)
    landing.once()


def test_a_prefix_that_was_emptied_and_filled_under_other_names(
    extracts: Landing, small_pages: None
) -> None:
    for number in range(12):
        extracts.put(f"new-{number:02}.csv")
    sweep(extracts)
    for number in range(12):
        extracts.producer.delete(f"new-{number:02}.csv")
    renamed = extracts.put("a.csv")
    for _ in range(3):
        extracts.ingest()
    assert extracts.processed[renamed] == 1


def test_a_contract_that_names_another_prefix_starts_there(landing: Landing) -> None:
    landing.put("2026-03-01.csv")
    landing.ingest()
    moved = contract_of(LandingMode.PARTITION, landing.contract.name + "_moved")
    object.__setattr__(moved, "name", landing.contract.name)
    again = Daemon(landing.environment.of, moved, landing.instance)
    again.cursor = landing.cursor
    producer = Producer(landing.environment.of, moved)
    producer.put("2026-01-01.csv", "moved")
    again.tick()
    again.work_off()
    assert again.processed == {(producer.key("2026-01-01.csv"), "moved"): 1}


def test_a_removed_object_holds_nobody_up(landing: Landing) -> None:
    for name in landing.days("2026-03-01", 5):
        landing.put(name)
    landing.tick()
    landing.producer.delete("2026-03-03.csv")
    landing.settle_down(6)
    keys = sorted(key.rpartition("/")[2] for key, _ in landing.processed)
    assert keys == [f"2026-03-0{day}.csv" for day in (1, 2, 4, 5)]
    assert landing.state_of("2026-03-03.csv") == [State.GONE]
    landing.once()


@pytest.mark.parametrize("cursor", [True, False])
def test_requests_of_a_daemon_that_died_are_made_again(landing: Landing, cursor: bool) -> None:
    put = [landing.put(name) for name in landing.days("2026-03-01", 5)]
    (lost,) = landing.tick(launch=False, keep_cursor=cursor).run_requests or []
    landing.clock.advance(settling.UNSEEN_AFTER * 2)
    (again,) = landing.tick().run_requests or []
    assert again == lost, "the same run key, and the same days"
    landing.work_off()
    assert landing.processed == dict.fromkeys(put, 1)


def test_days_that_are_overwritten_before_their_lost_run_is_asked_for_again(
    landing: Landing,
) -> None:
    """Found by `test_any_sequence`: the lost run and that of the new objects would both read them."""
    kept = [landing.put(name) for name in landing.days("2026-03-01", 6)][4:]
    landing.tick(launch=False)
    new = [landing.put(name) for name in landing.days("2026-03-01", 4)]
    landing.clock.advance(settling.UNSEEN_AFTER * 2)
    landing.settle_down(4)
    assert landing.processed == dict.fromkeys((*new, *kept), 1)


def test_a_lost_cursor_repeats_nothing(landing: Landing) -> None:
    put = [landing.put(name) for name in landing.days("2026-03-01", 2)]
    landing.tick(keep_cursor=False)
    landing.tick(keep_cursor=False)
    landing.work_off()
    landing.cursor = None
    landing.settle_down(2)
    assert landing.processed == dict.fromkeys(put, 1)


@pytest.mark.parametrize("refuses", [False, True])
def test_a_run_that_died_after_publishing_has_published(landing: Landing, refuses: bool) -> None:
    one = landing.put("2026-03-01.csv")
    landing.tick()
    landing.run(landing.waiting()[0], dies="published", refuses=refuses)
    landing.settle_down(3)
    assert landing.processed == {one: 1}
    state = State.REFUSED if refuses else State.PUBLISHED
    assert landing.state_of("2026-03-01.csv") == [state]
    # It could not tell Dagster of what it published, which consumers wait for.
    asset = dg.AssetKey(landing.contract.key.split("/"))
    told = landing.instance.fetch_materializations(asset, limit=9).records
    assert [one.partition_key for one in told] == ([] if refuses else ["2026-03-01"])


def test_an_extract_whose_run_dies_after_its_commit_is_told_to_dagster(extracts: Landing) -> None:
    """A product without partitions has one all the same: its version."""
    one = extracts.put("a.csv")
    extracts.tick()
    extracts.run(extracts.waiting()[0], dies="published")
    extracts.settle_down(3)
    assert extracts.processed == {one: 1}
    asset = dg.AssetKey(extracts.contract.key.split("/"))
    told = extracts.instance.fetch_materializations(asset, limit=9).records
    assert [one.partition_key for one in told] == [None]


@pytest.mark.parametrize("dies", ["start", "taken"])
def test_a_run_that_failed_is_made_again_a_few_times(landing: Landing, dies: str) -> None:
    one = landing.put("2026-03-01.csv")
    run_keys = set()
    for _ in range(2):
        landing.tick()
        (run,) = landing.waiting()
        run_keys.add(run.tags["dagster/run_key"])
        landing.run(run, dies=dies)
        assert not landing.tick().run_requests, "it waits before it tries again"
        landing.clock.advance(timedelta(hours=1))
    landing.ingest()
    assert len(run_keys) == 2 and landing.processed == {one: 1}


def test_what_always_fails_is_stuck_and_said_and_tried_ever_less_often(landing: Landing) -> None:
    one = landing.put("2026-03-01.csv")
    for _ in range(96):
        landing.tick()
        for run in landing.waiting():
            landing.run(run, dies="start")
        landing.clock.advance(timedelta(minutes=30))
    assert 10 <= len(landing.instance.get_runs()) <= 14, "48 hours: a few, then one each six hours"
    said = str(landing.tick().skip_reason)
    assert "stuck" in said and "2026-03-01.csv" in said and "mesh landing retry" in said
    assert landing.stands["stuck"] == 1
    landing.clock.advance(settling.LONGEST_WAIT)
    landing.ingest()
    assert landing.processed == {one: 1}
    assert not landing.ledger.questions.counts()


def test_what_is_stuck_is_tried_at_once_when_somebody_has_looked(landing: Landing) -> None:
    every = [landing.put(name) for name in landing.days("2026-03-01", 6)]
    for _ in range(settling.STUCK_AFTER):
        landing.tick()
        for run in landing.waiting():
            landing.run(run, dies="start")
        landing.tick()
        landing.clock.advance(timedelta(minutes=20))
    assert len(landing.ledger.questions.stuck(10)) == 6
    assert not landing.tick().run_requests
    assert landing.ledger.retry() == 6
    landing.ingest()
    assert landing.processed == dict.fromkeys(every, 1)
    assert len(landing.instance.get_runs()) == settling.STUCK_AFTER + 1, "they are one run again"


def test_an_outage_of_an_hour_leaves_nothing_behind(landing: Landing) -> None:
    one = landing.put("2026-03-01.csv")
    for minute in range(180):
        landing.tick()
        for run in landing.waiting():
            landing.run(run, dies="start" if minute < 60 else "")
        landing.clock.advance(timedelta(minutes=1))
    assert landing.processed == {one: 1}


def test_a_retry_by_dagster_itself_is_waited_for(landing: Landing) -> None:
    one = landing.put("2026-03-01.csv")
    landing.tick()
    (run,) = landing.waiting()
    landing.instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    landing.run(run, dies="start")
    retry = dg.DagsterRun(
        job_name="job",
        tags={**run.tags, "dagster/root_run_id": run.run_id},
        status=dg.DagsterRunStatus.STARTING,
    )
    landing.instance.add_run(retry)
    landing.clock.advance(settling.RETRIED_WITHIN * 2)
    assert not landing.tick().run_requests
    landing.run(retry)
    landing.settle_down(2)
    assert landing.processed == {one: 1}


def test_what_was_ingested_without_the_ledger_is_not_ingested_again(landing: Landing) -> None:
    """As by an earlier release: the stores' own evidence tells."""
    one = landing.put("2026-03-01.csv")
    obj = landing.environment.landing_zone.head(one[0])
    assert obj is not None
    version = make_version(landing.contract, objects=((obj.key, obj.etag),))
    landing.environment.batches.made.append(version)
    landing.ingest()
    assert not landing.processed
    assert landing.state_of("2026-03-01.csv") == [State.PUBLISHED]
    landing.environment.batches.made.clear()  # versions expire
    landing.cursor = None
    landing.settle_down(2)
    assert not landing.processed


def test_the_newest_extract_counts_and_older_ones_never_replace_it(extracts: Landing) -> None:
    extracts.put("b.csv")
    wait_for_another_second()
    newest = extracts.put("a.csv")
    extracts.ingest()
    assert extracts.processed == {newest: 1}
    assert extracts.state_of("b.csv") == [State.SUPERSEDED]


def test_an_older_extract_counts_when_the_newer_one_is_gone(extracts: Landing) -> None:
    older = extracts.put("b.csv")
    wait_for_another_second()
    extracts.put("a.csv")
    extracts.tick()
    extracts.producer.delete("a.csv")
    extracts.settle_down(4)
    assert extracts.processed == {older: 1}


def wait_for_another_second() -> None:
    """A whole one, for what follows."""
    time.sleep(1.01 - time.time() % 1)


def test_the_newest_of_many_pages_is_the_only_one(extracts: Landing, small_pages: None) -> None:
    for number in range(25):
        newest = extracts.put(f"{number:02}.csv")
    extracts.settle_down(5)
    assert extracts.processed == {newest: 1}


def test_a_tick_is_bounded_and_the_next_ones_catch_up(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, small_pages: None
) -> None:
    monkeypatch.setattr(asking, "RUNS_A_TICK", 2)
    monkeypatch.setattr(asking, "RUNS_AT_ONCE", 5)
    put = [landing.put(f"2026-{month:02}-{day}.csv") for month in range(1, 10) for day in (10, 20)]
    first = landing.tick()
    assert len(first.run_requests or ()) == 2
    assert not stands(first.cursor)["caught_up"]
    for _ in range(5):
        landing.tick()
    assert len(landing.waiting()) == 5, "no more than may be under way at once"
    for _ in range(12):
        landing.work_off()
        assert len(landing.tick().run_requests or ()) <= 2
    landing.work_off()
    assert landing.processed == dict.fromkeys(put, 1)


def test_a_tick_ends_when_its_time_is_over(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, small_pages: None
) -> None:
    put = [landing.put(name) for name in landing.days("2026-03-01", 12)]
    monkeypatch.setattr(scan, "SECONDS_A_TICK", 0.0)
    result = landing.tick()
    assert not result.run_requests and not stands(result.cursor)["caught_up"]
    monkeypatch.undo()
    landing.ingest()
    assert landing.processed == dict.fromkeys(put, 1)


def test_the_cursor_does_not_grow(landing: Landing) -> None:
    sizes = set()
    for first in ("2026-01-01", "2026-04-01", "2026-07-01"):
        for name in landing.days(first, 12):
            landing.put(name)
        landing.ingest()
        landing.tick()
        sizes.add(len(str(landing.cursor)))
    assert max(sizes) < 800 and max(sizes) - min(sizes) < 120


def test_the_lag_is_the_age_of_the_oldest_object_that_is_not_processed(landing: Landing) -> None:
    landing.put("2026-03-01.csv")
    landing.tick()
    landing.clock.advance(timedelta(hours=2))
    result = landing.tick()
    assert 7190 < stands(result.cursor)["lag_seconds"] < 7300
    landing.work_off()
    result = landing.tick()
    assert stands(result.cursor)["lag_seconds"] == 0
    landing.put("2026-03-02.csv")
    landing.tick()
    assert "lag 2:00:0" in str(landing.tick().skip_reason)


def test_clearing_the_cursor_looks_again_and_resetting_ingests_again(landing: Landing) -> None:
    put = [landing.put(name) for name in landing.days("2026-03-01", 5)]
    landing.ingest()
    landing.producer.delete("2026-03-05.csv")
    landing.cursor = ""
    landing.settle_down(2)
    assert set(landing.processed.values()) == {1}
    landing.cursor = '{"reset": true}'
    result = landing.tick()
    assert "5 objects are forgotten" in str(result.skip_reason)
    landing.settle_down(2)
    assert landing.processed == {**dict.fromkeys(put, 2), put[4]: 1}
    landing.cursor = '{"reset": true}'
    landing.settle_down(2)
    assert landing.processed == {**dict.fromkeys(put, 3), put[4]: 1}


OF_ITEMS = '{"products": {"items": {"position": 7}}}'


@pytest.mark.parametrize(
    "cursor", ["not JSON", "[1]", '{"products": [7]}', OF_ITEMS, '{"reset": 1}']
)
def test_a_cursor_that_is_none_is_said_and_kept(landing: Landing, cursor: str) -> None:
    landing.cursor = cursor = cursor.replace("items", landing.contract.name)
    result = landing.tick()
    assert "cannot be read" in str(result.skip_reason) and '{"reset": true}' in str(
        result.skip_reason
    )
    assert result.cursor == cursor


def test_the_cursor_of_an_earlier_release_starts_anew(landing: Landing) -> None:
    one = landing.put("2026-03-01.csv")
    landing.cursor = json.dumps({one[0]: "some etag"})
    landing.ingest()
    assert landing.processed == {one: 1}


def test_hidden_and_temporary_names_are_passed_over(landing: Landing, small_pages: None) -> None:
    for number in range(12):
        landing.put(f"_temporary-{number:02}.csv")
        landing.put(f"x{number:02}.tmp")
    one = landing.put("2026-03-01.csv")
    for _ in range(8):
        landing.ingest()
    assert landing.processed == {one: 1}


@pytest.mark.parametrize("keys", [20, 100])
def test_list_calls_do_not_grow_with_what_was_processed(
    production: Any, monkeypatch: pytest.MonkeyPatch, keys: int
) -> None:
    monkeypatch.setattr(scan, "PAGE_KEYS", 25)
    monkeypatch.setattr(scan, "WINDOW_KEYS", 5)
    with dg.DagsterInstance.ephemeral() as instance:
        landing = Landing(production, LandingMode.PARTITION, instance)
        for name in landing.days("2026-01-01", keys):
            landing.put(name)
        landing.settle_down(2)
        landing.tick()  # the sweep's turn
        for name in landing.days("2026-10-01", 10):
            landing.put(name)
        with counted(landing.environment.sensed_zone._client) as calls:
            asked = landing.tick().run_requests or []
        assert len(asked) == 1
        assert calls == {"ListObjectsV2": 1}
        landing.work_off()
        assert len(landing.processed) == keys + 10
