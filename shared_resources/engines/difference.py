"""The difference between what is agreed and what an engine has, in an order that opens nothing.

Belongs here: which items are made, replaced and removed, which stay, and the order of the steps.
Does not belong here: an engine's statements, reading its state.

At no moment between two steps does a reader see more than he saw before the first, or will after the
last:

- what opens and is to go, goes first;
- what is made is made from the ground up, so that what opens comes when all that guards it is there;
- one replaced item moves a reader from the old state to the new at once. Where several below one opening
  are replaced, it is closed first and opened again last: any order of them could show what neither shows;
- what nothing needs any more is removed last, from the top down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared_resources.engines.engine import Action, Change, Desired, Item, Key, Kind
from shared_resources.engines.shares import Withheld


@dataclass(frozen=True)
class Plan:
    """`changes` in order. `kept` is there without an agreement, and stays until it is pruned."""

    engine: str
    changes: tuple[Change, ...]
    kept: tuple[Item, ...] = ()
    withheld: tuple[Withheld, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the engine has anything else than is agreed: changes, or what only pruning removes."""
        return bool(self.changes or self.kept)


def _nowhere(product: str) -> bool:
    return False


def difference(
    engine: str,
    kinds: Sequence[Kind],
    desired: Desired,
    live: Iterable[Item],
    *,
    prune: bool = False,
    elsewhere: Callable[[str], bool] = _nowhere,
) -> Plan:
    """What to change. `elsewhere` says of a product whether others decide about it: its items stay.

    Without `prune` what is there without any agreement stays, too; not so what an agreement that is
    there cannot say on this engine, nor what only served something else and opens nothing.
    """
    rank = {kind.name: place for place, kind in enumerate(kinds)}
    opens = {kind.name for kind in kinds if kind.opens}
    lasting = {kind.name for kind in kinds if kind.lasting}
    wanted = {item.key: item for item in desired.items}
    there = {item.key: item for item in live}
    unsaid = {(one.product, one.consumer, one.purpose) for one in desired.withheld}

    def upwards(item: Item) -> tuple[int, str]:
        return rank[item.kind], item.name

    stray = [item for key, item in there.items() if key not in wanted]
    foreign = [item for item in stray if item.product and elsewhere(item.product)]
    own = [item for item in stray if item not in foreign]
    shut = [
        item
        for item in own
        if item.kind in opens and (prune or (item.product, item.consumer, item.purpose) in unsaid)
    ]
    kept = [item for item in own if item.kind in opens and item not in shut]
    needed = _below([*wanted.values(), *foreign, *kept], {**there, **wanted})
    unneeded = [item for item in own if item.kind not in opens and item.key not in needed]
    cleared = [item for item in unneeded if prune or item.kind not in lasting]
    replaced = {key for key, item in wanted.items() if key in there and there[key] != item}
    closed = [
        item
        for item in (*wanted.values(), *kept)
        if item.kind in opens
        and item.key in there
        and len(replaced & (_below([item], wanted) | _below([there[item.key]], there))) > 1
    ]
    made = [*(item for key, item in wanted.items() if key not in there), *closed]
    moved = [wanted[key] for key in replaced - {item.key for item in closed}]

    steps = [Change(Action.REMOVE, item) for item in sorted(shut, key=upwards)]
    steps += [Change(Action.REMOVE, there[item.key]) for item in sorted(closed, key=upwards)]
    steps += [
        Change(Action.REPLACE, item, there[item.key])
        if item in moved
        else Change(Action.MAKE, item)
        for item in sorted([*made, *moved], key=upwards)
    ]
    steps += [Change(Action.REMOVE, item) for item in sorted(cleared, key=upwards, reverse=True)]
    staying = [*kept, *(item for item in unneeded if item not in cleared)]
    return Plan(engine, tuple(steps), tuple(sorted(staying, key=upwards)), desired.withheld)


def _below(items: Iterable[Item], among: Mapping[Key, Item]) -> set[Key]:
    """The items, and everything that they need, directly or not."""
    found: set[Key] = set()
    waiting = list(items)
    while waiting:
        item = waiting.pop()
        if item.key not in found:
            found.add(item.key)
            waiting += [among[key] for key in item.needs if key in among]
    return found
