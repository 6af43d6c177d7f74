"""Each kind of fault at each request of a change: old or new, whole; a retry publishes once.

Belongs here: faults in the stores' own requests. Does not belong here: deaths of a process
(tests/stores/test_crashes.py), housekeeping (`test_housekeeping_under_faults.py`), the whole
mesh (tests/guarantees).
"""

from __future__ import annotations

import pytest

from shared_resources.stores import commit_attempts as attempts
from shared_resources.stores.cloud_warehouse.session import LoginRefused
from shared_resources.stores.protocol import Version
from tests.faults.kinds import Kind
from tests.faults.plans import FOR_EVER, SOME_FAULTS, NthRequest, each_request, some_requests
from tests.faults.proxy import Proxy
from tests.faults.trials import (
    CHANGES,
    Change,
    attempt,
    begin,
    check_every_version,
    check_nothing_left,
    check_old_or_new,
    check_tried_again,
    named,
)
from tests.stores.places import REMOTE, Place
from tests.stores.products import day, publish, published

# The connector cancels a query that takes too long in a thread of its own, and fails in it, too.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception in thread:pytest.PytestUnhandledThreadExceptionWarning"
)
# What happens once is mended by trying again, or its outcome is unknown. What lasts ends a change.
FAULTS = [
    *((kind, 1) for kind in Kind),
    *((kind, FOR_EVER) for kind in (Kind.SLOW_DOWN, Kind.EXPIRED, Kind.CUT_BEFORE)),
]
# Clients try these again by themselves, at once: a change does not even notice.
UNNOTICED = (Kind.INTERNAL_ERROR, Kind.SLOW_DOWN)
CASES = [
    (change, *fault)
    for change in CHANGES.values()
    for fault in (FAULTS if change.name == "replace a day" else SOME_FAULTS)
]


@pytest.mark.slow
@pytest.mark.parametrize("place", REMOTE, indirect=True)
@pytest.mark.parametrize(("change", "kind", "times"), CASES, ids=named)
def test_every_change_under_every_fault(
    place: Place, proxy: Proxy, change: Change, kind: Kind, times: int
) -> None:
    _try_each_request(place, proxy, change, kind, times)


READ_FAULTS = (
    (Kind.CUT_AFTER, 1),
    (Kind.CUT_ANSWER, 1),
    (Kind.TRUNCATED_ANSWER, 1),
    (Kind.FLIPPED_ANSWER, 1),
    (Kind.FLIPPED_ANSWER, FOR_EVER),
    (Kind.SLOW_DOWN, FOR_EVER),
)


@pytest.mark.slow
@pytest.mark.parametrize("place", REMOTE, indirect=True)
@pytest.mark.parametrize(("kind", "times"), READ_FAULTS, ids=named)
def test_what_is_read_under_faults_is_whole(
    place: Place, proxy: Proxy, kind: Kind, times: int
) -> None:
    """All rows as they were published, or an error; and the next read is right."""
    product = begin(place, CHANGES["replace a day"])
    key = product.contract.key
    for plan in each_request(kind, times):
        store = product.newcomer()
        with proxy.following(plan):
            read = attempt(lambda store=store: published(store, key))
        assert isinstance(read, Exception) or read == product.current
        assert plan.reached or read == product.current
        assert published(store, key) == product.current


@pytest.mark.parametrize(
    ("place", "commit"),
    [("lake-s3", "glue:UpdateTable"), ("snowflake", "snowflake:UPDATE")],
    indirect=["place"],
)
def test_what_the_last_attempt_committed_is_found(
    place: Place, proxy: Proxy, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is lost, and whoever sends it again is refused for the first."""
    change = CHANGES["replace a day"]
    product = begin(place, change)
    monkeypatch.setattr(attempts, "ATTEMPTS", 1)
    plan = NthRequest(Kind.CUT_AFTER, 1, commit)
    with proxy.following(plan):
        made = attempt(lambda: change.make(product, 1))
    assert plan.reached
    assert isinstance(made, Version), made
    assert published(product.newcomer(), product.contract.key) == change.expected(product, 1)


@pytest.mark.parametrize("place", ["snowflake"], indirect=True)
def test_a_refused_login_is_not_tried_again_and_again(place: Place, proxy: Proxy) -> None:
    """Snowflake locks a user after five wrong passwords."""
    product = begin(place, CHANGES["replace a day"])
    store, before = product.newcomer(), len(proxy.injected)
    plan = NthRequest(Kind.EXPIRED, 1, "snowflake:login-request", times=FOR_EVER)
    with proxy.following(plan):
        made = attempt(lambda: publish(store, product.contract, "refused", {day(0): [9]}))
    assert isinstance(made, LoginRefused), made
    assert "Authentication token has expired" in str(made)
    assert 1 <= len(proxy.injected) - before <= 2


def _try_each_request(place: Place, proxy: Proxy, change: Change, kind: Kind, times: int) -> None:
    product = begin(place, change)
    for number, plan in enumerate(some_requests(kind, times), start=1):
        with proxy.following(plan):
            made = attempt(lambda number=number: change.make(product, number))
        problem = made if isinstance(made, Exception) else None
        unnoticed = kind in UNNOTICED and times == 1
        assert problem is None or (plan.reached and not unnoticed), problem
        check_old_or_new(product, change, number, problem)
        check_tried_again(product, change, number)
    check_every_version(product)
    check_nothing_left(product)
