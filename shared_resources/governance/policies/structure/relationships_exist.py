"""Policy: what a product refers to exists.

Belongs here: this one rule, for relationships in contracts, inputs and `@live` in code.
Does not belong here: whether the referred rows exist, which the audit checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from shared_resources.contracts.promise import aliases, renamed
from shared_resources.findings import Finding
from shared_resources.governance.example import Changes, fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh, ProductFolder, ProductReference

NAME = "relationships_exist"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A name that leads nowhere shows up as a consumer that never runs."""
    known = {product.key: product for product in mesh.products}
    for product in domain.products:
        for given in product.relationships:
            yield from _reference(f"{product.key}: a relationship", given, known)
        for given in product.followed:
            yield from _reference(f"{product.key}: @live", given, known)
        for given in product.inputs:
            yield from _reference(f"{product.key}: an input", given, known)
            if given.key == product.key:
                yield Finding(
                    given.file,
                    given.line,
                    NAME,
                    f"{product.key} is an input of itself",
                    "remove the input: a run would wait for itself",
                )


def _reference(
    who: str, given: ProductReference, known: Mapping[str, ProductFolder]
) -> Iterator[Finding]:
    """The findings for one reference that leads nowhere; none when its target is broken itself."""

    def finding(message: str, wrong: str, names: Iterable[str], otherwise: str) -> Finding:
        close = get_close_matches(wrong, list(names), n=1)
        remedy = f"did you mean {close[0]!r}?" if close else otherwise
        return Finding(given.file, given.line, NAME, message, remedy)

    if given.key not in known:
        yield finding(
            f"{who} names {given.key!r}, which no domain publishes",
            given.key,
            known,
            "name a product as 'domain/name', or add it to its domain first",
        )
        return
    target = known[given.key].contract
    columns = [column.name for column in target.columns] if target else []
    for column in given.columns or ():
        if target is not None and column not in columns and column not in aliases(target):
            new = next(iter(renamed(target, (column,))), None)
            called = f"calls {new!r} now" if new else "does not have"
            yield finding(
                f"{who} names the column {column!r}, which {given.key} {called}",
                new or column,
                columns,
                f"name one of: {', '.join(columns)}",
            )


def _related(column: str) -> Changes:
    to = f"shop/products/lines/contract.odcs.yaml#/schema/lines/properties/{column}"
    return {"schema.orders.properties.order_id.relationships": [{"to": to}]}


_LIVE = """\
from shared_resources import data_product, live


@data_product
def orders():
    return []


@live(of="shop/lines")
class Following:
    def update(self, rows):
        return rows
"""
EXAMPLES = (
    passes(
        "product and column are there", contract=_related("order_id"), others={"shop/lines": {}}
    ),
    fails(
        "no domain publishes the product",
        "names 'shop/lines', which no domain publishes",
        contract=_related("order_id"),
    ),
    fails(
        "no domain publishes what served rows are to follow",
        "@live names 'shop/lines', which no domain publishes",
        files={"product.py": _LIVE},
    ),
    fails(
        "the product has no such column",
        "the column 'orderid', which shop/lines does not have",
        contract=_related("orderid"),
        others={"shop/lines": {}},
    ),
)

POLICY = LoadTimePolicy(
    NAME,
    "Relationships, inputs and `@live` name products and columns that exist.",
    check,
    # The audit could not check the relationship, and the input would never arrive.
    waivable=False,
    examples=EXAMPLES,
)
