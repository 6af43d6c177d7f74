"""The health of a product whose processes are to run for good: which of them waits for a person.

Belongs here: the reason that such an ending gives. Does not belong here: noting it
(`streams/kept_up/endings.py`), messages that wait (`messages_waiting.py`).
"""

from __future__ import annotations

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.mesh.read import read_product
from shared_resources.observing.health import Kind, Reason
from shared_resources.streams.kept_up.last_endings import last_endings


def of_processes(environment: Environment, contract: Contract) -> list[Reason]:
    """Of processes that the product has today. What passes by itself is no trouble: it is tried again."""
    if contract.stream is None and contract.serving is None:
        return []
    endings = [one for one in last_endings(environment, contract.key) if one.somebody_acts]
    product = read_product(environment, contract.key, anew=False) if endings else None
    return [
        Reason(
            Kind.CRASHED,
            f"`mesh stream {ending.process}` ended at {ending.at:%Y-%m-%d %H:%M} UTC: {ending.why}",
            "mend that; `mesh stream --all` tries again by itself, whatever else keeps it up is started",
        )
        for ending in endings
        if product is not None and ending.is_of(product)
    ]
