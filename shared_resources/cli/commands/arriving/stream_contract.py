"""The contract of the product that a command of `mesh stream` names.

Belongs here: finding it, and refusing a product that is made of no topic.
Does not belong here: the commands.
"""

from __future__ import annotations

import click

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.running.selection import product_contract


def stream_contract(environment: Environment, product: str) -> Contract:
    """With `stream`. Raises `UnknownSelection`, `UsageError`."""
    contract = product_contract(environment, product)
    if contract.stream is None:
        raise click.UsageError(
            f"{product} is made of no topic: its contract has no `stream`. `mesh run {product}` makes "
            "it, and `mesh stream list` names those that are"
        )
    return contract
