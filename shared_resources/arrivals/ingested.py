"""Which landing objects what is published, and what is in quarantine, was made of.

Belongs here: reading that from what the stores and the quarantine hold, which is the truth about
objects that the ledger does not know, or whose run died before it could say what came of them.
Does not belong here: remembering objects (`arrivals/ledger/ledger.py`): versions expire, and there
are many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from shared_resources.landing.zones.zone import VERSION_MARK, LandingObject, as_listed

if TYPE_CHECKING:
    from shared_resources.governance.quarantine.quarantine import Quarantine, QuarantineEntry
    from shared_resources.stores.protocol import ProductStore, Version

Pairs = set[tuple[str, str]]


def unseen(
    objects: Iterable[LandingObject],
    stores: Sequence[ProductStore],
    quarantine: Quarantine,
    product: str,
) -> list[LandingObject]:
    """Those of `objects` that the product neither published nor refused, in the order given.

    An object that was overwritten has another etag and is unseen again.
    """
    known = published(stores, product) | refused(quarantine, product)
    listed = {(key, as_listed(etag)) for key, etag in known}
    return [obj for obj in objects if not _among(obj, known, listed)]


def _among(obj: LandingObject, known: Pairs, listed: Pairs) -> bool:
    told = VERSION_MARK not in obj.etag and (obj.key, obj.etag) in listed
    # What was known when the bucket kept no versions yet, or through a listing, has none.
    return told or (obj.key, obj.etag) in known or (obj.key, obj.listed) in known


def published(stores: Sequence[ProductStore], product: str) -> Pairs:
    """Key and etag of every object that any kept version was made of."""
    return {
        pair for store in stores for version in store.versions(product) for pair in objects(version)
    }


def refused(quarantine: Quarantine, product: str) -> Pairs:
    """Key and etag of every object that something of is, or was, in quarantine."""
    return {(key, etag) for entry in quarantine.list(product) for key, etag in entry.objects}


def of_batch(
    stores: Sequence[ProductStore],
    entries: Iterable[QuarantineEntry],
    product: str,
    batch_id: str,
) -> tuple[Version | None, Pairs]:
    """The version that one batch published, and its objects of which something is in quarantine.

    `entries` are all of the product's.
    """
    version = stores[0].published_batch(product, batch_id)
    its = (entry for entry in entries if entry.batch_id == batch_id)
    return version, {(key, etag) for entry in its for key, etag in entry.objects}


def objects(version: Version) -> Pairs:
    """Key and etag of the objects that a version was made of; none if nobody knows any more."""
    evidence = (
        version.evidence_or_none
    )  # None: readers are told; what landed is still to be ingested
    return set(evidence.objects) if evidence else set()
