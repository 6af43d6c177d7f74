"""One frame's columns on their way to a contract: which each becomes, and whether it can.

Belongs here: the plan of a frame, column by column; validity of Arrow data; what Parquet can hold.
Does not belong here: the kinds of frame (`lossless.py`), the conversions (`conversions.py`).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources import arrow_functions as pc
from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import ColumnType
from shared_resources.contracts.values.conversions import always_converts, convert, family_of, plain
from shared_resources.contracts.values.digits import as_numbers, holds_digits
from shared_resources.contracts.values.mixed import as_mixed
from shared_resources.contracts.values.offending import described, first_offending, noted
from shared_resources.problems import MeshProblem


class InvalidFrame(MeshProblem, ValueError):
    """Arrow data that is not what its own type says; the message names product, column and row."""


class Plan:
    """Where each column of the result comes from, and what it becomes.

    `positions` are those of the source columns in the order of the result, `targets` the contract's
    types (None for a column that keeps its own).
    """

    def __init__(self, source: pa.Schema, contract: Contract) -> None:
        self.source = source
        self._contract = contract
        declared = {column.name: column.type for column in contract.columns}
        taken = [source.names.index(name) for name in declared if name in source.names]
        extra = [i for i in range(len(source)) if i not in set(taken)]
        self.positions = taken + extra
        self.names = [source.names[i] for i in self.positions]
        self.targets: list[ColumnType | None] = [
            *(declared[source.names[i]] for i in taken), *(None for _ in extra)
        ]  # fmt: skip
        self._notes: dict[int, str] = {}
        pairs = zip(self.positions, self.targets, strict=True)
        self.needs_values = any(
            target is not None
            and (holds_digits(source.field(i)) or not always_converts(source.types[i], target))
            for i, target in pairs
        )

    def keep(self, place: int, values: pa.ChunkedArray, before: int = 0) -> None:
        """Let a column of the result keep its own type, because of one of these values.

        `before` is the number of rows that came before them.
        """

        def fits(some: pa.ChunkedArray) -> bool:
            return self.converted(place, some) is not None

        position = first_offending(values, fits)
        assert position is not None
        name = self.names[place]
        if holds_digits(self.source.field(self.positions[place])):
            values = as_mixed(values)
        self._notes[place] = described(values, position, self._contract, name, before)
        self.targets[place] = None

    def converted(self, place: int, values: pa.ChunkedArray) -> pa.ChunkedArray | None:
        """One column of the result; None when it cannot have the contract's type."""
        target = self.targets[place]
        if holds_digits(self.source.field(self.positions[place])):
            numbers = as_numbers(values)
            if target is None:
                return as_mixed(values)
            return None if numbers is None else convert(numbers, target)
        return storable(values) if target is None else convert(values, target)

    def schema(self) -> pa.Schema:
        return pa.schema([self._field(place) for place in range(len(self.names))])

    def _field(self, place: int) -> pa.Field:
        target = self.targets[place]
        if target is None:
            empty = pa.chunked_array([], self.source.types[self.positions[place]])
            own = self.converted(place, empty)
            assert own is not None
            type_ = own.type
        else:
            type_ = target.arrow
        field = pa.field(self.names[place], type_)
        return noted(field, self._notes[place]) if place in self._notes else field

    def apply(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """A batch of which every column is known to convert."""
        columns = []
        for place, position in enumerate(self.positions):
            values = self.converted(place, pa.chunked_array([batch.column(position)]))
            assert values is not None
            columns.append(values.combine_chunks())
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def validate(self, batch: pa.RecordBatch, before: int = 0) -> None:
        """Raise `InvalidFrame` for text that is no UTF-8, a decimal of too many digits and the like.

        Arrow takes a program's word for them, and what is written of them no engine reads.
        """
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            column = pa.chunked_array([values])
            if _is_valid(column):
                continue
            position = first_offending(column, _is_valid)
            assert position is not None
            found = described(column, position, self._contract, name, before)
            raise InvalidFrame(
                f"{self._contract.key}: column {name} is no valid {values.type}: {found}, which that "
                "type does not have. Convert it where the frame is made."
            )


def _is_valid(values: pa.ChunkedArray) -> bool:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def storable(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as Parquet can hold it; what it cannot hold becomes text in a struct."""
    if isinstance(values.type, pa.BaseExtensionType) and family_of(values.type) is None:
        return _as_text(values)  # stored as what it is not: numbers, of a Period
    values = plain(values)
    try:
        pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([("x", values.type)])).close()
    except (pa.ArrowException, OSError):  # a decimal of negative scale is an OSError
        try:
            return as_mixed(pc.cast(values, pa.string()))
        except pa.ArrowNotImplementedError:
            return _as_text(values)
    return values


def _as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    text = [None if value is None else str(value) for value in values.to_pylist()]
    return as_mixed(pa.chunked_array([pa.array(text, pa.string())]))
