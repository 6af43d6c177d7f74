"""What contracts say of themselves that nobody has confirmed yet.

Belongs here: the findings of `mesh check` about `toConfirm`. They stop nothing: the contract is kept all
the same. Does not belong here: what is taken for true in a contract (`inference/`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.findings import Finding
from shared_resources.mesh import Domain

RULE = "to_confirm"
_REMEDY = "confirm or correct it, then remove it from `toConfirm`"


def unconfirmed(domain: Domain) -> Iterator[Finding]:
    """One finding for each thing that is to be confirmed, at the line of its column."""
    for product, contract in domain.contracts:
        for said in contract.to_confirm:
            line = product.line("customProperties")
            yield Finding(product.contract_file, line, RULE, f"{product.key}: {said}", _REMEDY)
        for column in contract.columns:
            for said in column.to_confirm:
                message = f"{product.key}: column {column.name}: {said}"
                yield Finding(product.contract_file, column.line, RULE, message, _REMEDY)
