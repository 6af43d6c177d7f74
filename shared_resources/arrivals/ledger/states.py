"""Where an object of the ledger is on its way, and which products have any that are stuck.

Belongs here: the states, and the question that `mesh status` asks of all products at once.
Does not belong here: the rows (`tables.py`), the other questions (`questions.py`): SQLAlchemy is not
imported here.
"""

from __future__ import annotations

from enum import StrEnum

from shared_resources.environment import Environment
from shared_resources.state.looking import look


class State(StrEnum):
    """Where an object is on its way."""

    FOUND = "found"  # a run is to be asked for
    ASKED = "asked"  # a run was asked for
    TAKEN = "taken"  # a run reads it
    PUBLISHED = "published"
    REFUSED = "refused"  # it is in quarantine
    SUPERSEDED = "superseded"  # a newer full extract counts
    REPLACED = "replaced"  # overwritten before a run read it
    GONE = "gone"  # removed before a run read it
    STUCK = "stuck"  # its runs ended without a result, often; the next one waits for hours
    FORGOTTEN = "forgotten"  # someone reset it: if it is found again, it is ingested again


UNFINISHED = (State.FOUND, State.ASKED, State.TAKEN)
WAITING = (State.FOUND, State.STUCK)
UNPROCESSED = (*UNFINISHED, State.STUCK)
UNDER_WAY = (State.ASKED, State.TAKEN)
PROCESSED = (State.PUBLISHED, State.REFUSED)
# If such an object lies in the landing zone after all, it is news.
REVIVED = (State.REPLACED, State.GONE, State.FORGOTTEN)


def products_with_stuck(environment: Environment) -> frozenset[str]:
    """The products of which any object is stuck: the ledger's `stuck` has none of the others."""
    query = f"SELECT DISTINCT product FROM mesh_landing_objects WHERE state = '{State.STUCK}'"  # noqa: S608
    return frozenset(product for (product,) in look(environment, "mesh_landing_objects", query))
