"""Promise: whoever takes a version out of its order, or vouches for it in another's place, is found."""

from __future__ import annotations

import pytest

from tests.attesting import tampering_with_the_chain as t
from tests.attesting.attested import Attested
from tests.attesting.tampering import Case, check

W, L = "warehouse", "lake"

CASES = (
    Case("versions changed places", t.swap, "envelope-missing", "is not kept", 3),
    Case("a version less", t.drop(3), "version-missing", "version 3", 4),
    Case("a version less in the lake", t.drop_in_lake(3), "version-missing", "version 3", 4, L),
    Case("no newest version", t.drop(5), "version-missing", "that is kept is version 4", 5),
    Case("no newest in the lake", t.drop_in_lake(5), "", "", 5, L),
    Case("no first version", t.drop(1), "version-missing", "version 1", 2),
    Case("no manifest", t.lose_manifest, "unreadable", "v00000005.json"),
    Case("no envelope", t.lose_envelope(W, 3), "envelope-missing", "v00000003", 3),
    Case("no envelope in the lake", t.lose_envelope(L, 2), "envelope-missing", "v00000002", 2, L),
    Case("a broken envelope", t.break_envelope, "envelope-broken", "v00000003", 3),
    Case("a flipped byte of an envelope", t.flip_envelope, "", "v00000003", 3),
    Case("another statement, rightly signed", t.change_subject, "envelope-changed", "another", 3),
    Case("another statement, committed", t.lose_terms, "chain-broken", "version 3", 4),
    Case("another link", t.relink, "version-foreign", "lies in between", 3),
    Case("another link, seen from the next", t.relink, "chain-broken", "on top of version 3", 4),
    Case("another signer", t.resign, "signature-missing", "instead", 3),
    Case("another signer of the newest", t.resign_anew, "signer-unknown", "none of those", 5),
    Case("no signature", t.unsign, "signature-missing", "by nobody", 3),
    Case("no signature of the newest", t.unsign_newest, "unsigned", "nobody signed", 5),
    Case("a forged signature", t.forge_signature, "signature-wrong", "not one of this", 3),
    Case("another's signature", t.copy_signature, "signature-wrong", "not one of this", 3),
    Case("another's envelope", t.swap_envelopes, "envelope-changed", "another statement", 3),
    Case("another's statement", t.name_anothers, "statement-of-another", "not of", 3),
    Case("no attestation", t.remove_attestation, "attestation-missing", "no attestation", 3),
    Case("a broken note of the newest", t.break_newest, "envelope-broken", "newest.json"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_what_was_changed_is_named(attested: Attested, case: Case) -> None:
    check(attested, case)
