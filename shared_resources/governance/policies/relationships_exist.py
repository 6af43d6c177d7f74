"""Policy: what a product refers to exists.

Belongs here: this one rule, for relationships in contracts and inputs in code.
Does not belong here: whether the referred rows exist, which the audit checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from shared_resources.findings import Finding
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh

NAME = "relationships_exist"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A name that leads nowhere shows up as a consumer that never runs."""
    for product in domain.products:
        for rule in product.contract.rules if product.contract else ():
            if "product" in rule.arguments:
                yield from _reference(
                    mesh,
                    f"{product.key}: the relationship {rule.name!r}",
                    str(rule.arguments["product"]),
                    [str(column) for column in rule.arguments.get("columns", ())],
                    product.contract_file,
                    rule.line,
                )
        for given in product.inputs:
            yield from _reference(
                mesh,
                f"{product.key}: its input",
                given.key,
                given.columns or (),
                given.file,
                given.line,
            )
            if given.key == product.key:
                yield Finding(
                    given.file,
                    given.line,
                    NAME,
                    f"{product.key} reads itself",
                    "remove the input; what a product was is read with `read(...)`, not awaited",
                )


def _reference(
    mesh: Mesh, who: str, key: str, columns: Sequence[str], file: Path, line: int
) -> Iterator[Finding]:
    """The finding for one reference, if it leads nowhere; none when its target is broken itself."""
    known = {product.key: product for product in mesh.products}
    if key not in known:
        close = get_close_matches(key, known, n=1)
        yield Finding(
            file,
            line,
            NAME,
            f"{who} names {key!r}, which no domain publishes",
            f"did you mean {close[0]!r}?"
            if close
            else "name a product as 'domain/name', or add it to its domain first",
        )
        return
    target = known[key].contract
    if target is None:
        return
    names = [column.name for column in target.columns]
    for column in columns:
        if column not in names:
            close = get_close_matches(column, names, n=1)
            yield Finding(
                file,
                line,
                NAME,
                f"{who} names the column {column!r}, which {key} does not have",
                f"did you mean {close[0]!r}?" if close else f"name one of: {', '.join(names)}",
            )


POLICY = LoadTimePolicy(
    NAME,
    "Relationships and inputs name products and columns that exist.",
    check,
    # The audit could not check the relationship, and the input would never arrive.
    waivable=False,
)
