"""The journal of erasures: entries that are kept, found again and refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared_resources.evidence import erasures
from shared_resources.evidence.envelope import BrokenEnvelope, Envelope, seal
from shared_resources.evidence.erasures import Erasure, done, journal, kinds_since, name_of
from shared_resources.evidence.statement import canonical
from shared_resources.registry.attestations import AttestationFolder

PLACE = {"product": "shop/people", "place": "lake", "what": "version 1", "rows": 3}


def kept(place: AttestationFolder, entry: Erasure) -> Erasure:
    envelope = seal(canonical(entry.statement()), None)
    place.keep(name_of(entry, envelope.digest), envelope.written())
    return entry


def test_what_was_begun_is_open_until_it_is_done(tmp_path: Path) -> None:
    place = AttestationFolder(tmp_path)
    assert journal(place) == [] and kinds_since(place, datetime.now(UTC)) == set()
    begun = kept(place, erasures.begin("customer", {"b", "a"}, "me", "request 8"))
    assert journal(place) == [begun] and begun.subjects == ("a", "b")
    later = datetime.now(UTC) + timedelta(hours=1)
    assert kinds_since(place, later) == {"customer"}
    ended = kept(place, done(begun, [PLACE], ["shop/counts"], ["a file"]))
    assert journal(place) == [ended]
    assert kinds_since(place, later) == set()
    assert kinds_since(place, begun.begun_at - timedelta(hours=1)) == {"customer"}


def test_a_digest_is_of_whom_and_of_nothing_else() -> None:
    begun = erasures.begin("customer", {"a"}, "me", "")
    other = replace(begun, id="erasure-2", by="you")
    assert begun.statement()["subject"][0]["digest"] == other.statement()["subject"][0]["digest"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"predicateType": "urn:other"}, "of no erasure"),
        ({"predicate": {"id": "x"}}, "no whole entry"),
    ],
)
def test_what_is_no_entry_is_refused(changed: dict[str, object], said: str) -> None:
    statement = erasures.begin("customer", {"a"}, "me", "").statement() | changed
    with pytest.raises(BrokenEnvelope, match=said):
        erasures.erasure_in(Envelope(canonical(statement), {}))
