"""Articles and lengths of time as they are spoken."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared_resources.wording import a, duration


@pytest.mark.parametrize(
    "said",
    [
        *("a price", "an age", "an INTEGER", "a BIGINT", "an order_id", "a user_id", "a uuid"),
        *("an amount", "a unit_price", "an hour", "a house", "an email", "a URL", "an item"),
        *("a euro_amount", "an upper_bound", "a one_off", "an id", "a utc_time", "an urgent"),
    ],
)
def test_a_word_has_the_article_that_is_spoken(said: str) -> None:
    assert a(said.split()[1]) == said


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(days=30), "30 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=61), "61 seconds"),
    ],
)
def test_a_length_of_time_is_said_in_its_largest_whole_unit(length: timedelta, said: str) -> None:
    assert duration(length) == said
