"""Policy: what lies in a store is what was promised when it was published.

Belongs here: this one rule, for the columns and types of what readers see in each store.
Does not belong here: a contract that has changed since (`data_products/compared/`), bytes of files
(`mesh check --data`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.contracts.promise import Promise
from shared_resources.contracts.types import ColumnType, Family, arrow_schema
from shared_resources.evidence.record import Evidence
from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.governance.published import Published, PublishedTable
from shared_resources.mesh import Domain, Mesh

NAME = "stored_as_promised"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Files say nothing of what is stored."""
    return iter(())


def of_published(domain: Domain, mesh: Mesh, published: Published) -> Iterator[Finding]:
    """A table that somebody altered beside the mesh still passes for the product. It takes opening each
    table to see it: `mesh check --data` does."""
    for product, _ in domain.contracts:
        for table in published(product.key):
            for said in _drifts(table):
                yield Finding(
                    product.contract_file,
                    0,
                    NAME,
                    f"{product.key}, version {table.number} in the {table.store}: {said}",
                    f"find out who altered the table, and publish it again: `mesh run {product.key}`",
                )


def _drifts(table: PublishedTable) -> Iterator[str]:
    promise = table.evidence.promise if table.evidence else None
    if promise is None or table.schema is None:
        return
    promised = arrow_schema(tuple(promise.types.items()))
    for field in promised:
        stored = table.schema.get(field.name)
        if stored is None:
            yield f"it was published with a column {field.name}, which is not there"
        elif stored != field.type:
            yield f"{field.name} was published as {field.type} and is stored as {stored}"
    for name in table.schema:
        if name not in promise.types:
            yield f"it has a column {name}, which it was not published with"


_PROMISED = {"order_id": ColumnType(Family.INTEGER), "note": ColumnType(Family.STRING)}


def _stored(**columns: ColumnType) -> PublishedTable:
    evidence = Evidence("run", "1.0.0", "0" * 64, (), promise=Promise(_PROMISED))
    schema = arrow_schema(tuple(columns.items()))
    return PublishedTable("lake", 7, {field.name: field.type for field in schema}, evidence)


EXAMPLES = (
    passes("nothing is published"),
    passes("stored as it was promised", published=lambda: [_stored(**_PROMISED)]),
    fails(
        "a column was dropped beside the mesh",
        "published with a column note, which is not there",
        published=lambda: [_stored(order_id=ColumnType(Family.INTEGER))],
    ),
    fails(
        "a column was added beside the mesh",
        "has a column colour, which it was not published with",
        published=lambda: [_stored(**_PROMISED, colour=ColumnType(Family.STRING))],
    ),
    fails(
        "a column's type was altered",
        "note was published as",
        published=lambda: [_stored(**{**_PROMISED, "note": ColumnType(Family.DATE)})],
    ),
)
POLICY = LoadTimePolicy(
    NAME,
    "Stored tables have the columns and types that they were published with (`mesh check --data`).",
    check,
    published=of_published,
    examples=EXAMPLES,
)
