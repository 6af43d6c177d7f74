"""What messages say of objects: a message is read whole, or it is poison."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_resources.arrivals.event_messages import UnreadableMessage, events_of
from tests.arrivals.event_bodies import POISON, eventbridge_body, s3_body


@pytest.mark.parametrize("body", POISON.values(), ids=POISON.keys())
def test_poison_is_no_event(body: str) -> None:
    with pytest.raises(UnreadableMessage) as problem:
        events_of(body)
    assert len(str(problem.value).encode()) < 1000, "people read it, and the ledger keeps it"


def in_place_of(value: Any) -> st.SearchStrategy[Any]:
    """The value, with any part of it replaced."""
    odd: st.SearchStrategy[Any] = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(exclude_categories=())),
        st.sampled_from(["\ud800", "\0", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"]),
        st.lists(st.none()),
        st.just({}),
    )
    if isinstance(value, dict):
        parts = {name: in_place_of(part) for name, part in value.items()}
        return st.one_of(st.fixed_dictionaries({}, optional=parts), odd)
    if isinstance(value, list):
        return st.one_of(st.tuples(*map(in_place_of, value)).map(list), odd)
    return st.one_of(st.just(value), odd)


NOW = "2026-03-01T00:00:00Z"
WHOLE = [
    json.loads(s3_body("shop/x", eventTime=NOW, object={"eTag": "e", "versionId": "v"})),
    json.loads(eventbridge_body("shop/x", time=NOW, object={"etag": "e", "version-id": "v"})),
]


@settings(max_examples=300, deadline=None)
@given(st.one_of(*map(in_place_of, WHOLE)))
def test_whatever_a_message_holds_it_can_be_written_down_or_is_poison(value: Any) -> None:
    try:
        events = events_of(json.dumps(value))
    except UnreadableMessage as problem:
        str(problem).encode()
        return
    for event in events:
        f"{event.bucket}{event.key}{event.etag}".encode()
        assert "\0" not in event.bucket + event.etag
