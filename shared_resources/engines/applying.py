"""Planning and applying: an engine asked for its state, and changed step by step.

Belongs here: asking one engine what differs, and making the changes one after the other.
Does not belong here: the order (`difference.py`), how a change is said (the engine's folder).

Nothing is remembered between two steps: who is killed in the middle leaves an engine that shows nobody
more than before or after, and the next plan begins from what is there.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.engines.difference import Plan, difference
from shared_resources.engines.engine import AccessEngine, Change, Desired, Item
from shared_resources.engines.shares import Shares


def plan_for(
    engine: AccessEngine,
    shares: Shares,
    *,
    prune: bool = False,
    live: frozenset[Item] | None = None,
) -> Plan:
    """What differs on the engine now from what is agreed; `live` is what it has, where that is known."""
    desired = engine.desired(shares.given)
    return difference(
        engine.name,
        engine.kinds,
        Desired(desired.items, (*shares.withheld, *desired.withheld)),
        engine.live() if live is None else live,
        prune=prune,
        elsewhere=shares.elsewhere,
    )


def apply_to(engine: AccessEngine, plan: Plan) -> Iterator[Change]:
    """Make the changes of the plan in its order; yields each when it is made."""
    for change in plan.changes:
        engine.execute(change)
        yield change
