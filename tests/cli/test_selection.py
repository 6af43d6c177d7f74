"""Naming products, and the order of a run: without a mesh."""

from __future__ import annotations

import pytest

from shared_resources.running.pending import days_between
from shared_resources.running.schedule import Schedule
from shared_resources.running.selection import UnknownSelection, select

READS = {
    "a/one": (),
    "a/two": ("a/one",),
    "b/three": ("a/two", "elsewhere/x"),
    "c/four": (),
    "c/five": ("b/three", "c/four"),
}


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ([], sorted(READS)),
        (["a"], ["a/one", "a/two"]),
        (["a/"], ["a/one", "a/two"]),
        (["b/three"], ["b/three"]),
        (["+b/three"], ["a/one", "a/two", "b/three"]),
        (["+c", "a/one"], sorted(READS)),
        (["c/four", "b"], ["b/three", "c/four"]),
    ],
)
def test_selections(wanted: list[str], chosen: list[str]) -> None:
    assert list(select(wanted, READS)) == chosen


@pytest.mark.parametrize(("name", "close"), [("b/thre", "b/three"), ("+c/fuor", "c/four")])
def test_an_unknown_name_gets_the_closest(name: str, close: str) -> None:
    with pytest.raises(UnknownSelection, match=f"did you mean {close}"):
        select([name], READS)


def test_what_most_wait_for_starts_first_and_nothing_before_what_it_reads() -> None:
    schedule = Schedule({key: READS[key] for key in READS})
    assert schedule.ready() == ["a/one", "c/four"]
    for key in ("a/one", "c/four"):
        schedule.start(key)
        assert schedule.finish(key, True) == []
    assert schedule.ready() == ["a/two"]


def test_a_failure_holds_everything_downstream_and_only_that() -> None:
    schedule = Schedule(READS)
    schedule.start("a/one")
    assert schedule.finish("a/one", False) == ["a/two", "b/three", "c/five"]
    assert schedule.ready() == ["c/four"]
    assert schedule.held["c/five"] == "a/one"


def test_what_is_not_selected_is_not_waited_for() -> None:
    assert Schedule({"b/three": READS["b/three"]}).ready() == ["b/three"]


def test_a_range_of_days_includes_both_ends() -> None:
    assert days_between("2024-02-28..2024-03-01") == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert days_between("2024-12-31") == ["2024-12-31"]
