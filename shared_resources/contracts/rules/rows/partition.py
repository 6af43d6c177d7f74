"""PARTITION: every row lies on the day of its partition. The platform's property `partitions`.

Belongs here: the clause, the condition, the words, the form for frames.
Does not belong here: reading the property (`contracts/reading/platform_properties.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from shared_resources.contracts.model import Contract, Partitioning, Rule
from shared_resources.contracts.rules.kind import Declared, Enforced, RowKind
from shared_resources.contracts.rules.view import PARTITION
from shared_resources.contracts.types import ColumnType
from shared_resources.sql import quote_identifier, quote_literal
from shared_resources.wording import a

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class Partition(RowKind):
    """`Rule.arguments`: {}. For frames: that days lie among the product's, not which is published."""

    name = "partition"
    rank = 20
    restates = True
    by_day = True
    of_one_file = False
    for_frames = True
    enforces: ClassVar[Enforced] = {"partitioned": ("partition",)}

    def of_table(self, declared: Declared) -> Iterator[Rule]:
        if declared.platform.partitioning is not None:
            node = declared.platform.nodes["partitions"]
            column = declared.platform.partitioning.column
            yield Rule(
                "partition", self.name, (column,), clause=node.path, line=node.line,
                dimension="conformity",
                description=f"every row's {column} lies on the day of its partition",
            )  # fmt: skip

    def violation(self, rule: Rule, contract: Contract) -> str:
        """A row whose day is not the one that its file stands for, or that has none."""
        partitioning = contract.partitioning
        if partitioning is None:
            return "FALSE"
        outside, day = self._outside(partitioning), _day(partitioning)
        # A file that stands for no partition can still hold days that the product does not have.
        return (
            f"CASE WHEN {PARTITION} = '' THEN {outside} "
            f"ELSE {day} IS DISTINCT FROM TRY_CAST({PARTITION} AS DATE) END"
        )

    def violation_on(self, rule: Rule, contract: Contract, engine: str) -> str:
        """A table has no files that stand for a partition: what is left is the product's days."""
        partitioning = contract.partitioning
        return self._outside(partitioning) if partitioning is not None else "FALSE"

    def _outside(self, partitioning: Partitioning) -> str:
        day = _day(partitioning)
        outside = f"{day} IS NULL OR {day} < {quote_literal(partitioning.start)}"
        if partitioning.end is not None:
            outside += f" OR {day} >= {quote_literal(partitioning.end)}"
        return outside

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        import polars as pl

        partitioning = contract.partitioning
        if partitioning is None:
            return pl.lit(False)
        day = pl.col(partitioning.column).cast(pl.Date)
        outside = day.is_null() | (day < partitioning.start)
        return outside if partitioning.end is None else outside | (day >= partitioning.end)

    def failing(self, rule: Rule, contract: Contract) -> str:
        partitioned = contract.partitioning
        column = partitioned.column if partitioned else ", ".join(rule.columns)
        return f"have {a(column)} outside their partition"

    def mask(
        self, rule: Rule, contract: Contract, values: pa.ChunkedArray, type_: ColumnType
    ) -> pa.ChunkedArray:
        from shared_resources.contracts.rules import arrow

        if contract.partitioning is None:
            raise ValueError(f"{contract.key} has no partitions, and a rule about them")
        return arrow.outside_partitions(values, contract.partitioning)


def _day(partitioning: Partitioning) -> str:
    return f"CAST({quote_identifier(partitioning.column)} AS DATE)"


KIND = Partition()
