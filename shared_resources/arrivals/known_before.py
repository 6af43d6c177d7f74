"""Making the ledger know what was ingested without it: by an earlier release, on another machine.

Belongs here: copying what stores and quarantine prove, once. Does not belong here: the proof
(`ingested.py`), or the ledger's rows.
"""

from __future__ import annotations

from shared_resources.arrivals.ingested import published, refused
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.sensor_notes import write_notes
from shared_resources.arrivals.ledger.states import State
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment


def adopt(environment: Environment, contract: Contract, ledger: Ledger) -> None:
    """Copy it; what the ledger knows already stays as it is."""
    ledger.adopt(
        {
            State.PUBLISHED: published(environment.stores_of(contract), contract.key),
            State.REFUSED: refused(environment.quarantine, contract.key),
        }
    )
    write_notes(environment.state, contract.key, adopted=True)
