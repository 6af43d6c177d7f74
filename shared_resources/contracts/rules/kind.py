"""What a kind of rule is: the one place to look before adding one.

Belongs here: what every kind says of itself, and the five shapes, by which the audit asks it.
Does not belong here: a kind (a file each in `values/`, `rows/`, `batch/`, `own/`), finding them
(`registry.py`).

A kind has one of five shapes:

- `RowKind`: a condition on a row. All of a contract are counted in one pass over the batch.
- `KeyKind`: columns whose combination must not repeat.
- `ReferenceKind`: values that must exist in another product's published version.
- `BatchKind`: a verdict on what is known of every batch, without a query.
- `OwnKind`: a domain's own code, asked in a confined process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.node import Node
from shared_resources.contracts.numbers import Number
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.platform_properties import PlatformProperties
from shared_resources.contracts.types import ColumnType

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

# Asks a query of the batch and gives the first row of its answer.
Ask = Callable[[str], tuple[Any, ...]]
# The same for all rows of the answer.
AskAll = Callable[[str], list[tuple[Any, ...]]]
Enforced = Mapping[str, tuple[str, ...]]
Options = Mapping[str, str]
# A column's own quality rules come after what its property implies and before its relationships.
QUALITY = 50


@dataclass(frozen=True)
class Declared:
    """What a file declares, for kinds that its clauses imply. `own_key`: the product's key."""

    table: Node
    columns: tuple[DeclaredColumn, ...]
    platform: PlatformProperties
    own_key: str

    @property
    def by_name(self) -> dict[str, DeclaredColumn]:
        return {declared.column.name: declared for declared in self.columns}

    @property
    def keyed(self) -> list[DeclaredColumn]:
        """The columns of the primary key, in its order."""
        keyed = [c for c in self.columns if c.column.primary_key_position is not None]
        return sorted(keyed, key=lambda c: c.column.primary_key_position or 0)


