"""Staging: every row lands in the right file, whatever the stream looks like, in bounded memory.

Belongs here: `write_staged` and the folders that batches are staged in.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.stores.protocol import StagedFile
from shared_resources.stores.staging import staging, staging_area
from shared_resources.stores.staging.staging import write_staged
from tests.stores.products import contract, day, rows

SALES = contract()
DAILY = contract(partitioned=True)


def read(file: StagedFile) -> pa.Table:
    return pq.read_table(file.path, partitioning=None)


def test_an_unpartitioned_stream_is_one_file_in_order(tmp_path: Path) -> None:
    table = rows(SALES, range(1_000))
    files = write_staged(table.to_reader(max_chunksize=7), tmp_path, SALES, ("",))
    assert files == (StagedFile(tmp_path / "part-00000.parquet", "", 1_000),)
    assert read(files[0]) == table


def test_partitions_are_folders_and_no_column_is_lost(tmp_path: Path) -> None:
    table = pa.concat_tables([rows(DAILY, [1, 2], day(0)), rows(DAILY, [3], day(1))])
    files = write_staged(table.to_reader(), tmp_path, DAILY, (day(0), day(1)))
    assert [(file.partition, file.rows) for file in files] == [(day(0), 2), (day(1), 1)]
    assert files[0].path == tmp_path / f"partition={day(0)}" / "part-00000.parquet"
    assert pa.concat_tables([read(file) for file in files]) == table


def test_rows_in_any_order_find_their_day(tmp_path: Path) -> None:
    days = [day(number) for number in range(50)]
    parts = [rows(DAILY, range(20), key) for key in days]
    table = pa.concat_tables(parts)
    order = list(range(table.num_rows))
    random.Random(1).shuffle(order)
    shuffled = table.take(pa.array(order))
    files = write_staged(shuffled.to_reader(max_chunksize=77), tmp_path, DAILY, days)
    assert [file.partition for file in files] == days
    for file, part in zip(files, parts, strict=True):
        assert read(file).sort_by("id") == part


def test_the_order_within_a_partition_is_kept(tmp_path: Path) -> None:
    one, other = rows(DAILY, range(100), day(0)), rows(DAILY, range(100), day(1))
    mixed = pa.concat_tables([t.slice(n, 1) for n in range(100) for t in (other, one)])
    files = write_staged(mixed.combine_chunks().to_reader(), tmp_path, DAILY, (day(0), day(1)))
    assert [read(file)["id"].to_pylist() for file in files] == [list(range(100))] * 2


def test_rows_of_other_days_and_of_none_go_to_the_first_partition(tmp_path: Path) -> None:
    table = pa.concat_tables(
        [rows(DAILY, [1], day(0)), rows(DAILY, [2], day(1)), rows(DAILY, [3], day(9))]
    )
    null = table.slice(0, 1).set_column(3, "at", pa.array([None], pa.timestamp("us")))
    reader = pa.concat_tables([table, null]).to_reader()
    files = write_staged(reader, tmp_path, DAILY, (day(0), day(1)))
    assert [(file.partition, file.rows) for file in files] == [(day(0), 3), (day(1), 1)]


def test_every_partition_asked_for_has_a_file_with_the_schema(tmp_path: Path) -> None:
    files = write_staged(rows(DAILY, [1], day(1)).to_reader(), tmp_path, DAILY, (day(0), day(1)))
    assert [(file.partition, file.rows) for file in files] == [(day(0), 0), (day(1), 1)]
    assert read(files[0]).schema == read(files[1]).schema


@pytest.mark.parametrize("made_for", [SALES, DAILY])
def test_an_empty_stream_keeps_its_schema(tmp_path: Path, made_for: object) -> None:
    partitions = ("",) if made_for is SALES else (day(0), day(1))
    empty = rows(SALES if made_for is SALES else DAILY, [])
    files = write_staged(empty.to_reader(), tmp_path, made_for, partitions)  # type: ignore[arg-type]
    assert [file.rows for file in files] == [0] * len(partitions)
    assert all(read(file) == empty for file in files)


def test_a_stream_that_breaks_the_contract_is_written_as_it_is(tmp_path: Path) -> None:
    wrong = pa.table({"id": ["x", None], "surprise": [[1], [2, 3]], "at": ["2017-01-01", "no"]})
    files = write_staged(wrong.to_reader(), tmp_path, DAILY, (day(3), day(4)))
    assert [(file.partition, file.rows) for file in files] == [(day(3), 2), (day(4), 0)]
    assert read(files[0]) == wrong
    without = pa.table({"id": [1]})
    files = write_staged(without.to_reader(), tmp_path / "b", DAILY, (day(3), day(4)))
    assert [file.rows for file in files] == [1, 0]


def test_a_zoned_timestamp_belongs_to_its_day_in_utc(tmp_path: Path) -> None:
    zoned = pa.array([datetime(2017, 1, 1, 23, 30, tzinfo=UTC)], pa.timestamp("us", "Asia/Tokyo"))
    table = pa.table({"id": [1], "at": zoned})
    files = write_staged(table.to_reader(), tmp_path, DAILY, ("2017-01-02", "2017-01-01"))
    assert {file.partition: file.rows for file in files} == {"2017-01-01": 1, "2017-01-02": 0}


def test_a_time_before_1970_belongs_to_its_day(tmp_path: Path) -> None:
    table = pa.table({"id": [1], "at": pa.array([datetime(1969, 12, 31, 1)], pa.timestamp("us"))})
    files = write_staged(table.to_reader(), tmp_path, DAILY, ("1970-01-01", "1969-12-31"))
    assert {file.partition: file.rows for file in files} == {"1969-12-31": 1, "1970-01-01": 0}


def test_a_large_stream_is_written_by_two_threads_and_whole(tmp_path: Path) -> None:
    count = staging.ROWS_PER_GROUP * 3 + 5
    table = pa.table({"id": pa.array(range(count)), "label": pa.array(["x"] * count)})
    files = write_staged(table.to_reader(50_000), tmp_path, SALES, ("",))
    assert len(files) == 2
    assert sum(file.rows for file in files) == count
    found = pa.concat_tables([read(file) for file in files])["id"].to_pylist()
    assert sorted(found) == list(range(count))


def test_more_partitions_than_files_may_be_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "OPEN_FILES", 4)
    monkeypatch.setattr(staging, "ROWS_PER_GROUP", 2)
    days = [day(number) for number in range(20)]
    batches = [rows(DAILY, [n, n + 1], key) for n in (0, 2, 4) for key in days]
    reader = pa.concat_tables(batches).to_reader()
    files = write_staged(reader, tmp_path, DAILY, days)
    assert len(files) > 20  # a partition whose file was closed goes on in another
    by_day: dict[str, list[int]] = {key: [] for key in days}
    for file in files:
        by_day[file.partition] += read(file)["id"].to_pylist()
    assert all(sorted(found) == [0, 1, 2, 3, 4, 5] for found in by_day.values())


def test_a_failing_stream_fails_the_staging(tmp_path: Path) -> None:
    table = rows(SALES, range(10))

    def broken() -> Iterator[pa.RecordBatch]:
        yield from table.to_batches()
        raise ArithmeticError("the product's own function")

    reader = pa.RecordBatchReader.from_batches(table.schema, broken())
    with pytest.raises(ArithmeticError):
        write_staged(reader, tmp_path, SALES, ("",))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_stream(tmp_path: Path) -> None:
    """A year of shuffled rows, in processes whose peaks are compared."""
    peaks = [int(_stage_in_a_process(tmp_path / str(n), n)) for n in (3_000_000, 9_000_000)]
    assert peaks[1] < peaks[0] + 150 * 2**10, f"peaks in KiB: {peaks}"


def _stage_in_a_process(folder: Path, count: int) -> str:
    program = f"""
