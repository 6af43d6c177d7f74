"""Making the ledger know what was ingested without it: by an earlier release, on another machine.

Belongs here: copying what stores and quarantine prove, once. Does not belong here: the proof
(`evidence.py`), or the ledger's rows.
"""

from __future__ import annotations

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.landing.evidence import published, refused
from shared_resources.landing.ledger import Ledger
from shared_resources.landing.ledger_tables import State
from shared_resources.landing.sensor_notes import write_notes


def adopt(environment: Environment, contract: Contract, ledger: Ledger) -> None:
    """Copy it; what the ledger knows already stays as it is."""
    ledger.adopt(
        {
            State.PUBLISHED: published(environment.stores_of(contract), contract.key),
            State.REFUSED: refused(environment.quarantine, contract.key),
        }
    )
    write_notes(environment.state, contract.key, adopted=True)
