"""Two contracts of a product beside each other: every change, and what it does to readers.

Belongs here: all of it in one order.
Does not belong here: any clause (the modules beside this one), what was published under an earlier
contract (`contracts/promise.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shared_resources.contracts.changes.change import Change, Effect, cosmetic
from shared_resources.contracts.changes.columns import column_changes
from shared_resources.contracts.changes.promises import promise_changes
from shared_resources.contracts.changes.renames import in_names_of, rename_changes
from shared_resources.contracts.changes.roles import role_changes
from shared_resources.contracts.changes.rules import rule_changes
from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import renamed

_ORDER = (Effect.BREAKING, Effect.COMPATIBLE, Effect.COSMETIC)


def contract_changes(was: Contract, now: Contract) -> tuple[Change, ...]:
    """What changes from one contract to a later one of the same product: what breaks readers first.

    Of contracts that say the same in other words one cosmetic change; of the same file none.
    """
    kinds = (column_changes, promise_changes, role_changes, rule_changes)
    found = [*rename_changes(was, now)]
    earlier, moved = in_names_of(was, now), renamed(now, {column.name for column in was.columns})
    for changes in kinds:
        found += (_by_either_name(change, moved) for change in changes(earlier, now))
    if not found and was.digest != now.digest and was.version == now.version:
        found.append(cosmetic("", "it is written otherwise"))
    placed = (
        replace(_placed(change, now), seen_by=_seen_by(change, was, moved)) for change in found
    )
    return tuple(sorted(placed, key=lambda change: _ORDER.index(change.effect)))


def _seen_by(
    change: Change, was: Contract, moved: Mapping[str, str]
) -> Mapping[str, tuple[str, ...]]:
    """Who was shown what changes: the later contract's roles may not name it any more."""
    found = {}
    for role in was.roles:
        if change.role not in ("", role.name):
            continue
        columns = change.columns
        if role.columns is not None:
            # What its filter looks at decides which rows it shows.
            shown = {*role.columns, *(role.rows.types if role.rows else ())}
            columns = tuple(one for one in columns if {one, moved.get(one, one)} & shown)
        if columns or not change.columns:
            found[role.name] = columns
    return found


def _by_either_name(change: Change, moved: Mapping[str, str]) -> Change:
    """A column that is called otherwise by both of its names: consumers use the one or the other."""
    former = [moved[name] for name in change.columns if name in moved]
    return replace(change, columns=(*change.columns, *former)) if former else change


def _placed(change: Change, now: Contract) -> Change:
    """What is about the whole product with the line of its clause, or of the section for such."""
    if change.line or not change.clause or change.clause.startswith("schema."):
        return change
    exact = [clause.line for clause in now.clauses if clause.path == change.clause]
    section = change.clause.partition(".")[0]
    near = (
        clause.line
        for clause in now.clauses
        if clause.path.partition(".")[0].partition("[")[0] == section
    )
    return replace(change, line=exact[0] if exact else next(near, 0))


def breaks(was: Contract, now: Contract) -> tuple[Change, ...]:
    """Those of the changes that break readers."""
    changes = contract_changes(was, now)
    return tuple(change for change in changes if change.effect is Effect.BREAKING)
