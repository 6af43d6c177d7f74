"""INT96, Spark's and Impala's old way to write a point in time: read in microseconds, if it is exact.

Belongs here: which columns are written so, and proving that microseconds hold their values.
Does not belong here: reading the file (`reader.py`), the years that a point in time may have
(`contracts/values/moments.py`).

It is a day of 32 bits and a nanosecond of 64. In nanoseconds, Arrow's default, all after the year
2262 wraps round (9999-12-31, Spark's end of time, to 1816); in microseconds what is finer is cut off,
and far years wrap, too. Both show when the same values are read in other units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources import arrow_functions as pc
from shared_resources.contracts.model import Contract
from shared_resources.contracts.values.moments import YEARS, limits, written
from shared_resources.contracts.values.offending import masked
from shared_resources.landing.errors import UnreadableObject

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

UNIT = "us"  # to read such columns in
BATCH_ROWS = 65_536


def int96_columns(metadata: pq.FileMetaData) -> list[str]:
    """The columns that are written as INT96."""
    columns = (metadata.schema.column(i) for i in range(metadata.num_columns))
    return [column.path for column in columns if column.physical_type == "INT96"]


def check_exact(file: Path, object_key: str, contract: Contract, columns: Sequence[str]) -> None:
    """Raise `UnreadableObject` for a value that microseconds do not hold exactly."""
    import numpy as np  # here: hardly any file has such a column

    for column in columns:
        before = 0
        units = (_numbers(file, column, unit) for unit in ("ns", UNIT, "s"))
        for nanos, micros, seconds in zip(*units, strict=True):
            first, end = limits(pa.timestamp("s"))
            far = (seconds < first) | (seconds >= end)
            with np.errstate(over="ignore"):  # wrapped alike, they still differ by what is cut off
                wrong = far | (nanos != micros * 1000)
            if wrong.any():
                at = int(np.argmax(wrong))
                unit, number = ("s", seconds[at]) if far[at] else ("ns", nanos[at])
                name = contract.landed_names.get(column, column)
                shown = masked(written(int(number), pa.timestamp(unit)), contract, name)
                problem = f"out of {YEARS}" if far[at] else "finer than microseconds"
                raise UnreadableObject(
                    object_key,
                    f"row {before + at + 1:,} holds {shown}, which is {problem}",
                    "land a point in time that a TIMESTAMP has, or a null",
                    f"column {column!r}",
                )
            before += len(nanos)


def _numbers(file: Path, column: str, unit: str) -> Iterator[npt.NDArray[np.int64]]:
    import numpy as np

    options = {"coerce_int96_timestamp_unit": unit, "page_checksum_verification": True}
    with pq.ParquetFile(file, **options) as parquet:
        for batch in parquet.iter_batches(BATCH_ROWS, columns=[column]):
            numbers = pc.fill_null(batch.column(0).cast(pa.int64()), 0)
            # Its memory: Arrow converts nothing to numpy where it was imported alone (`cli/`).
            start, memory = numbers.offset, np.frombuffer(numbers.buffers()[1], np.int64)
            yield memory[start : start + len(numbers)]
