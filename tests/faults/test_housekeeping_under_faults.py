"""Kinds of faults at each request of housekeeping: readers see what they saw, the next run ends it.

Belongs here: faults in compaction, expiry and clean-up. Does not belong here: deaths of a process
(tests/housekeeping/test_killed.py), changes of a product (`test_stores_under_faults.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared_resources.stores.protocol import Compaction
from tests.faults.kinds import Kind
from tests.faults.plans import FOR_EVER, SOME_FAULTS, NthRequest, some_requests
from tests.faults.proxy import Proxy
from tests.faults.trials import (
    CHANGES,
    DAILY,
    Product,
    attempt,
    begin,
    check_every_version,
    check_nothing_left,
    check_tried_again,
    named,
)
from tests.stores.places import REMOTE, Place
from tests.stores.products import WHY, day, publish, published

# The connector cancels a query that takes too long in a thread of its own, and fails in it, too.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:Exception in thread:pytest.PytestUnhandledThreadExceptionWarning"
    ),
]

# A damaged answer of a file that is rewritten must not become the file that is read from then on.
DAMAGE = [(Kind.FLIPPED_ANSWER, 1), (Kind.TRUNCATED_ANSWER, 1)]
SMALL_FILES = 4


@pytest.mark.parametrize("place", ["lake-s3"], indirect=True)  # Snowflake has nothing to compact
@pytest.mark.parametrize(("kind", "times"), [*SOME_FAULTS, *DAMAGE], ids=named)
def test_a_compaction_under_faults_changes_no_version(
    place: Place, proxy: Proxy, kind: Kind, times: int
) -> None:
    product = _begin_with_small_files(place)
    key = product.contract.key
    for number, plan in enumerate(some_requests(kind, times)):
        if product.newcomer().would_compact(product.contract) is None:
            _roll_back_to_small_files(product, number)
        with proxy.following(plan):
            # On another machine: the one that published has copies, and would read nothing.
            made = attempt(lambda: product.newcomer().compact(product.contract))
        assert plan.reached or made == Compaction(SMALL_FILES, 1), made
        if isinstance(made, Compaction):
            assert product.newcomer().would_compact(product.contract) is None
        assert published(product.newcomer(), key) == product.current
        assert published(product.newcomer(), key, SMALL_FILES) == product.contents[SMALL_FILES]
    product.store.compact(product.contract)
    check_every_version(product)
    check_nothing_left(product)
    check_every_version(product)


def _begin_with_small_files(place: Place) -> Product:
    """As many in the current version as its number says: enough to be compacted."""
    product, rows = Product(place, DAILY), []
    for number in range(1, SMALL_FILES + 1):
        rows.append(number)
        publish(product.store, DAILY, f"small-{number}", {day(0): [number]}, append=True)
        product.contents[number] = list(rows)
    # Another version, so that what is current is a restored one, whose own files stay as they are.
    _roll_back_to_small_files(product, 0)
    return product


def _roll_back_to_small_files(product: Product, number: int) -> None:
    product.store.rollback(product.contract, SMALL_FILES, WHY, batch_id=f"back-{number}")
    product.contents[max(product.contents) + 1] = product.contents[SMALL_FILES]


@pytest.mark.parametrize("place", REMOTE, indirect=True)
@pytest.mark.parametrize(("kind", "times"), SOME_FAULTS, ids=named)
def test_an_expiry_under_faults_takes_old_versions_only(
    place: Place, proxy: Proxy, kind: Kind, times: int
) -> None:
    change = CHANGES["append"]
    product = begin(place, change)
    key = product.contract.key
    for number, plan in enumerate(some_requests(kind, times), start=1):
        check_tried_again(product, change, number)
        with proxy.following(plan):
            attempt(lambda: product.store.expire(product.contract, datetime.now(UTC)))
        check_every_version(product)
        assert published(product.reader, key) == product.current
        product.store.expire(product.contract, datetime.now(UTC))
        product.contents = {max(product.contents): product.current}
        assert [v.number for v in product.reader.versions(key)] == list(product.contents)
        assert published(product.reader, key) == product.current
    check_nothing_left(product)
    assert published(product.reader, key) == product.current


@pytest.mark.parametrize("place", REMOTE, indirect=True)
@pytest.mark.parametrize(("kind", "times"), SOME_FAULTS, ids=named)
def test_a_clean_up_under_faults_removes_nothing_that_is_read(
    place: Place, proxy: Proxy, kind: Kind, times: int
) -> None:
    change = CHANGES["replace a day"]
    product = begin(place, change)
    for number, plan in enumerate(some_requests(kind, times), start=1):
        with proxy.following(NthRequest(Kind.EXPIRED, 8, times=FOR_EVER)):
            left = attempt(lambda number=number: change.make(product, number))
        assert isinstance(left, Exception)
        with proxy.following(plan):
            attempt(lambda: product.store.remove_orphans(product.contract.key, timedelta(0)))
        check_every_version(product)
    check_nothing_left(product)
