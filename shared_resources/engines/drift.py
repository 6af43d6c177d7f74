"""Drift: what an engine grants otherwise than one domain's agreements say, in a line each.

Belongs here: which of a plan's differences are a domain's. Does not belong here: changing them
(`applying.py`), when they are looked for (`locations/access_drift.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from shared_resources.engines.applying import plan_for
from shared_resources.engines.engine import AccessEngine, Action, Item
from shared_resources.engines.shares import Shares


@dataclass(frozen=True)
class Drift:
    """`differs`: what `mesh access apply` would change, or prune. `withheld`: what is not granted."""

    differs: tuple[str, ...]
    withheld: tuple[str, ...]


def drift_of(engine: AccessEngine, shares: Shares, domain: str) -> Drift:
    """What is the domain's of the differences; what guards several products is each domain's.

    An engine that has nothing of the platform's does not differ: nobody has applied anything to it.
    """
    live = engine.live()
    if not live:
        return Drift(
            (), (f"nothing was ever applied to {engine.name}: `mesh access apply` begins",)
        )
    plan = plan_for(engine, shares, live=live)
    differs = [
        f"to {change.action}: {change.item.kind} {change.item.name}"
        for change in plan.changes
        if _is_of(change.item, domain)
        or (change.action is Action.REPLACE and not change.item.product)
    ]
    differs += [
        f"without an agreement: {item.kind} {item.name}"
        for item in plan.kept
        if _is_of(item, domain)
    ]
    unsaid = [
        f"{one.product} to {one.consumer} for {one.purpose}: {one.why}"
        for one in plan.withheld
        if one.product.partition("/")[0] == domain
    ]
    return Drift(tuple(differs), tuple(unsaid))


def _is_of(item: Item, domain: str) -> bool:
    return item.product.partition("/")[0] == domain
