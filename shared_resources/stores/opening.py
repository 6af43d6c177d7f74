"""Opening a product wherever it is: from the first store that has it.

Belongs here: which of an environment's stores a reader is given, and what he is told if none has it.
Does not belong here: which version a run reads (`pins.py`), how a store opens one.
"""

from __future__ import annotations

from pathlib import Path

from shared_resources.environment import Environment
from shared_resources.mesh.read import read_product
from shared_resources.mesh.whereabouts import mentions
from shared_resources.stores.protocol import (
    NotPublished,
    ProductStore,
    Snapshot,
    Unreadable,
    Version,
)
from shared_resources.stores.reading.called import in_names_of
from shared_resources.stores.staging.staging_area import product_folder


def holding(environment: Environment, product: str) -> tuple[ProductStore | None, list[Version]]:
    """The store that readers take the product from now, and its versions, oldest first.

    ``(None, [])`` while it is not published.
    """
    for store in environment.stores.values():
        if versions := store.versions(product):
            return store, versions
    return None, []


def open_product(
    environment: Environment, product: str, number: int | None = None, *, served: bool = False
) -> Snapshot:
    """A published version, from the first store that has the product, as its contract calls its
    columns now; with `served`, under the former names that readers are given, too.

    Raises `NotPublished` when no store has it.
    """
    try:
        product_folder(Path(), product)  # refuses what is no product key
    except ValueError as problem:
        message = f"{product!r} is no product key; write it as domain/product"
        raise NotPublished(message) from problem
    trouble: Unreadable | None = None
    for store in environment.stores.values():
        try:
            if store.versions(product):
                return called_now(environment, store.open(product, number), served=served)
        except Unreadable as problem:
            trouble = trouble or problem
    if trouble is not None:
        raise trouble
    raise NotPublished(
        f"{product} is not published yet; run `mesh run {product}`, or check its name"
    )


def called_now(environment: Environment, snapshot: Snapshot, *, served: bool) -> Snapshot:
    """The version as the contract of its product, where that is known here, calls its columns."""
    key = snapshot.version.product
    if not mentions(environment, key, b"renamedFrom"):
        return snapshot
    folder = read_product(environment, key, anew=False)
    if folder is None or folder.contract is None:
        return snapshot
    return in_names_of(folder.contract, snapshot, with_aliases=served)
