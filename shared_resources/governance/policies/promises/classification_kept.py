"""Policy: what is made from sensitive columns is as sensitive, unless it says how it was anonymised.

Belongs here: this one rule, for the lineage that contracts declare and for that of what is published.
Does not belong here: whether groups are as large as they should be, which the audit checks on the data
(`contracts/rules/values/minimum_group.py`), what a reader may see (`access/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared_resources.contracts.model import Classification
from shared_resources.findings import Finding
from shared_resources.governance.example import Changes, fails, passes
from shared_resources.governance.lineage.column_sources import (
    Sources,
    column_in,
    declared_sources,
    published_sources,
)
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.governance.published import Published
from shared_resources.mesh import Domain, Mesh

NAME = "classification_kept"
_LEVELS = list(Classification)


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A column that loses its classification on the way is seen by people who may not see it."""
    for sources in declared_sources(domain):
        yield from _falls(mesh, sources)


def of_published(domain: Domain, mesh: Mesh, published: Published) -> Iterator[Finding]:
    """The same of what dbt derived, or was observed, when the version that readers see was made."""
    for sources in published_sources(domain, published):
        yield from _falls(mesh, sources)


def _falls(mesh: Mesh, sources: Sources) -> Iterator[Finding]:
    product = sources.product
    for column in sources.contract.columns:
        if column.classification is None or column.anonymisation is not None:
            continue
        for key, name in sources.columns.get(column.name, ()):
            source = column_in(mesh, key, name)
            level = source.classification if source is not None else None
            if level is not None and _LEVELS.index(level) > _LEVELS.index(column.classification):
                yield Finding(
                    product.contract_file,
                    column.line,
                    NAME,
                    f"{product.key}: column {column.name!r} is {column.classification} and made from "
                    f"{name} of {key}, which is {level} ({sources.how})",
                    f"classify it {level}, or say how it was anonymised: "
                    "{property: anonymisation, vendor: mesh, value: {method: aggregation | keyedHash | "
                    "generalisation}}",
                )


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
