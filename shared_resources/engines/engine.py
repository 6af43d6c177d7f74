"""The port of an engine: what it is to have, what it has, and changing one thing of it.

Belongs here: the protocol that each engine's folder implements, and the types that cross it.
Does not belong here: what differs and in which order it is changed (`difference.py`), any engine's words.

An engine describes what it keeps for agreements as a set of `Item`s: roles, policies, views, grants.
`desired` compiles shares into the items that should be there, `live` reads those that are; both write
`state` in the same canonical words, so that two items are alike exactly when they are equal. Only what
the platform made is an item: each engine knows its own by a mark that it leaves (a schema, a comment, a
prefix, a tag), and what somebody else gave on such an object is one, too.

The rules by which the order of changes is safe, and which `desired` keeps:

1. A reader sees rows through an item of a kind that *opens* (a grant), and through nothing else. An
   opening names in `needs` what it shows and what guards that, directly or by way of other items.
2. Each change of one item is one atomic step for readers. Where the engine has no such statement,
   `execute` closes before it opens.
3. Making an item that no opening needs shows nobody anything.

What an engine cannot say (a mask without an equivalent, a type) makes no item: it is `Withheld`, by
product, consumer, role and column, and the whole agreement with it: nothing is shown unmasked because a
mask could not be had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from shared_resources.engines.shares import Share, Withheld

Key = tuple[str, str]


@dataclass(frozen=True)
class Kind:
    """A kind of item. `opens`: readers see through it. `lasting`: it stays when nothing needs it any
    more, as a role does to which people were given; others are cleared away."""

    name: str
    opens: bool = False
    lasting: bool = False


@dataclass(frozen=True)
class Item:
    """One thing that an engine has. `name` is unique within its kind. `state` is all that it says.

    `product`, `consumer` and `purpose` say for whom it is, empty where it is shared by several.
    `needs` are the keys of what has to be there before it, and is dropped after it; they are no part of
    what makes two items equal.
    """

    kind: str
    name: str
    state: str = ""
    product: str = field(default="", compare=False)
    consumer: str = field(default="", compare=False)
    purpose: str = field(default="", compare=False)
    needs: frozenset[Key] = field(default=frozenset(), compare=False)

    @property
    def key(self) -> Key:
        return self.kind, self.name


class Action(StrEnum):
    MAKE = "make"
    REPLACE = "replace"
    REMOVE = "remove"


@dataclass(frozen=True)
class Change:
    """One step. `item` is what is made or removed, or what it becomes; `before` what it was."""

    action: Action
    item: Item
    before: Item | None = None


@dataclass(frozen=True)
class Desired:
    items: frozenset[Item]
    withheld: tuple[Withheld, ...] = ()


class AccessEngine(Protocol):
    """What is asked of an engine. Nothing is read or opened before `live` or `execute`."""

    @property
    def name(self) -> str:
        """What it is called in commands: ``snowflake``, ``lakeformation``, ``duckdb``."""

    @property
    def in_use(self) -> bool:
        """Whether agreements are carried to it at all: one that nobody ever applied to does not drift."""

    @property
    def kinds(self) -> Sequence[Kind]:
        """Its kinds in the order in which they are made; the ones that open come last."""

    def desired(self, shares: Sequence[Share]) -> Desired:
        """The items of these shares; of products that the engine does not serve there are none."""

    def live(self) -> frozenset[Item]:
        """What is there now, and the platform's. Raises the `MeshProblem` of the engine's client."""

    def words(self, change: Change) -> tuple[str, ...]:
        """The statements, or calls, of a change, as `execute` says them; with no secret in them."""

    def execute(self, change: Change) -> None:
        """Make the change. Said again after a crash it does what is left, or nothing."""
