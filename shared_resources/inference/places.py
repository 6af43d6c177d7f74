"""From what people write for a place of data to what is inferred of it.

Belongs here: telling a file from an object, a table and a published product.
Does not belong here: fetching (`elsewhere.py`), inferring (`infer.py`).
"""

from __future__ import annotations

from pathlib import Path

from shared_resources.environment import Environment
from shared_resources.inference.inferred import Inferred, NotInferable
from shared_resources.mesh.model import is_product_key


def infer_place(
    environment: Environment, place: str | None, reads: tuple[str, ...]
) -> tuple[Inferred | None, tuple[str, ...]]:
    """What is found there, and what a product that begins so reads: a published product is read by it.

    Nothing is found where no place is said. Raises `NotInferable`, and what reading the place raises.
    """
    if place is None:
        return None, reads
    from shared_resources.inference.infer import infer_files, infer_objects, infer_table

    if reads:
        raise NotInferable("--from and --reads are two beginnings; leave one of them out")
    if place.startswith("s3://"):
        return infer_objects(place), ()
    if "://" in place:
        return infer_table(place), ()
    if Path(place).exists() or not is_product_key(place):
        return infer_files(Path(place)), ()
    return _published(environment, place), (place,)


def table_of(place: str | None) -> str:
    """The table that the place names, with its schema; nothing if it names none."""
    return place.rpartition("#")[2] if place and "://" in place and "#" in place else ""


def _published(environment: Environment, key: str) -> Inferred:
    from shared_resources.access.door import open_for, reader_here
    from shared_resources.inference.infer import infer_published
    from shared_resources.mesh import look_at_mesh

    # What is inferred of values (limits, enumerations) shows them.
    reader = reader_here(environment, None, None, by="mesh new product")
    snapshot = open_for(environment, key, reader)
    contracts = {one.key: one.contract for one in look_at_mesh(environment).products}
    contract = contracts.get(key)
    # Of a column that the contract has lost, nothing is declared any more.
    declared = dict.fromkeys(snapshot.schema.names, None)
    declared |= {one.name: one.classification for one in (contract.columns if contract else ())}
    return infer_published(snapshot, declared)
