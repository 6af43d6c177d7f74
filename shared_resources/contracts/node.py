"""A value of a contract file together with where it stands, and a way to complain about it.

Belongs here: walking the raw YAML without knowing what its fields mean.
Does not belong here: the standard's shape (`contracts/reading/standard.py`) or any meaning
(`odcs.py` and its parts).

The accessors never raise: a value of the wrong kind reads as absent, because
`contracts/reading/standard.py` has already reported it. So one pass collects every finding of a
file.
"""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from shared_resources.contracts.numbers import Number, is_number
from shared_resources.contracts.source import Place, Source
from shared_resources.findings import Finding


@dataclass(slots=True, eq=False)  # frozen, making one takes thrice as long, and half a million are
class Node:
    """`findings` and `broken` are shared by all nodes of a file.

    `broken` are the places that are not of the standard's shape: nothing more is said about them,
    nor about what is below them.
    """

    source: Source
    findings: list[Finding]
    broken: set[Place]
    place: Place = ()
    value: Any = None

    @classmethod
    def root(cls, source: Source) -> Node:
        return cls(source, list(source.findings), set(), (), source.data)

    def below(self, step: str | int, value: Any) -> Node:
        # `dataclasses.replace` would cost a fifth of reading a contract.
        return Node(self.source, self.findings, self.broken, (*self.place, step), value)

    def nothing(self) -> Node:
        """A node here that holds nothing, in the stead of a field that is absent."""
        return replace(self, value=None)

    @property
    def line(self) -> int:
        return self.source.line(self.place)

    @property
    def path(self) -> str:
        """E.g. `schema.transactions.properties.quantity.quality[0]`."""
        return self.source.dotted(self.place)

    def get(self, name: str) -> Node | None:
        """The field of that name, when this is a mapping that has it (even if it is null)."""
        if isinstance(self.value, dict) and name in self.value:
            return self.below(name, self.value[name])
        return None

    def fields(self) -> Iterator[tuple[str, Node]]:
        if isinstance(self.value, dict):
            for name, value in self.value.items():
                yield name, self.below(name, value)

    def items(self) -> Iterator[Node]:
        if isinstance(self.value, list):
            for position, value in enumerate(self.value):
                yield self.below(position, value)

    def each(self, name: str) -> Iterator[Node]:
        """The items of the list in the field of that name."""
        field = self.get(name)
        return field.items() if field else iter(())

    def text(self, name: str, default: str = "") -> str:
        field = self.get(name)
        return field.value if field and isinstance(field.value, str) else default

    def flag(self, name: str) -> bool:
        field = self.get(name)
        return field is not None and field.value is True

    def number(self, name: str) -> Number | None:
        field = self.get(name)
        return field.value if field and is_number(field.value) else None

    def whole(self, name: str) -> int | None:
        """The field's number when it is a whole one (2.0 is, as in JSON)."""
        number = self.number(name)
        return int(number) if number is not None and number == int(number) else None

    def strings(self, name: str) -> tuple[str, ...]:
        return tuple(item.value for item in self.each(name) if isinstance(item.value, str))

    def is_one_of(self, names: Container[str]) -> bool:
        """False for what cannot be a name at all: a list, too, which no mapping can be asked for."""
        return isinstance(self.value, str) and self.value in names

    def problem(self, message: str, remedy: str) -> None:
        if self.broken and any(self.place[:n] in self.broken for n in range(len(self.place) + 1)):
            return
        where = self.path or "the contract"
        finding = Finding(self.source.path, self.line, "contract", f"{where}: {message}", remedy)
        if finding not in self.findings:
            self.findings.append(finding)

    def broken_by(self, message: str, remedy: str) -> None:
        """Complain, and about nothing else from here down."""
        self.problem(message, remedy)
        self.broken.add(self.place)

    def unknown_fields(self, known: Iterable[str]) -> None:
        """Complain about each field that is not one of `known`."""
        known = tuple(known)
        for name, field in self.fields():
            if name not in known:
                field.broken_by("is a field that is not known here", suggest(name, known))


def suggest(wrong: str, known: Iterable[str]) -> str:
    """A remedy for a name that does not exist: the nearest one that does, else all of them."""
    known = sorted(map(str, known))
    lowered = {name.lower(): name for name in reversed(known)}
    close = difflib.get_close_matches(wrong.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"write {lowered[close[0]]!r}, or remove it"
    return f"use one of {', '.join(known)}, or remove it" if known else "remove it"
