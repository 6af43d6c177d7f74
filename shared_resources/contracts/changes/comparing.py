"""Two contracts of a product beside each other: every change, and what it does to readers.

Belongs here: all of it in one order.
Does not belong here: any clause (the modules beside this one), what was published under an earlier
contract (`contracts/promise.py`).
"""

from __future__ import annotations

from shared_resources.contracts.changes.change import Change, Effect, cosmetic
from shared_resources.contracts.changes.columns import column_changes
from shared_resources.contracts.changes.promises import promise_changes
from shared_resources.contracts.changes.rules import rule_changes
from shared_resources.contracts.model import Contract

_ORDER = (Effect.BREAKING, Effect.COMPATIBLE, Effect.COSMETIC)


def contract_changes(was: Contract, now: Contract) -> tuple[Change, ...]:
    """What changes from one contract to a later one of the same product: what breaks readers first.

    Of contracts that say the same in other words one cosmetic change; of the same file none.
    """
    found = [*column_changes(was, now), *promise_changes(was, now), *rule_changes(was, now)]
    if not found and was.digest != now.digest and was.version == now.version:
        found.append(cosmetic("", "it is written otherwise"))
    return tuple(sorted(found, key=lambda change: _ORDER.index(change.effect)))


def breaks(was: Contract, now: Contract) -> tuple[Change, ...]:
    """Those of the changes that break readers."""
    changes = contract_changes(was, now)
    return tuple(change for change in changes if change.effect is Effect.BREAKING)
