"""A contract's row rules in Flink's SQL: what each row of a relation breaks.

Belongs here: which rules the job asks, one expression for all that a row breaks.
Does not belong here: a rule's condition (`contracts/rules/`, translated by `engines.py`), the job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.engines import (
    Engine,
    NotExpressed,
    condition_for,
)
from shared_resources.sql import quote_literal
from shared_resources.streams.row_rules.places import Place, place_rules

_ASKED_OF_WINDOWS = (
    "it is a query of the domain's own: the audit asks it of each window, which is refused whole"
)


@dataclass(frozen=True)
class JobRules:
    """`asked` are the rules that the job asks, with their conditions. The audit of each window asks all
    rules again, and alone those of `left`: (name, why)."""

    asked: tuple[tuple[Rule, str], ...]
    left: tuple[tuple[str, str], ...]


def job_rules(contract: Contract, rules: Sequence[Rule] | None = None) -> JobRules:
    asked: list[tuple[Rule, str]] = []
    left: list[tuple[str, str]] = []
    for placed in place_rules(contract, rules):
        if placed.place is Place.DECODING:
            continue
        if placed.place is not Place.MESSAGE:
            left.append((placed.rule.name, placed.reason))
            continue
        if placed.whole:
            left.append((placed.rule.name, _ASKED_OF_WINDOWS))
            continue
        try:
            asked.append((placed.rule, condition_for(placed.rule, contract, Engine.FLINK)))
        except NotExpressed as problem:
            left.append((placed.rule.name, str(problem)))
    return JobRules(tuple(asked), tuple(left))


def quoted(name: str) -> str:
    """A name as Flink quotes it."""
    return f"`{name.replace('`', '``')}`"


def reasons(rules: JobRules) -> str:
    """The names of the rules that a row breaks, in the contract's order, a line each; NULL for none."""
    if not rules.asked:
        return "CAST(NULL AS STRING)"
    said = ", ".join(
        f"CASE WHEN {condition} THEN {quote_literal(rule.name)} END"
        for rule, condition in rules.asked
    )
    return f"NULLIF(CONCAT_WS(U&'\\000A', {said}), '')"
