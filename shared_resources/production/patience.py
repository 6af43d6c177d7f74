"""How long AWS is waited for, and how often it is asked again.

Belongs here: the patience of a run and of a sensor's tick, and botocore's configuration with it.
Does not belong here: which client has which patience (`settings.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared_resources.production.wire_logs import keep_wire_logs_off

if TYPE_CHECKING:
    from botocore.config import Config

# Uploads and downloads in parts use ten threads a file; a thread without a connection waits.
CONNECTIONS = 32


@dataclass(frozen=True)
class Patience:
    """How often a request is made, the first included, and how many seconds each may take.

    botocore's standard mode waits up to 20 s between two, with jitter.
    """

    attempts: int
    connect: int
    read: int


RUN = Patience(attempts=8, connect=10, read=60)
# A sensor's tick has a minute, and comes again soon: no request may take most of it.
TICK = Patience(attempts=2, connect=3, read=8)


def client_config(patience: Patience = RUN) -> Config:
    """How long to wait for AWS, and how often to try again."""
    from botocore.config import Config

    keep_wire_logs_off()
    return Config(
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        connect_timeout=patience.connect,
        read_timeout=patience.read,
        max_pool_connections=CONNECTIONS,
    )
