"""What of a contract the gate holds, and what it does not, with the reason: each rule and each clause.

Belongs here: the list for people. Does not belong here: where a rule is decided (`row_rules/places.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared_resources.contracts.model import Contract
from shared_resources.streams.row_rules.messages import LATE, MessageRules


@dataclass(frozen=True)
class Held:
    """`name` is a rule's or a clause's; `why` says why it is held nowhere at the gate, if it is not."""

    name: str
    held: bool
    why: str = ""


def clauses(rules: MessageRules) -> tuple[Held, ...]:
    """Every rule of the product in its order, and every clause of its stream: none is left out."""
    of_rules = (Held(one.rule.name, one.by_message, one.reason) for one in rules.placed)
    return (*of_rules, *_of_the_stream(rules.contract))


def _of_the_stream(contract: Contract) -> Iterator[Held]:
    stream = contract.stream
    assert stream is not None and stream.gate is not None
    if stream.late is not None:
        yield Held(LATE, True)
    yield Held(f"delivery {stream.gate.delivery.value}", True)
    if not stream.appends:
        yield Held(
            "mode upsert",
            False,
            "each message passes, tombstones too; which is the last of its key its readers decide",
        )
    yield Held(
        "lossBudgetPercent",
        False,
        "it is about all of a window: what keeps the contract passes, whatever came beside it",
    )
