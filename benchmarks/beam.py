"""A check of ten rules by Beam's own runner in this process: batches of Arrow beside row by row.

Belongs here: the two pipelines and their rates. Does not belong here: the audit's own speed (`audit.py`).

    python -m benchmarks.beam [ROWS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from shared_resources.data_products.beam.transforms import ROWS, TABLES, ReadRows

ROWS_CHECKED = 2_000_000
SINGLE_ROWS = 200_000  # so many of them tell the rate of single rows
STORES = ("north", "south", "east", "west")
BROKEN = Metrics.counter("check", "broken")


def receipts(rows: int) -> pa.Table:
    chance = np.random.default_rng(1)
    return pa.table(
        {
            "id": np.arange(rows),
            "household": chance.integers(1, 3000, rows),
            "quantity": chance.integers(0, 50, rows),
            "value": chance.random(rows) * 100,
            "discount": chance.random(rows),
            "store": pa.array(np.array(STORES)[chance.integers(0, 4, rows)]),
            "code": pa.array([f"P{number:06d}" for number in range(1000)]).take(
                pa.array(chance.integers(0, 1000, rows))
            ),
        }
    )


def check_table(table: pa.Table) -> pa.Table:
    """Four columns that are there, three ranges, a set, a pattern, and a rule between two columns."""
    holds = [
        *(pc.is_valid(table[name]) for name in ("id", "household", "value", "store")),
        pc.greater_equal(table["household"], 1),
        pc.less_equal(table["quantity"], 48),
        pc.less(table["value"], 99.9),
        pc.is_in(table["store"], value_set=pa.array(STORES)),
        pc.match_substring_regex(table["code"], "^P[0-9]{6}$"),
        pc.less_equal(table["discount"], pc.add(table["value"], 1)),
    ]
    good = holds[0]
    for one in holds[1:]:
        good = pc.and_kleene(good, one)
    kept = table.filter(good)
    BROKEN.inc(table.num_rows - kept.num_rows)
    return kept


def check_row(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The same of one row."""
    there = all(row[name] is not None for name in ("id", "household", "value", "store"))
    code = row["code"]
    if (
        there
        and row["household"] >= 1
        and row["quantity"] <= 48
        and row["value"] < 99.9
        and row["store"] in STORES
        and len(code) == 7
        and code[0] == "P"
        and code[1:].isdigit()
        and row["discount"] <= row["value"] + 1
    ):
        return [row]
    BROKEN.inc()
    return []


def rate(file: Path, rows: int, given: str, check: Any) -> tuple[float, int]:
    """Rows a second of the whole pipeline, and how many broke a rule."""
    footer = pq.read_metadata(file)
    pieces = [(str(file), group, group + 1) for group in range(footer.num_row_groups)]
    began = time.perf_counter()
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    read = beam.ParDo(ReadRows(footer.schema.to_arrow_schema(), given))
    checked = pipeline | beam.Create(pieces) | beam.Reshuffle() | read | check
    size: Callable[[Any], int] = (lambda table: table.num_rows) if given == TABLES else lambda _: 1
    _ = checked | beam.Map(size) | beam.CombineGlobally(sum)
    result = pipeline.run()
    result.wait_until_finish()
    seconds = time.perf_counter() - began
    (broken,) = (one.result for one in result.metrics().query()["counters"])
    return rows / seconds, broken


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS_CHECKED
    single = min(rows, SINGLE_ROWS)
    with tempfile.TemporaryDirectory() as folder:
        file, few = Path(folder) / "rows.parquet", Path(folder) / "few.parquet"
        pq.write_table(receipts(rows), file, row_group_size=131_072)
        pq.write_table(receipts(rows).slice(0, single), few, row_group_size=131_072)
        batched = max(rate(file, rows, TABLES, beam.Map(check_table)) for _ in range(3))
        by_row = max(rate(few, single, ROWS, beam.FlatMap(check_row)) for _ in range(2))
        same = rate(few, single, TABLES, beam.Map(check_table))[1]
    assert by_row[1] == same, "both find the same rows"
    print(f"{rows:,} rows, ten rules, FnApiRunner, {batched[1]:,} broken")
    print(f"batches of Arrow  {batched[0]:>12,.0f} rows/s (goal 700,000)")
    print(f"row by row        {by_row[0]:>12,.0f} rows/s")
    print(f"ratio             {batched[0] / by_row[0]:>12.1f}")


if __name__ == "__main__":
    main()
