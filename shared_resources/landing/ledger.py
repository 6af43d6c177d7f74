"""Which landing objects were ingested already.

Belongs here: reading that from what the stores and the quarantine hold; nothing is written, so the
ledger cannot disagree with what was published.
Does not belong here: remembering what a sensor asked for (its cursor, `sensor.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from shared_resources.landing.zone import LandingObject

if TYPE_CHECKING:
    from shared_resources.governance.quarantine import Quarantine
    from shared_resources.io_managers.protocol import ProductStore

OBJECTS_PROPERTY = "mesh.objects"


def unseen(
    objects: Iterable[LandingObject],
    stores: Sequence[ProductStore],
    quarantine: Quarantine,
    product: str,
) -> list[LandingObject]:
    """Those of `objects` that the product neither published nor refused, in the order given.

    An object that was overwritten has another etag and is unseen again.
    """
    known = _published(stores, product) | _refused(quarantine, product)
    return [obj for obj in objects if (obj.key, obj.etag) not in known]


def _published(stores: Sequence[ProductStore], product: str) -> set[tuple[str, str]]:
    return {
        (key, etag)
        for store in stores
        for version in store.versions(product)
        for key, etag in json.loads(version.properties.get(OBJECTS_PROPERTY, "[]"))
    }


def _refused(quarantine: Quarantine, product: str) -> set[tuple[str, str]]:
    return {(key, etag) for entry in quarantine.list(product) for key, etag in entry.objects}
