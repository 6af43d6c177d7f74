"""Where each rule of a contract is decided when its rows come as messages, and why there.

Belongs here: the place of a rule, and the sentence that says why it is no earlier one.
Does not belong here: deciding it (`rules.py`, the audit of a window).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract, Operator, Rule, Severity, Threshold, Unit
from shared_resources.contracts.rules.kind import (
    BatchKind,
    KeyKind,
    OwnKind,
    ReferenceKind,
    RowKind,
)
from shared_resources.contracts.rules.registry import kind_of

if TYPE_CHECKING:
    import polars as pl


class Place(StrEnum):
    """The earliest place at which a rule is decided. What is decided at a later one only, is not
    decided at the gate, which passes message by message."""

    DECODING = "decoding"  # what cannot be decoded as the contract's columns is rejected
    MESSAGE = "message"  # a message that breaks it is rejected
    WINDOW = "window"  # by the audit of what is committed at once
    PRODUCT = "product"  # over what is published
    NOWHERE = "nowhere"


@dataclass(frozen=True)
class Placed:
    """A rule and where it is decided. `reason` says why there and no earlier; ``""`` where nothing is
    earlier. `broken` is the condition of a rule that a message decides, or that is counted message by
    message until its window's threshold decides. `whole`: a window of the lake with a message that breaks
    it is refused whole, as a batch is; what takes single messages (gate, live rows) leaves that one."""

    rule: Rule
    place: Place
    reason: str = ""
    broken: pl.Expr | None = None
    whole: bool = False

    @property
    def by_message(self) -> bool:
        """Whether each message is held to it, whatever comes beside it."""
        return self.place in (Place.DECODING, Place.MESSAGE)


def place_rules(contract: Contract, rules: Sequence[Rule] | None = None) -> tuple[Placed, ...]:
    """Each of the rules (the contract's own by default), in their order: none is left out."""
    return tuple(_placed(rule, contract) for rule in (contract.rules if rules is None else rules))


def _placed(rule: Rule, contract: Contract) -> Placed:
    kind = kind_of(rule)
    if isinstance(kind, RowKind):
        return _of_a_row(kind, rule, contract)
    if isinstance(kind, KeyKind):
        return Placed(
            rule, Place.PRODUCT, "a key repeats or not only among all rows that are published"
        )
    if isinstance(kind, ReferenceKind):
        looked_into = kind.product(rule)
        return Placed(rule, Place.PRODUCT, f"it looks into the published version of {looked_into}")
    if isinstance(kind, OwnKind):
        return _of_the_domain(kind, rule, contract)
    assert isinstance(kind, BatchKind)
    if kind.name in ("columns", "parse"):
        return Placed(rule, Place.DECODING)
    if kind.name == "volume":
        return Placed(rule, Place.NOWHERE, "how many messages a window holds, its length decides")
    return Placed(rule, Place.WINDOW, "it is about a batch as a whole")


def _of_a_row(kind: RowKind, rule: Rule, contract: Contract) -> Placed:
    try:
        broken = kind.broken(rule, contract)
    except ValueError as problem:
        return Placed(rule, Place.WINDOW, f"polars would not decide it as DuckDB does: {problem}")
    if broken is None:
        return Placed(rule, Place.WINDOW, "it depends on the other rows, too")
    if rule.severity is not Severity.BLOCKING:
        return Placed(rule, Place.WINDOW, "it warns, and keeps no row from readers", broken)
    if not _allows_none(rule.threshold):
        reason = f"the contract allows some rows to break it ({rule.threshold})"
        return Placed(rule, Place.WINDOW, reason, broken)
    return Placed(rule, Place.MESSAGE, broken=broken)


def _of_the_domain(kind: OwnKind, rule: Rule, contract: Contract) -> Placed:
    what = "function" if kind.python else "query"
    asked = f"a {what} of the domain's own is asked of whole batches"
    if rule.severity is not Severity.BLOCKING:
        return Placed(rule, Place.WINDOW, f"{asked}: it warns, and keeps no row from readers")
    if rule.threshold.unit is not Unit.ROWS or not _allows_none(rule.threshold):
        return Placed(rule, Place.WINDOW, f"{asked}: its number may be another than 0")
    try:
        return Placed(rule, Place.MESSAGE, broken=kind.broken(rule, contract), whole=True)
    except ValueError as problem:
        return Placed(rule, Place.WINDOW, f"{asked}: {problem}")


def _allows_none(threshold: Threshold) -> bool:
    """Whether one failing row refuses a batch, however many rows it has, and none does not."""
    if not threshold.holds(0, 1):
        return False
    most = threshold.bounds[-1]
    match threshold.operator:
        case Operator.MUST_BE | Operator.LESS_OR_EQUAL | Operator.BETWEEN:
            return most == 0 or (threshold.unit is Unit.ROWS and most < 1)
        case Operator.LESS_THAN:
            return threshold.unit is Unit.ROWS and most <= 1
    return False
