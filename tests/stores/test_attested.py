"""Every store attests what it commits: a chain that rollback, compaction and expiry do not break."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared_resources.attesting.chain import attestation_of, chain_differences
from shared_resources.attesting.contents import committed_differences, file_differences
from shared_resources.attesting.envelopes import Envelopes
from shared_resources.evidence import kept
from shared_resources.stores.attested.attestor import NOT_ATTESTING
from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.protocol import ProductStore
from tests.stores.places import LOCAL, Place
from tests.stores.products import WHY, contract, publish

SALES = contract()
KEY = SALES.key


def envelopes_of(place: Place, store: ProductStore) -> Envelopes:
    kept_there = place.attestor.place
    assert kept_there is not None
    return Envelopes(kept_there, KEY, store.name, None)


def found(place: Place) -> list[str]:
    """What a verification of all versions finds, by kind and version."""
    store = place.open()
    envelopes, versions = envelopes_of(place, store), store.versions(KEY)
    differences = chain_differences(envelopes, versions)
    for version in versions:
        if digest := attestation_of(version):
            attested = envelopes.of(version.number, digest)
            if attested.predicate:
                differences += committed_differences(envelopes, version, attested)
            differences += file_differences(envelopes, store, version, attested)
    return [f"{one.kind} {one.version}" for one in differences]


def forget(place: Place, *, checkpoints: bool) -> int:
    """Remove what is kept beside the versions: checkpoints, or all of the envelopes; how many."""
    there = place.attestor.place
    assert there is not None
    names = there.names(kept.folder_of(KEY, place.open().name))
    gone = [name for name in names if kept.is_checkpoint(name) == checkpoints]
    there.remove(gone)
    return len(gone)


def test_publications_and_rollbacks_are_a_chain(place: Place) -> None:
    store = place.open()
    for number in (1, 2, 3):
        publish(store, SALES, f"b{number}", [number])
    store.rollback(SALES, 1, WHY, batch_id="r")
    publish(store, SALES, "b5", [5])
    assert found(place) == []
    envelopes, versions = envelopes_of(place, store), store.versions(KEY)
    links = [envelopes.of(v.number, attestation_of(v) or "").previous for v in versions]
    assert links[0] is None
    assert [link["version"] for link in links[1:] if link] == [1, 2, 3, 4]


def test_what_expired_is_no_gap_and_what_was_removed_is_one(place: Place) -> None:
    store = place.open()
    for number in (1, 2, 3):
        publish(store, SALES, f"b{number}", [number])
    gone = store.expire(SALES, datetime.now(UTC) + timedelta(hours=1))
    assert [version.number for version in gone] == [1, 2]
    publish(store, SALES, "b4", [4])
    assert found(place) == []
    assert sorted(envelopes_of(place, store).expired) == [1, 2]
    store.expire(SALES, datetime.now(UTC) + timedelta(hours=1))
    assert found(place) == []
    assert forget(place, checkpoints=True) == 2
    assert found(place) == ["version-missing 4"]


@pytest.mark.parametrize("place", LOCAL, indirect=True)
def test_a_compaction_is_linked_to_what_it_rewrote(place: Place) -> None:
    store = place.open()
    for number in range(1, 7):
        publish(store, SALES, f"b{number}", [number], append=number > 1)
    before = attestation_of(store.versions(KEY)[-1])
    assert store.compact(SALES) is not None
    (*_, version) = place.open().versions(KEY)
    digest = attestation_of(version)
    assert version.number == 6 and digest is not None and digest != before
    said = envelopes_of(place, store).of(6, digest)
    assert (said.supersedes, said.predicate["kind"]) == (before, "compaction")
    assert said.predicate["sameRows"]["rows"] == "6"
    assert found(place) == []
    publish(place.open(), SALES, "b7", [7], append=True)
    assert found(place) == []
    place.open().expire(SALES, datetime.now(UTC) + timedelta(hours=1))
    assert before in envelopes_of(place, store).expired[6]


@pytest.mark.parametrize("place", LOCAL, indirect=True)
def test_versions_from_before_there_were_attestations_break_nothing(place: Place) -> None:
    older = (
        LakeStore(place.root, attestor=NOT_ATTESTING)
        if place.store == "lake"
        else WarehouseStore(place.root)
    )
    for number in (1, 2):
        publish(older, SALES, f"b{number}", [number])
    publish(place.open(), SALES, "b3", [3])
    versions = place.open().versions(KEY)
    assert [attestation_of(version) is None for version in versions] == [True, True, False]
    assert found(place) == []
    publish(older, SALES, "b4", [4])
    assert found(place) == ["attestation-missing 4"]


@pytest.mark.parametrize("place", LOCAL, indirect=True)
def test_an_envelope_of_a_publisher_that_died_before_its_commit_is_nothing(place: Place) -> None:
    store = place.open()
    first = publish(store, SALES, "b1", [1])
    own = dict(first.properties) | {"mesh.version": "2", "mesh.batch-id": "never"}
    place.attestor.attest(KEY, store.name, own, tuple, first.properties)
    assert found(place) == []
    publish(store, SALES, "b2", [2])
    assert found(place) == []
    store.expire(SALES, datetime.now(UTC) + timedelta(hours=1))
    publish(store, SALES, "b3", [3])
    store.expire(SALES, datetime.now(UTC) + timedelta(hours=1))
    there = place.attestor.place
    assert there is not None
    assert not [n for n in there.names(kept.folder_of(KEY, store.name)) if kept.is_of_version(n, 2)]


@pytest.mark.parametrize("place", LOCAL, indirect=True)
def test_a_product_without_any_envelope_is_found(place: Place) -> None:
    store = place.open()
    publish(store, SALES, "b1", [1])
    forget(place, checkpoints=False)
    assert found(place) == ["envelope-missing 1"]
