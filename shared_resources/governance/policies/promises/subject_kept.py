"""Policy: a subject's key that is handed on is declared as one again, so that an erasure finds it.

Belongs here: this one rule, for the lineage that contracts declare and for that of what is published.
Does not belong here: erasing (`erasing/`), which goes by what contracts declare.

A column that merely comes from a key, as a count of households does, holds none. So only one is asked
about that has the name and the kind of type of the key, and is made from nothing else: that is a copy.
"""

from __future__ import annotations

from collections.abc import Iterator

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

NAME = "subject_kept"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A key that no contract declares stays in every version when its subject is erased."""
    for sources in declared_sources(domain):
        yield from _lost(mesh, sources)


def of_published(domain: Domain, mesh: Mesh, published: Published) -> Iterator[Finding]:
    """The same of what dbt derived, or was observed, when the version that readers see was made."""
    for sources in published_sources(domain, published):
        yield from _lost(mesh, sources)


def _lost(mesh: Mesh, sources: Sources) -> Iterator[Finding]:
    product = sources.product
    for column in sources.contract.columns:
        made_from = sources.columns.get(column.name, ())
        if column.subject or column.anonymisation is not None or len(made_from) != 1:
            continue
        [(key, name)] = made_from
        source = column_in(mesh, key, name)
        if source is None or not source.subject or name != column.name:
            continue
        if source.type.family is column.type.family:
            yield Finding(
                product.contract_file,
                column.line,
                NAME,
                f"{product.key}: column {name!r} is made from {name} of {key} alone, which is the key of "
                f"a {source.subject} ({sources.how}): `mesh erase` would not find it here",
                f"add {{property: subject, vendor: mesh, value: {source.subject}}} to it, or say how it "
                "was anonymised",
            )


_KEY = "schema.orders.properties.order_id"
_SUBJECT = "customProperties.subject"
_A_PERSON = {"vendor": "mesh", "value": "person"}
_PEOPLE = {"shop/people": {f"schema.people.properties.order_id.{_SUBJECT}": _A_PERSON}}
_FROM: Changes = {f"{_KEY}.transformSourceObjects": ["shop/people.order_id"]}

EXAMPLES = (
    passes("nothing is said of its origin", others=_PEOPLE),
    passes("it is no subject's key", contract=_FROM, others={"shop/people": {}}),
    passes(
        "it is declared again",
        contract={**_FROM, f"{_KEY}.{_SUBJECT}": _A_PERSON},
        others=_PEOPLE,
    ),
    passes(
        "it is made from something else, too",
        contract={f"{_KEY}.transformSourceObjects": ["shop/people.order_id", "shop/people.note"]},
        others=_PEOPLE,
    ),
    fails(
        "a person's key is handed on as any number",
        "column 'order_id' is made from order_id of shop/people alone, which is the key of a person",
        contract=_FROM,
        others=_PEOPLE,
    ),
)
POLICY = LoadTimePolicy(
    NAME,
    "A column that is a copy of a subject's key is declared as one, so that an erasure finds it.",
    check,
    published=of_published,
    examples=EXAMPLES,
)
