"""`mesh evidence --verify` on what nobody touched, and on what is plainly broken."""

from __future__ import annotations

import pytest

from tests.attesting.attested import KEY, TOTALS, Attested, flip
from tests.cli.commands import call


@pytest.mark.parametrize("product", [KEY, TOTALS])
def test_what_nobody_touched_is_as_it_was_attested(attested: Attested, product: str) -> None:
    done = call("evidence", product, "--verify", "--json")
    assert done.code == 0, done
    proofs = done.json
    assert {proof["store"] for proof in proofs} == {"lake", "warehouse"}
    for proof in proofs:
        assert proof["differences"] == []
        assert {v["signed"] for v in proof["versions"]} == {"signed, and verified"}
        first, *later = proof["versions"]
        assert first["previous"] is None
        before = [first, *later]
        for earlier, version in zip(before, later, strict=False):
            link = {"version": earlier["version"], "attestation": earlier["attestation"]}
            assert version["previous"] == link


@pytest.mark.parametrize("store", ["lake", "warehouse"])
def test_a_flipped_byte_is_found_and_its_file_named(attested: Attested, store: str) -> None:
    file = attested.data_file(store, 3)
    flip(file, 0.3)
    done = call("evidence", KEY, "--verify")
    assert done.code == 1
    (line,) = (line for line in done.out.splitlines() if line.startswith("DIFFERS"))
    assert f"{KEY} version 3 in the {store}" in line and str(file) in line