import resource, numpy, pyarrow as pa
from pathlib import Path
from shared_resources.stores.staging.staging import write_staged
from tests.stores.products import contract, day
made_for, generator = contract(partitioned=True), numpy.random.default_rng(1)
start, year = 1_483_228_800_000_000, 365 * 86_400_000_000
def batch(n):
    at = pa.array(start + generator.integers(0, year, n)).cast(pa.timestamp("us"))
    text = pa.array(generator.integers(0, 10**9, n).astype(str))
    return pa.record_batch({{"id": generator.integers(0, 9, n), "label": text, "at": at}})
schema = batch(1).schema
stream = (batch(50_000) for _ in range({count} // 50_000))
reader = pa.RecordBatchReader.from_batches(schema, stream)
files = write_staged(reader, Path({str(folder)!r}), made_for, [day(n) for n in range(365)])
assert sum(file.rows for file in files) == {count}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=300,
        check=True,
    )
    return done.stdout


# -- folders -------------------------------------------------------------------------------------


def test_an_attempt_says_who_owns_it(tmp_path: Path) -> None:
    attempt = staging_area.new_attempt(tmp_path, "b1")
    owner = json.loads((attempt / staging_area.OWNER).read_text())
    assert owner["pid"] == os.getpid()
    assert staging_area.attempts_of(tmp_path, "b1") == [attempt]
    assert staging_area.remove_orphans(tmp_path, lambda _: False) == []


def test_a_dead_owners_attempt_is_removed_and_a_published_one_is_not(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from shared_resources.stores.staging import staging_area as s;"
        f"print(s.new_attempt(Path({str(tmp_path)!r}), 'b1'))"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        for _ in range(2)
    ]
    dead, published = (Path(done.stdout.strip()) for done in made)
    removed = staging_area.remove_orphans(tmp_path, lambda attempt: attempt == published)
    assert removed == [str(dead)]
    assert published.is_dir()


def test_an_attempt_of_another_machine_waits_for_its_age(tmp_path: Path) -> None:
    attempt = staging_area.new_attempt(tmp_path, "b1")
    owner = {"host": "elsewhere", "pid": 1, "started": "0"}
    (attempt / staging_area.OWNER).write_text(json.dumps(owner))
    assert staging_area.remove_orphans(tmp_path, lambda _: False) == []
    two_days_ago = time.time() - timedelta(days=2).total_seconds()
    os.utime(attempt, (two_days_ago, two_days_ago))
    assert staging_area.remove_orphans(tmp_path, lambda _: False) == [str(attempt)]


def test_a_container_of_the_same_name_counts_processes_of_its_own(tmp_path: Path) -> None:
    attempt = staging_area.new_attempt(tmp_path, "b1")
    dead = staging_area.this_process() | {"started": "0"}
    (attempt / staging_area.OWNER).write_text(json.dumps(dead | {"host": socket.gethostname()}))
    assert staging_area.remove_orphans(tmp_path, lambda _: False) == []
    (attempt / staging_area.OWNER).write_text(json.dumps(dead))
    assert staging_area.remove_orphans(tmp_path, lambda _: False) == [str(attempt)]


def test_an_unsigned_attempt_is_left_alone_for_a_moment(tmp_path: Path) -> None:
    attempt = tmp_path / "b1" / "just-made"
    attempt.mkdir(parents=True)
    assert staging_area.remove_orphans(tmp_path, lambda _: False) == []
    an_hour_ago = time.time() - 3_600
    os.utime(attempt, (an_hour_ago, an_hour_ago))
    assert staging_area.remove_orphans(tmp_path, lambda _: False) == [str(attempt)]
    assert not attempt.parent.exists()


def test_days_are_calendar_days() -> None:
    assert date.fromisoformat(day(365)) == date(2018, 1, 1)
