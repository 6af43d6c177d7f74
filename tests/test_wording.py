"""Articles as they are spoken."""

from __future__ import annotations

import pytest

from shared_resources.wording import a


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
