"""Policy: what is made from sensitive columns is as sensitive, unless it says how it was anonymised.

Belongs here: this one rule, for the lineage that contracts declare and for that of what is published.
Does not belong here: whether groups are as large as they should be, which the audit checks on the data
(`contracts/rules/values/minimum_group.py`), what a reader may see (`access/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from shared_resources.contracts.model import Classification, Contract
from shared_resources.findings import Finding
from shared_resources.governance.example import Changes, fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.governance.published import Published
from shared_resources.mesh import Domain, Mesh, ProductFolder

NAME = "classification_kept"
_LEVELS = list(Classification)
# Of each column, the columns that it is made from, as (product, column).
Lineage = Mapping[str, Sequence[tuple[str, str]]]


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A column that loses its classification on the way is seen by people who may not see it."""
    for product, contract in domain.contracts:
        lineage = {c.name: c.made_from for c in contract.columns if c.made_from is not None}
        yield from _falls(mesh, product, contract, lineage, "by its contract")


def of_published(domain: Domain, mesh: Mesh, published: Published) -> Iterator[Finding]:
    """The same of what dbt derived, or was observed, when the version that readers see was made."""
    for product, contract in domain.contracts:
        declared = {c.name for c in contract.columns if c.made_from is not None}
        for version in published(product.key)[:1]:
            recorded = version.evidence.lineage if version.evidence else None
            if recorded is not None:
                left = {
                    name: sources
                    for name, sources in recorded.columns.items()
                    if name not in declared
                }
                how = f"as was {recorded.how.value} of version {version.number}"
                yield from _falls(mesh, product, contract, left, how)


def _falls(
    mesh: Mesh, product: ProductFolder, contract: Contract, lineage: Lineage, how: str
) -> Iterator[Finding]:
    known = {one.key: one.contract for one in mesh.products if one.contract is not None}
    for column in contract.columns:
        if column.classification is None or column.anonymisation is not None:
            continue
        for key, name in lineage.get(column.name, ()):
            source = known.get(key)
            level = _classification(source, name)
            if level is not None and _LEVELS.index(level) > _LEVELS.index(column.classification):
                yield Finding(
                    product.contract_file,
                    column.line,
                    NAME,
                    f"{product.key}: column {column.name!r} is {column.classification} and made from "
                    f"{name} of {key}, which is {level} ({how})",
                    f"classify it {level}, or say how it was anonymised: "
                    "{property: anonymisation, vendor: mesh, value: {method: aggregation | keyedHash | "
                    "generalisation}}",
                )


def _classification(contract: Contract | None, name: str) -> Classification | None:
    columns = contract.columns if contract is not None else ()
    return next((one.classification for one in columns if one.name == name), None)


_ORDERS = "schema.orders.properties.note"
_RESTRICTED = {"shop/people": {"schema.people.properties.note.classification": "restricted"}}
_FROM: Changes = {f"{_ORDERS}.transformSourceObjects": ["shop/people.note"]}


def _anonymised(value: Mapping[str, object]) -> Changes:
    said = {"vendor": "mesh", "value": dict(value)}
    return {**_FROM, f"{_ORDERS}.customProperties.anonymisation": said}


EXAMPLES = (
    passes("nothing is said of its origin", others=_RESTRICTED),
    passes(
        "as sensitive as what it is made from",
        contract={**_FROM, f"{_ORDERS}.classification": "restricted"},
        others=_RESTRICTED,
    ),
    passes(
        "more sensitive than what it is made from",
        contract={**_FROM, f"{_ORDERS}.classification": "confidential"},
        others={"shop/people": {}},
    ),
    passes("hashed with a key", contract=_anonymised({"method": "keyedHash"}), others=_RESTRICTED),
    passes(
        "summed up over many",
        contract=_anonymised(
            {"method": "aggregation", "minimumGroup": 10, "groupSize": "order_id"}
        ),
        others=_RESTRICTED,
    ),
    fails(
        "a restricted column comes out as an internal one",
        "'note' is internal and made from note of shop/people, which is restricted",
        contract=_FROM,
        others=_RESTRICTED,
    ),
    fails(
        "one of two columns that it is made from is more sensitive",
        "made from note of shop/people, which is restricted",
        contract={
            f"{_ORDERS}.transformSourceObjects": ["shop/people.order_id", "shop/people.note"]
        },
        others=_RESTRICTED,
    ),
)
POLICY = LoadTimePolicy(
    NAME,
    "A column is as sensitive as those that it is made from, or says how it was anonymised.",
    check,
    published=of_published,
    examples=EXAMPLES,
)
