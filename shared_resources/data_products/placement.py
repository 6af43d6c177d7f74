"""In which store a product lies, against those that its contract names.

Belongs here: whether a contract's `servers` leave a store that readers would go on reading.
Does not belong here: publishing (`publishing.py`), what else a changed contract breaks
(`data_products/compared/breaks.py`).

Readers take a product from the first store that has it, the lake before the warehouse. Whoever
publishes elsewhere publishes where nobody looks; whoever begins in a store that is looked at
earlier hides from readers what they had.
"""

from __future__ import annotations

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.stores.opening import holding


def misplaced(environment: Environment, contract: Contract) -> str | None:
    """Why nothing may be published under the contract's `servers`; None when it may be."""
    leading = environment.stores_of(contract)[0]
    held, _ = holding(environment, contract.key)
    if held is None or held is leading or held in environment.stores_of(contract):
        return None
    named = f"{contract.key} is published in the {held.name}, and {contract.path} names only the"
    return (
        f"{named} {leading.name}: readers would go on reading what is in the {held.name} now, or miss "
        "what only it has. Name both under `servers`: the other one is then given what is there"
    )
