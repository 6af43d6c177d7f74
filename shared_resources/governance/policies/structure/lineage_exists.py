"""Policy: what a column is said to be made from is read by its product, and has that column.

Belongs here: this one rule, for `transformSourceObjects`.
Does not belong here: whether it really is made from it (`mesh lineage --observe`).
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from shared_resources.findings import Finding
from shared_resources.governance.example import Changes, fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh, ProductFolder

NAME = "lineage_exists"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """A lineage that leads nowhere hides what a column is made from."""
    known = {product.key: product.contract for product in mesh.products}
    # Of code that is no Python nobody knows what it reads.
    unread = {finding.file.parent for finding in domain.findings if finding.rule == "python"}
    for product, contract in domain.contracts:
        if product.contract_file.parent in unread:
            continue
        inputs = {given.key: given for given in product.inputs}
        for column in contract.columns:
            for key, name in column.made_from or ():
                said = (
                    f"{product.key}: column {column.name!r} is said to be made from {name} of {key}"
                )
                if key not in inputs:
                    there = ", ".join(inputs) or "none"
                    message, remedy = f"{said}, which is no input", f"its inputs are: {there}"
                    yield Finding(product.contract_file, column.line, NAME, message, remedy)
                    continue
                source = known.get(key)
                there_are = [one.name for one in source.columns] if source else []
                if source is not None and name not in there_are:
                    close = get_close_matches(name, there_are, n=1)
                    remedy = f"did you mean {close[0]!r}?" if close else "take it out"
                    message = f"{said}, which has no such column"
                    yield Finding(product.contract_file, column.line, NAME, message, remedy)
                elif not _read(product, key, name):
                    message = f"{said}, a column that the product does not read"
                    remedy = "add it to the columns of the input, or take it out"
                    yield Finding(product.contract_file, column.line, NAME, message, remedy)


def _read(product: ProductFolder, key: str, column: str) -> bool:
    """Whether one of the product's inputs of that key is read with the column."""
    read = [given.columns for given in product.inputs if given.key == key]
    return any(columns is None or column in columns for columns in read)


_CODE = """
from shared_resources import data_product, product_input


@data_product(lines=product_input("shop/lines", columns=("order_id",)))
def orders(lines):
    return lines
"""


def _from(*sources: str) -> Changes:
    return {"schema.orders.properties.order_id.transformSourceObjects": [*sources]}


_LINES: Changes = {"others": {"shop/lines": {}}, "files": {"product.py": _CODE}}
EXAMPLES = (
    passes("nothing is said"),
    passes("a column of an input", contract=_from("shop/lines.order_id"), **_LINES),
    passes("a table of another system", contract=_from("till.lines")),
    fails(
        "a product that is no input",
        "which is no input",
        contract=_from("shop/lines.order_id"),
        others={"shop/lines": {}},
    ),
    fails(
        "a column that is not there",
        "did you mean 'order_id'?",
        contract=_from("shop/lines.orderid"),
        **_LINES,
    ),
    fails(
        "a column that is not read",
        "a column that the product does not read",
        contract=_from("shop/lines.note"),
        **_LINES,
    ),
)
POLICY = LoadTimePolicy(
    NAME,
    "Declared lineage names columns that exist, of products that the product reads.",
    check,
    examples=EXAMPLES,
)
