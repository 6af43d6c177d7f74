"""What readers of a product rely on: its columns, their types, which are never null, its key, the
stores that have it, and how it is partitioned.

Belongs here: that promise, taken from a contract, written into a version's evidence, read back, and
what breaks between two of them.
Does not belong here: who relies on it (`data_products/compared/breaks.py`), refusing it (`stores/`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import ColumnType, Family

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_RELEASE = re.compile(r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?![\d.])", re.ASCII)
_SIMPLE = {
    type_.duckdb: type_
    for type_ in (
        *(ColumnType(family) for family in Family if family is not Family.DECIMAL),
        ColumnType(Family.INTEGER, width=32),
        ColumnType(Family.FLOAT, width=32),
    )
}


def parse_type(text: str) -> ColumnType:
    """The inverse of `ColumnType.duckdb`. Raises `KeyError` for what it never says."""
    if decimal := _DECIMAL.fullmatch(text):
        return ColumnType(Family.DECIMAL, precision=int(decimal[1]), scale=int(decimal[2]))
    return _SIMPLE[text]


def widens(old: ColumnType, new: ColumnType) -> bool:
    """Whether every value of `old` is one of `new` without loss, so that old files need no rewrite.

    The promotions of the Iceberg specification: int to long, float to double, more decimal digits.
    """
    if old == new:
        return True
    if old.family is not new.family:
        return False
    if old.family is Family.DECIMAL:
        return new.scale == old.scale and new.precision >= old.precision
    if old.family in (Family.INTEGER, Family.FLOAT):
        return new.width >= old.width
    return True


def renamed(contract: Contract, published: Collection[str]) -> Mapping[str, str]:
    """The columns of the contract that are published under a former name, with that name."""
    found = {}
    for column in contract.columns:
        if column.name not in published:
            old = next((one.name for one in column.former if one.name in published), None)
            if old is not None:
                found[column.name] = old
    return found


def aliases(contract: Contract) -> Mapping[str, str]:
    """The former names that readers are given beside the present one, with that."""
    return {
        one.name: column.name
        for column in contract.columns
        for one in column.former
        if one.until is not None
    }


def shown(contract: Contract, published: Collection[str]) -> Mapping[str, str]:
    """What readers find under the contract's names, each with its published name: columns that were
    published under a former name, under the present one; then what is served under a former one, too.
    Of columns that the contract does not know, their own.
    """
    present = {old: new for new, old in renamed(contract, published).items()}
    found = {present.get(name, name): name for name in published}
    for alias, name in aliases(contract).items():
        if name in found:
            found.setdefault(alias, found[name])
    return found


@dataclass(frozen=True)
class Break:
    """One thing that readers relied on and that is no more. `columns` are those it is about."""

    columns: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Promise:
    """`types` are by column, in order; `required` the columns that are never null.

    `partitioned_by` is the column of the partitions, ``""`` of a product without. Evidence of earlier
    releases names neither it, which reads as None, nor `servers`.
    """

    types: Mapping[str, ColumnType]
    required: frozenset[str] = frozenset()
    primary_key: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    partitioned_by: str | None = None
    # By a former name the present one; of those that readers are still given, and of the others.
    served: Mapping[str, str] = field(default_factory=dict, compare=False)
    former: Mapping[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, contract: Contract) -> Promise:
        return cls(
            {column.name: column.type for column in contract.columns},
            frozenset(c.name for c in contract.columns if c.required),
            contract.primary_key,
            tuple(server.value for server in contract.servers),
            contract.partitioning.column if contract.partitioning else "",
            aliases(contract),
            {one.name: column.name for column in contract.columns for one in column.former},
        )

    def text(self) -> str:
        """How it stands in a version's evidence; `read` is the inverse."""
        columns = [
            [name, type_.duckdb, name in self.required] for name, type_ in self.types.items()
        ]
        written = {
            "columns": columns,
            "primaryKey": self.primary_key,
            "servers": self.servers,
            "partitionedBy": self.partitioned_by,
        }
        return json.dumps(written, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Promise:
        """Raises `ValueError`, `KeyError` or `TypeError` for what `text` never wrote."""
        written = json.loads(text)
        columns = [(str(name), parse_type(type_), bool(r)) for name, type_, r in written["columns"]]
        return cls(
            {name: type_ for name, type_, _ in columns},
            frozenset(name for name, _, required in columns if required),
            tuple(map(str, written["primaryKey"])),
            tuple(map(str, written.get("servers", ()))),
            written.get("partitionedBy"),
        )

    def broken_by(self, now: Promise) -> tuple[Break, ...]:
        """What of this promise the one that is made now does not keep. A column that is called
        otherwise is the same one; who reads it by its former name finds it while that is served."""
        moved = {old: new for old, new in now.former.items() if old in self.types}
        moved = {old: new for old, new in moved.items() if new not in self.types}
        lost = tuple(old for old in self.types if old in moved and old not in now.served)
        called = ", ".join(f"{old}, which is called {moved[old]}" for old in lost)
        gone = (Break(lost, f"column {called}, is gone"),) if lost else ()
        return (*gone, *self._called(moved)._breaks(now))

    def _called(self, moved: Mapping[str, str]) -> Promise:
        return replace(
            self,
            types={moved.get(name, name): type_ for name, type_ in self.types.items()},
            required=frozenset(moved.get(name, name) for name in self.required),
            primary_key=tuple(moved.get(name, name) for name in self.primary_key),
        )

    def _breaks(self, now: Promise) -> Iterator[Break]:
        gone = tuple(name for name in self.types if name not in now.types)
        if gone:
            yield Break(gone, f"column {', '.join(gone)} is gone")
        retyped = [
            name
            for name, t in self.types.items()
            if name in now.types and not widens(t, now.types[name])
        ]
        if retyped:
            changes = (f"{name} from {self.types[name]} to {now.types[name]}" for name in retyped)
            yield Break(tuple(retyped), f"the type changes: {', '.join(changes)}")
        nullable = tuple(
            name for name in self.types if name in self.required & set(now.types) - now.required
        )
        if nullable:
            yield Break(nullable, f"{', '.join(nullable)} may now be null")
        if self.primary_key and self.primary_key != now.primary_key:
            yield Break(
                self.primary_key,
                f"the primary key was ({', '.join(self.primary_key)}) and is "
                + (f"({', '.join(now.primary_key)})" if now.primary_key else "none"),
            )
        left = [server for server in self.servers if server not in now.servers]
        if left:
            yield Break((), f"it is no longer published in the {' and the '.join(left)}")


def major(version: str) -> int:
    """The major number of a contract's version; -1 for text that has none."""
    head = version.partition(".")[0]
    return int(head) if head.isdecimal() else -1


def may_break(published: str, now: str) -> bool:
    """Whether the version `now` of a contract may break what was published under another, whoever
    reads it: by a new major version, and below 1.0.0 by a new minor one.

    A version that is no number permits nothing.
    """
    if in_development(published) and in_development(now):
        before, after = _numbers(published), _numbers(now)
        return before is not None and after is not None and after[:2] > before[:2]
    return major(published) >= 0 and major(now) > major(published)


def in_development(version: str) -> bool:
    """Whether the version is below 1.0.0: as semver.org has it, anything may change at any time, which
    here is until somebody reads it."""
    return major(version) == 0


def next_breaking(published: str) -> str:
    """What a version has to become that breaks what was published under another, in words."""
    if in_development(published):
        return f"a new minor version above {published}"
    return f"a new major version above {published}"


def goes_back(published: str, now: str) -> bool:
    """Whether the version `now` of a contract is lower than one that was published under.

    By major, minor and patch, as semver.org orders them; text that has none of these is not lower.
    """
    before, after = _numbers(published), _numbers(now)
    return before is not None and after is not None and after < before


def _numbers(version: str) -> tuple[int, ...] | None:
    parts = _RELEASE.match(version)
    return tuple(int(part or 0) for part in parts.groups()) if parts else None