class RuleKind(ABC):
    """A kind of rule. Each has one instance, in its module's `KIND`.

    `name` is what `Rule.kind` holds. `rank` orders the rules that a contract implies: those below
    `QUALITY` come before the written ones.
    """

    name: ClassVar[str]
    rank: ClassVar[int] = 100
    # Whether it tells which rows fail, so that they alone can go to quarantine.
    row_level: ClassVar[bool] = False
    # Whether it asks nothing of a value but whether it is there or equal to another.
    of_any_type: ClassVar[bool] = False
    # Whether it reads the day of the product's partitions.
    by_day: ClassVar[bool] = False
    # Whether a file alone tells, without other products and the partition it is meant for.
    of_one_file: ClassVar[bool] = True
    # Whether rows that fail hold values that nobody declared as sensitive: no sample may show them.
    conceals: ClassVar[bool] = False
    # Whether several of its rules may come to the same name, which is then given a number.
    may_repeat: ClassVar[bool] = False
    # Whether its rules say again what is compared by itself when contracts are (`contracts/changes/`).
    restates: ClassVar[bool] = False
    # The kind whose rules a clause implies that counts the same rows, on the same columns.
    as_clause: ClassVar[str | None] = None
    # Whether it has a form for frames, which the pandera schema uses.
    for_frames: ClassVar[bool] = False
    # The metric of library rules that it is, and where such a rule may stand.
    metric: ClassVar[str | None] = None
    on_column: ClassVar[bool] = False
    on_table: ClassVar[bool] = False
    # What `quality` items of type sql, or of type custom with this engine, it reads.
    sql: ClassVar[bool] = False
    engine: ClassVar[str | None] = None
    # Fields of a property, and of its `logicalTypeOptions`, that it enforces: with the names of the
    # checks of which one does, `{column}` being the column's.
    enforces: ClassVar[Enforced] = {}
    enforces_options: ClassVar[Options] = {}

    def of_batch(self, declared: Declared) -> Iterator[Rule]:
        """The rules that come first, of every contract."""
        return iter(())

    def of_column(self, declared: Declared, column: DeclaredColumn) -> Iterator[Rule]:
        """The rules that a property implies; findings go to its node."""
        return iter(())

    def of_table(self, declared: Declared) -> Iterator[Rule]:
        """The rules that the schema object and the platform's properties imply."""
        return iter(())

    def read_metric(
        self,
        node: Node,
        given: Node,
        of: DeclaredColumn | None,
        columns: Mapping[str, DeclaredColumn],
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """The columns and arguments of a library rule with this kind's metric.

        `given` are its `arguments`. `of` is the property that it stands under, if it does.
        """
        given.unknown_fields(())
        return (of.column.name,) if of else (), {}

    def read_item(self, node: Node, of: DeclaredColumn | None) -> Rule | None:
        """The rule in an item of type sql or custom; None after a finding."""
        return None

    def product(self, rule: Rule) -> str | None:
        """The key of the product into whose pinned version the rule looks."""
        return None

    def keeps(self, was: Rule, now: Rule) -> bool:
        """Whether whatever `now` lets through, `was` let through, too, by their arguments; thresholds
        apart. Both are of this kind, on columns of the same types. What is not known is not kept.
        """
        return was.arguments == now.arguments

    def valid(self, rule: Rule) -> Mapping[str, Any]:
        """What it says of single values, in the arguments of the metric `invalidValues`; nothing where
        it is about anything else."""
        return {}

    def bounds_on(self, rule: Rule, column: str) -> Mapping[str, Any]:
        """The bounds within which a second column keeps the rule, whatever stands in the first."""
        return {}

    def unbroken(self, rule: Rule, contract: Contract, frame: pl.DataFrame) -> bool:
        """Whether what a frame knows of its columns at once, such as the least and the greatest value,
        proves that no row breaks the rule; NaN is null in it."""
        return False

    def failing(self, rule: Rule, contract: Contract) -> str:
        """What the failing rows do, after `3 rows`: `have no price`."""
        return "fail"

    def measured(self, shown: str) -> str | None:
        """For a kind whose number is no count of failing rows: what is said of it."""
        return None

    def limit(self, rule: Rule) -> str:
        """The threshold, as it is said of such a number."""
        return str(rule.threshold)


class RowKind(RuleKind):
    """A condition on one row of the view `batch`, as DuckDB's SQL; NaN is null already in the view.

    A condition that is NULL counts as not failing: a missing value breaks no rule but those that
    ask for a value.
    """

    row_level = True
    # Whether what `suspicion` finds is looked at again.
    confirms: ClassVar[bool] = False

    @abstractmethod
    def violation(self, rule: Rule, contract: Contract) -> str:
        """The condition under which a row breaks the rule.

        Raises `ValueError` when a value in the rule's arguments is none of the column's type.
        """

    def suspicion(self, rule: Rule, contract: Contract) -> str:
        """A cheaper condition that every failing row fulfils, and few others."""
        return self.violation(rule, contract)

    def confirmed(self, rule: Rule, contract: Contract, view: str, ask: Ask) -> str:
        """The condition under which a row of `view` fails, which may depend on the other rows."""
        return self.violation(rule, contract)

    def cleared(
        self, rule: Rule, contract: Contract, view: str, part: str, ask: AskAll
    ) -> frozenset[int]:
        """Of the parts of `view`, by its column `part`, those in which nothing that was suspected is left
        after a look at all of them at once."""
        return frozenset()

    def count(self, rule: Rule, contract: Contract) -> str:
        """The aggregate that counts the rows to suspect."""
        # Unlike `count(*) FILTER`, `count_if` is answered from the footers where they prove it;
        # where the condition is NULL in every row, it is NULL.
        return f"coalesce(count_if({self.suspicion(rule, contract)}), 0)"

    def violation_on(self, rule: Rule, contract: Contract, engine: str) -> str | None:
        """The condition on another engine (`engines.py`), in DuckDB's SQL, which is translated; names
        of functions that DuckDB does not have are left as they are. None where there is none.
        """
        return self.violation(rule, contract)

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr | None:
        """For messages of a stream: the same condition over a polars frame of the contract's columns,
        NaN being null (`expressions.py`). None where a message alone does not decide it.

        Raises `ValueError` where polars would not decide as DuckDB does.
        """
        return None

    def mask(
        self, rule: Rule, contract: Contract, values: pa.ChunkedArray, type_: ColumnType
    ) -> pa.ChunkedArray:
        """For frames: whether each value of the rule's column breaks it. `type_` is the contract's."""
        raise NotImplementedError(f"{self.name} has no form for frames")


class KeyKind(RuleKind):
    """Columns whose combination must not repeat; in a partitioned product, within its day."""

    row_level = True
    of_any_type = True
    by_day = True
    for_frames = True

    def failing(self, rule: Rule, contract: Contract) -> str:
        within = " in its partition" if contract.partitioning is not None else ""
        return f"share their {', '.join(rule.columns)} with another row{within}"


class ReferenceKind(RuleKind):
    """Values that must exist in the columns `arguments["columns"]` of another product."""

    row_level = True
    of_one_file = False
    may_repeat = True

    @abstractmethod
    def product(self, rule: Rule) -> str: ...

    @abstractmethod
    def orphaned(self, rule: Rule, reference: str, view: str) -> str:
        """The condition under which a row of `view` refers to nothing in the table `reference`."""

    @abstractmethod
    def not_compared(self, rule: Rule, contract: Contract, published: pa.Schema) -> str | None:
        """Why the rule cannot look into a version of that schema, None when it can."""


@dataclass(frozen=True)
class BatchFacts:
    """What is known of a batch once it was read. `published` rows stay beside it where it is added to
    them, else 0. `problems` are those of its columns, `said` all of them in one text. `reasons` and
    `sample` tell of the rows that could not be read."""

    rows: int
    published: int
    rejected_rows: int
    problems: int
    said: str
    reasons: Callable[[], str]
    sample: Callable[[], tuple[Mapping[str, Any], ...]]


@dataclass(frozen=True)
class Judged:
    passed: bool
    rows_checked: int
    measured: Number
    message: str
    rows_failed: int | None = None
    sample: tuple[Mapping[str, Any], ...] = ()


class BatchKind(RuleKind):
    """A verdict on what is known of every batch."""

    # Whether its form for frames also wants each column to be of its type.
    types: ClassVar[bool] = False

    @abstractmethod
    def judge(self, rule: Rule, contract: Contract, facts: BatchFacts) -> Judged: ...

    def holds(self, rule: Rule, contract: Contract, names: list[str], rows: int) -> bool:
        """For frames: the verdict on one of these columns and so many rows."""
        raise NotImplementedError(f"{self.name} has no form for frames")


class OwnKind(RuleKind):
    """A domain's own query, or (`python`) function: which one is in `arguments[of]`."""

    of_any_type = True
    python: ClassVar[bool]
    of: ClassVar[str]

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        """For single rows: the condition under which one breaks a rule that allows none, as `RowKind` has
        it. A batch is asked the query itself, and refused whole.

        Raises `ValueError`, with the reason, where single rows do not decide it.
        """
        raise ValueError("nobody knows what of a batch it looks at")
