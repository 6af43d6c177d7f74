"""Who is to be forgotten, and which products know them.

Belongs here: the kinds of subject that contracts declare, keys as text, the products made from theirs.
Does not belong here: finding rows (`in_stores.py`, `in_landing.py`, `in_quarantine.py`).

A key is compared as text: in a column of integers, it has neither sign nor zeros in front of it that
the number does not need. Rows are found by columns that contracts declare (`subject`) and by nothing
else: what merely comes from such a column may be a count that happens to be somebody's number.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared_resources.contracts.model import Column, Contract
from shared_resources.contracts.types import Family
from shared_resources.mesh.model import Mesh
from shared_resources.problems import MeshProblem

_WHOLE = re.compile(r"\s*([+-]?)0*(\d+)\s*")
# A shorter text, or a smaller number, stands in any log by chance: it is looked for in columns alone.
DISTINCTIVE = 6


class UnknownSubject(MeshProblem):
    """Nothing can be erased as it was asked for; the message says what can."""

    exit_code = 2


@dataclass(frozen=True)
class Subjects:
    """Those to be forgotten, all of one kind, by their keys as text.

    `given` are the keys as they were asked for; without them, `values` are those of every column. Where
    some products hold keys as numbers and some as texts, 007 is 7 in the one and 007 in the other, and
    there 7 is somebody else.
    """

    kind: str
    values: Collection[str] = field(repr=False)
    given: frozenset[str] = field(default=frozenset(), repr=False)

    def among(self, columns: Iterable[Column]) -> Collection[str]:
        """The keys as these columns hold them."""
        if not self.given:
            return self.values
        return frozenset(normal(value, [column]) for column in columns for value in self.given)

    def has(self, value: str, column: Column) -> bool:
        key = normal(value, [column])
        as_given = self.given and column.type.family is not Family.INTEGER
        return key in (self.given if as_given else self.values)

    @property
    def said(self) -> frozenset[str]:
        return frozenset(self.values) | self.given

    @property
    def distinctive(self) -> frozenset[str]:
        """The keys that can be told from other text wherever they stand."""
        return frozenset(value for value in self.values if len(value) >= DISTINCTIVE)


@dataclass(frozen=True)
class Known:
    """A product that knows subjects of a kind, and the columns of its contract that hold their keys."""

    contract: Contract
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """And what they were called: versions from before a rename have them so."""
        return tuple(self.by_name)

    @property
    def by_name(self) -> Mapping[str, Column]:
        """The columns by what they are called, and were."""
        former = {one.name: column for column in self.columns for one in column.former}
        return {column.name: column for column in self.columns} | former


def kinds(contracts: Iterable[Contract]) -> list[str]:
    return sorted({column.subject for one in contracts for column in one.columns} - {""})


def choose_kind(contracts: Iterable[Contract], asked: str | None) -> str:
    """The kind that is meant: the one that was named, or the only one. Raises `UnknownSubject`."""
    declared = kinds(contracts)
    if not declared:
        raise UnknownSubject(
            "no contract declares a subject's key: say `{property: subject, vendor: mesh, value: "
            "household}` on each column that holds one"
        )
    if asked is None and len(declared) > 1:
        raise UnknownSubject(f"contracts declare keys of {', '.join(declared)}: name one with --as")
    if asked is not None and asked not in declared:
        raise UnknownSubject(
            f"no contract declares keys of {asked!r}; there are {', '.join(declared)}"
        )
    return asked or declared[0]


def who_know(contracts: Iterable[Contract], kind: str) -> list[Known]:
    """The products that declare a key of the kind, in the order of their keys."""
    found = []
    for contract in contracts:
        columns = tuple(column for column in contract.columns if column.subject == kind)
        if columns:
            found.append(Known(contract, columns))
    return sorted(found, key=lambda one: one.contract.key)


def derived(mesh: Mesh, known: Iterable[Known]) -> list[str]:
    """The products that are made from theirs and declare no key: aggregates, to be made again."""
    own = {one.contract.key for one in known}
    found: set[str] = set()
    waiting = sorted(own)
    while waiting:
        for consumer in mesh.consumers(waiting.pop()):
            if consumer.key not in own | found:
                found.add(consumer.key)
                waiting.append(consumer.key)
    return sorted(found)


def normal(value: str, columns: Iterable[Column]) -> str:
    """The key as it is compared: where any column holds integers, a number as they are written."""
    whole = _WHOLE.fullmatch(value)
    if whole and any(column.type.family is Family.INTEGER for column in columns):
        sign = "-" if whole[1] == "-" and whole[2] != "0" else ""
        return sign + whole[2]
    return value


def read_subjects(file: Path) -> list[str]:
    """One key a line. Raises `UnknownSubject` for a file that has none."""
    try:
        # Spreadsheets put a byte order mark before the first key, which would make it nobody's.
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except OSError as problem:
        raise UnknownSubject(f"{file} cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise UnknownSubject(f"{file} is no text in UTF-8: save it as such") from problem
    found = [line for line in lines if line]
    if not found:
        raise UnknownSubject(f"{file} names nobody; write one key a line")
    return found


def subjects_of(contracts: Iterable[Contract], kind: str, given: Sequence[str]) -> Subjects:
    """Those of the keys. Raises `UnknownSubject` for what cannot be anybody's: to erase it would certify
    what is not so, and take a heading out of every file that says it."""
    columns = [column for known in who_know(contracts, kind) for column in known.columns]
    asked = frozenset(given)
    if not all(value.strip() for value in asked):
        raise UnknownSubject("an empty text is nobody's key")
    whole = all(column.type.family is Family.INTEGER for column in columns)
    wrong = [at for at, value in enumerate(given, 1) if whole and not _WHOLE.fullmatch(value)]
    if wrong:
        names = ", ".join(sorted({column.name for column in columns}))
        raise UnknownSubject(
            f"keys of {kind!r} are whole numbers ({names}), and number {wrong[0]} of those given is "
            "none: correct it, or leave it out if it is a heading"
        )
    values = frozenset(normal(value, [column]) for value in asked for column in columns)
    return Subjects(kind, values, asked)


def declared_in(mesh: Mesh) -> list[Contract]:
    return [contract for domain in mesh.own_domains for _, contract in domain.contracts]


def columns_by_landed_name(known: Known) -> Mapping[str, Column]:
    """The key columns by what landed files call them, or may have called them before a rename."""
    former = {one.name: column for column in known.columns for one in column.former}
    return former | {column.landed_as or column.name: column for column in known.columns}
