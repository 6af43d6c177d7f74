"""How far a serving port is behind what is published.

Belongs here: asking both. Does not belong here: bringing it level (`following.py`), which needs an
engine: whoever only looks at a mesh waits for none.
"""

from __future__ import annotations

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.stores.opening import holding


def lags(environment: Environment, contract: Contract) -> str:
    """How far the port is behind what is published, in words; empty when it is level."""
    port = environment.serving_port
    if contract.serving is None:
        return ""
    if port is None:
        unset = "it is to be served by its key, and MESH_SERVING does not say where"
        return unset if environment.is_production else ""
    _, versions = holding(environment, contract.key)
    if not versions:
        return ""
    current, held = versions[-1], port.current(contract.key)
    if held is None:
        return f"version {current.number} is published, and none is served by its key"
    if held.generation.batch_id != current.batch_id:
        return (
            f"version {current.number} is published, and version {held.generation.version} is served by "
            "its key"
        )
    return ""
