"""One change of a contract, and what it does to those who read the product.

Belongs here: the three effects, and the change itself.
Does not belong here: finding changes (the modules beside this one).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared_resources.contracts.promise import Break


class Effect(StrEnum):
    """`BREAKING`: something that readers rely on is less, or nobody can say. `COMPATIBLE`: they rely on
    no less. `COSMETIC`: only what is said about it differs."""

    BREAKING = "breaking"
    COMPATIBLE = "compatible"
    COSMETIC = "cosmetic"


@dataclass(frozen=True)
class Change(Break):
    """`clause` is where it stands, as in `mesh check --clauses`; `line` the line there in the newer
    contract, 0 of what it no longer has. `columns` are empty where it is about the whole product.

    `role` is the one whose holders alone it is about. `seen_by` are the roles of the earlier contract
    that show what changes, each with which of the columns; None where nobody knows that contract.
    """

    effect: Effect
    clause: str
    line: int = 0
    role: str = ""
    seen_by: Mapping[str, tuple[str, ...]] | None = None


def breaking(clause: str, message: str, *columns: str, line: int = 0) -> Change:
    return Change(columns, message, Effect.BREAKING, clause, line)


def compatible(clause: str, message: str, *columns: str, line: int = 0) -> Change:
    return Change(columns, message, Effect.COMPATIBLE, clause, line)


def cosmetic(clause: str, message: str, *columns: str, line: int = 0) -> Change:
    return Change(columns, message, Effect.COSMETIC, clause, line)


def either(breaks: bool, clause: str, message: str, *columns: str, line: int = 0) -> Change:
    """A breaking change, or a compatible one."""
    return (breaking if breaks else compatible)(clause, message, *columns, line=line)
