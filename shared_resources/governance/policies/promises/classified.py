"""Policy: every column says how sensitive it is.

Belongs here: this one rule. Does not belong here: what a classification does (masking, grants).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.contracts.model import Classification
from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy
from shared_resources.mesh import Domain, Mesh

NAME = "classified"


def check(domain: Domain, mesh: Mesh) -> Iterator[Finding]:
    """Without a classification nobody decided who may see the column."""
    for product, contract in domain.contracts:
        for column in contract.columns:
            if column.classification is None:
                yield Finding(
                    product.contract_file,
                    column.line,
                    NAME,
                    f"{product.key}: column {column.name!r} has no classification",
                    "add `classification:` to the column, one of "
                    + ", ".join(level.value for level in Classification),
                )


EXAMPLES = (
    passes("every column is classified"),
    fails(
        "a column of which nobody said who may see it",
        "column 'note' has no classification",
        contract={"schema.orders.properties.note.classification": None},
    ),
)

POLICY = LoadTimePolicy(NAME, "Every column has a classification.", check, examples=EXAMPLES)
