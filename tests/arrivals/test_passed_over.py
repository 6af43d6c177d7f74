"""What was passed over is remembered and forgotten by stretches of a prefix, in both databases."""

from __future__ import annotations

from itertools import product

import pytest
import sqlalchemy as sa

from shared_resources.arrivals.ledger.passed_over import PassedOver
from shared_resources.arrivals.ledger.strays import Stray
from shared_resources.state.database import StateDatabase

# As listings sort them, by characters; a database's own order may be another.
KEYS = sorted(["p/B", "p/_", "p/a", "p/a-b", "p/a.b", "p/aB", "p/ab", "p/é", "p/z", "p/\U0001f600"])


@pytest.fixture
def passed(state: StateDatabase) -> PassedOver:
    """On Postgres in a database that sorts as people do, where a listing does not."""
    passed = PassedOver(state, "order/orders")
    passed.note([])
    if state.engine.dialect.name == "postgresql":
        with state.begin() as connection:
            like_people = "SELECT collname FROM pg_collation WHERE collname = 'en-x-icu'"
            found = connection.scalar(sa.text(like_people))
            for table in ("mesh_landing_strays", "mesh_landing_objects") if found else ():
                order = f'ALTER TABLE {table} ALTER COLUMN key TYPE text COLLATE "{found}"'
                connection.execute(sa.text(order))
    return passed


def test_a_look_at_a_stretch_is_the_last_word_about_it_and_about_nothing_else(
    passed: PassedOver,
) -> None:
    for after, to in product(["", *KEYS[::3]], ["", KEYS[4], KEYS[-1]]):
        passed.note(Stray(key, "etag", "no name of the contract's") for key in KEYS)
        passed.looked([], [], after, to)
        left = [key for key in KEYS if key <= after or (to and key > to)]
        assert [one.key for one in passed.open()] == left, (after, to)
        assert passed.count() == len(left)


def test_who_settled_it_first_stays_noted_and_another_object_is_named_again(
    passed: PassedOver,
) -> None:
    stray = Stray("p/a\ue000", "etag", "odd \0 words")
    passed.note([stray])
    passed.settle([stray], by="ann", reason="a test \ud800")
    passed.settle([stray], by="bob", reason="later")
    (one,) = passed.all()
    assert (passed.open(), one.reason) == ([], r"odd \x00 words")
    assert one.settled is not None
    assert (one.settled.by, one.settled.reason) == ("ann", r"a test \ud800")
    passed.looked([Stray("p/a\ue000", "another", "odd")], ["p/a\ue000"], "", "")
    assert [one.etag for one in passed.open()] == ["another"]
