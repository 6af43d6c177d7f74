"""The last word about each part of a product, in both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from shared_resources.state.attempt import WHOLE, Outcome
from shared_resources.state.database import StateDatabase
from shared_resources.state.last_attempts import LastAttempts

KEY, DAY, OTHER = "order/orders", "2024-01-01", "2024-01-02"


def words(state: StateDatabase) -> dict[str, tuple[Outcome, str, str]]:
    return {
        one.partition: (one.outcome, one.run_id, one.message)
        for one in LastAttempts(state, KEY).all()
    }


def test_a_word_about_a_part_is_taken_back_by_the_next_about_the_same_part_alone(
    state: StateDatabase,
) -> None:
    attempts, others = LastAttempts(state, KEY), LastAttempts(state, "order/others")
    attempts.failed("", {WHOLE: "its location does not load"})
    attempts.begin("a", [DAY, OTHER], "lease")
    attempts.refused("a", {DAY: "too low"}, {DAY: "entry"})
    attempts.ended("a", "it raised")
    others.published("b", [DAY])
    assert words(state) == {
        WHOLE: (Outcome.FAILED, "", "its location does not load"),
        DAY: (Outcome.REFUSED, "a", "too low"),
        OTHER: (Outcome.FAILED, "a", "it raised"),
    }

    attempts.published("c", [OTHER])
    assert words(state) == {
        DAY: (Outcome.REFUSED, "a", "too low"),
        OTHER: (Outcome.PUBLISHED, "c", ""),
    }

    attempts.replayed("replay", "entry")
    assert words(state)[DAY] == (Outcome.PUBLISHED, "replay", "")


def test_a_word_without_a_run_does_not_take_back_that_the_last_run_began(
    state: StateDatabase,
) -> None:
    attempts = LastAttempts(state, KEY)
    attempts.failed("a", {DAY: "it raised"})
    attempts.settle([DAY, OTHER], "closed", {OTHER: "b"})
    assert words(state) == {
        DAY: (Outcome.SETTLED, "a", "closed"),
        OTHER: (Outcome.SETTLED, "b", "closed"),
    }


@pytest.mark.parametrize(
    ("said", "kept"),
    [("a\0b", r"a\x00b"), ("\ud800 é \U0001f600", "\\ud800 é \U0001f600"), ("", "")],
    ids=["nul", "surrogate", "empty"],
)
def test_whatever_was_said_is_kept(state: StateDatabase, said: str, kept: str) -> None:
    LastAttempts(state, KEY).failed("a", {DAY: said})
    assert words(state)[DAY][2] == kept


def test_an_older_release_has_the_same_table(state: StateDatabase) -> None:
    """Columns of other people's text are text to the database."""
    LastAttempts(state, KEY).failed("a", {DAY: "x"})
    columns = sa.inspect(state.engine).get_columns("mesh_last_attempts")
    assert {str(one["type"]) for one in columns} == {"TEXT"}
