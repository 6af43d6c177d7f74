"""How far a serving port is behind what is published.

Belongs here: asking both, and how long a stream may be behind. Does not belong here: bringing it level
(`following.py`), which needs an engine: whoever only looks at a mesh waits for none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.stores.opening import holding

# A stream's versions come faster than they are served (`pacing.py`): it is late after this.
PATIENCE = timedelta(minutes=2)


def lags(environment: Environment, contract: Contract, now: datetime | None = None) -> str:
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
    if held is not None and held.generation.batch_id == current.batch_id:
        return ""
    served = held.generation.version if held is not None else 0
    if contract.stream is not None:
        waiting = [one.published_at for one in versions if one.number > served]
        if waiting and (now or datetime.now(UTC)) - min(waiting) < PATIENCE:
            return ""
    if held is None:
        return f"version {current.number} is published, and none is served by its key"
    return f"version {current.number} is published, and version {served} is served by its key"
