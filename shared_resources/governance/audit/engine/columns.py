"""Every file's schema beside the contract's columns: what the rule COLUMNS judges.

Belongs here: missing, extra and wrongly typed columns, and which columns the other rules can use.
Does not belong here: the verdict (`contracts/rules/batch/columns.py`), rules on values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.contracts.model import Contract
from shared_resources.contracts.rules.kind import RuleKind
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.contracts.values.conversions import family_of
from shared_resources.contracts.values.mixed import is_mixed
from shared_resources.contracts.values.moments import YEARS, is_moment, is_outside, written
from shared_resources.contracts.values.offending import masked, note_of

SHOWN_PROBLEMS = 10


@dataclass(frozen=True)
class ColumnsFound:
    """`problems`: one sentence each. `absent` and `mistyped`: why rules on a column cannot run.

    No rule can use an absent column; one of another type than the contract's, still those that ask
    whether a value is there or repeats.
    """

    problems: tuple[str, ...]
    absent: dict[str, str]
    mistyped: dict[str, str]

    def obstacle(self, kind: RuleKind, columns: Sequence[str]) -> str | None:
        """Why a rule of that kind on those columns cannot run, or None when it can."""
        for column in columns:
            if column in self.absent:
                return self.absent[column]
            if not kind.of_any_type and column in self.mistyped:
                return self.mistyped[column]
        return None

    @property
    def unusable(self) -> frozenset[str]:
        """Columns that cannot be read at all."""
        return frozenset(self.absent)

    @property
    def message(self) -> str:
        shown = "; ".join(self.problems[:SHOWN_PROBLEMS])
        more = len(self.problems) - SHOWN_PROBLEMS
        return shown + (f"; and {more} more" if more > 0 else "")


def check_columns(
    contract: Contract,
    paths: Sequence[Path],
    schemas: Sequence[pa.Schema],
    footers: Sequence[pq.FileMetaData] = (),
) -> ColumnsFound:
    """Compare the schema of each file with the contract. No file at all breaks nothing.

    `footers` say where days and points in time lie: one out of the years 1 to 9999 is none.
    """
    collected: dict[str, list[Path]] = {}
    absent: dict[str, str] = {}
    mistyped: dict[str, str] = {}
    for path, schema in zip(paths, schemas, strict=True):
        for problem in _problems(contract, schema, absent, mistyped):
            collected.setdefault(problem, []).append(path)
    for path, footer in zip(paths, footers, strict=False):
        for name, value in _endless(footer).items():
            shown = masked(value, contract, name)
            problem = f"column {name} holds {shown}, which is out of {YEARS}"
            remedy = "make it null, or a day within them, where the column is made"
            collected.setdefault(f"{problem}; {remedy}", []).append(path)
            absent.setdefault(name, problem)
    single = [_single(schema) for schema in schemas]
    for column in contract.columns:
        types = {named[column.name] for named in single if column.name in named}
        if len({family_of(type_) or type_ for type_ in types}) > 1:
            absent[column.name] = f"column {column.name} has another type in each of several files"
    return ColumnsFound(
        problems=tuple(
            problem + _where(found_in, len(paths)) for problem, found_in in collected.items()
        ),
        absent=absent,
        mistyped=mistyped,
    )


def _endless(footer: pq.FileMetaData) -> dict[str, str]:
    """By column, a day or a point in time of the file that is out of range, as people write it.

    Answered from the statistics: staging wrote them, or landing proved them true.
    """
    types = {
        field.name: field.type for field in footer.schema.to_arrow_schema() if is_moment(field.type)
    }
    if not types:
        return {}
    places = [i for i in range(footer.num_columns) if footer.schema.column(i).path in types]
    found: dict[str, str] = {}
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for name, statistics in (
            (footer.schema.column(i).path, group.column(i).statistics) for i in places
        ):
            if statistics is None or not statistics.has_min_max:
                continue
            for number in (statistics.min_raw, statistics.max_raw):
                if is_outside(number, types[name]):
                    found.setdefault(name, written(number, types[name]))
    return found


def _single(schema: pa.Schema) -> dict[str, pa.DataType]:
    """The types of the columns that the schema has once, by name."""
    counts = Counter(schema.names)
    return {field.name: field.type for field in schema if counts[field.name] == 1}


def _problems(
    contract: Contract, schema: pa.Schema, absent: dict[str, str], mistyped: dict[str, str]
) -> list[str]:
    problems: list[str] = []
    counts = Counter(schema.names)
    folded = Counter(name.lower() for name in schema.names)
    for column in contract.columns:
        name = column.name
        if counts[name] == 0:
            problems.append(f"column {name} ({column.type}) is missing")
            absent[name] = f"column {name} is missing"
        elif counts[name] > 1:
            problems.append(f"column {name} is there {counts[name]} times")
            absent[name] = f"column {name} is there more than once"
        elif folded[name.lower()] > 1:
            # SQL engines, and Hive's readers, cannot tell such columns apart.
            problems.append(f"column {name} is there twice, in different upper and lower case")
            absent[name] = f"column {name} is there in different upper and lower case"
        else:
            found = schema.field(name).type
            if not _is(found, column.type) or note_of(schema.field(name)):
                problems.append(_other_type(schema.field(name), column.type))
                if family_of(found) is not column.type.family:
                    mistyped[name] = f"column {name} is {found}, not {column.type}"
    declared = {column.name for column in contract.columns}
    problems.extend(
        f"column {name} ({schema.field(schema.names.index(name)).type}) is not in the contract"
        for name in dict.fromkeys(schema.names)
        if name not in declared
    )
    return problems


def _other_type(field: pa.Field, expected: ColumnType) -> str:
    """Which type it has instead; with the first value that stood in the way, where that was found."""
    problem = f"column {field.name} is {field.type}, the contract says {expected}"
    note = note_of(field)
    if note is None:
        return problem
    if is_mixed(field.type):
        problem = f"column {field.name} is of other types than the contract's {expected}"
    return (
        f"{problem}: {note}, which is no {expected} without a loss; convert the column where it is "
        "made, or declare the type that it has"
    )


def _is(found: pa.DataType, expected: ColumnType) -> bool:
    """Whether the file's type holds exactly what the contract's does (the same in Parquet)."""
    if pa.types.is_dictionary(found):
        return _is(found.value_type, expected)
    if pa.types.is_large_string(found) or pa.types.is_string_view(found):
        found = pa.string()
    if expected.family is Family.TIMESTAMP_TZ:
        # Parquet stores the instant; the name of the zone is only a hint for display.
        return pa.types.is_timestamp(found) and found.unit == "us" and found.tz is not None
    return bool(found.equals(expected.arrow))


def _where(paths: Sequence[Path], of: int) -> str:
    if len(paths) == of:
        return ""
    first = "/".join(paths[0].parts[-2:])
    return f" in {first}" if len(paths) == 1 else f" in {len(paths)} of {of} files, first {first}"
