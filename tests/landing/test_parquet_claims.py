"""What the footer of an adopted file says: proven, or not said any more."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.landing.formats.parquet.claims import proven_footer, write_footer
from shared_resources.landing.reader import stage_object
from tests.landing.staging import landing_contract

COLUMNS = {"id": "int", "name": "text"}
CONTRACT = landing_contract("parquet", COLUMNS)
ROWS = pa.table(
    {
        "id": pa.array([i % 10 for i in range(1000)], pa.int64()),
        "name": pa.array([f"name {i % 10}" for i in range(1000)]),
    }
)


def by_pyarrow(**options: Any) -> Callable[[Path], None]:
    return lambda file: pq.write_table(ROWS, file, **options)


def by_duckdb(file: Path) -> None:
    """With Bloom filters and the number of different values."""
    duckdb.from_arrow(ROWS).write_parquet(str(file))


WRITERS = {
    "page index": by_pyarrow(write_page_index=True),
    "sorted": by_pyarrow(sorting_columns=[pq.SortingColumn(0)]),
    "both, in groups": by_pyarrow(
        write_page_index=True, sorting_columns=[pq.SortingColumn(1)], row_group_size=100
    ),
    "Bloom filters": by_duckdb,
}


def claims(file: Path) -> set[str]:
    """Which unproven claims the engines still find in the file."""
    metadata = pq.read_metadata(file)
    found = set()
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        found |= {"sorted"} if group.sorting_columns else set()
        for column in map(group.column, range(group.num_columns)):
            found |= {"offset index"} if column.has_offset_index else set()
            found |= {"column index"} if column.has_column_index else set()
            found |= {"Bloom filter"} if column.bloom_filter_offset is not None else set()
            found |= {"distinct"} if column.statistics.has_distinct_count else set()
    return found


def adopted(file: Path, tmp_path: Path) -> tuple[Path, bool]:
    """The staged file, and whether its pages are the landed ones."""
    (staged,) = stage_object(CONTRACT, file, "a/b.parquet", tmp_path / "staged").files
    content, landed = staged.path.read_bytes(), file.read_bytes()
    pages = len(landed) - 8 - int.from_bytes(landed[-8:-4], "little")
    return staged.path, content[:pages] == landed[:pages]


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_not_proven_is_not_said_and_the_pages_stay(tmp_path: Path, writer: str) -> None:
    file = tmp_path / "landed.parquet"
    WRITERS[writer](file)
    before = file.read_bytes()
    assert claims(file)
    staged, same_pages = adopted(file, tmp_path)
    assert same_pages and not claims(staged)
    assert file.read_bytes() == before
    assert pq.read_table(staged).equals(ROWS)
    assert pq.read_metadata(staged).row_group(0).column(0).statistics.max == 9
    assert duckdb.read_parquet(str(staged)).order("id, name").fetchall() == sorted(
        zip(*ROWS.to_pydict().values(), strict=True)
    )
    assert proven_footer(staged, pq.read_metadata(staged)) is None


@pytest.mark.parametrize("writer", [by_pyarrow(), by_pyarrow(compression="zstd")])
def test_a_file_without_such_claims_stays_as_it_is(
    tmp_path: Path, writer: Callable[[Path], None]
) -> None:
    file = tmp_path / "landed.parquet"
    writer(file)
    staged, _ = adopted(file, tmp_path)
    assert staged.read_bytes() == file.read_bytes()


def test_a_filter_that_lies_hides_no_row(tmp_path: Path) -> None:
    """Nothing decodes it, and no checksum covers it: a bit of the disk is enough."""
    file = tmp_path / "landed.parquet"
    by_duckdb(file)
    column = pq.read_metadata(file).row_group(0).column(0)
    end = column.bloom_filter_offset + column.bloom_filter_length
    content = bytearray(file.read_bytes())
    content[end - 32 : end] = bytes(32)
    file.write_bytes(content)

    def threes(of: Path) -> int:
        return len(duckdb.read_parquet(str(of)).filter("id = 3").fetchall())

    assert threes(file) == 0
    assert threes(adopted(file, tmp_path)[0]) == 100


def footer_changed(rows: pa.Table, change: Callable[[bytes], bytes], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink, **options)
    content = sink.getvalue()
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    changed = change(content[start:-8])
    assert changed != content[start:-8] and len(changed) == len(content[start:-8])
    return content[:start] + changed + content[-8:]


def as_long(value: int | str) -> bytes:
    return value.to_bytes(8, "little") if isinstance(value, int) else value.encode()


@pytest.mark.parametrize(
    ("values", "true", "loose"),
    [([7, 123456789], 123456789, 223456789), (["able", "zone"], "zone", "zoom")],
)
def test_bounds_that_no_row_has_are_no_bounds(
    tmp_path: Path, values: list[Any], true: Any, loose: Any
) -> None:
    """The format allows them, and DuckDB answers from them."""
    contract = landing_contract("parquet", {"v": "int" if isinstance(true, int) else "text"})
    file = tmp_path / "landed.parquet"
    file.write_bytes(
        footer_changed(
            pa.table({"v": values}), lambda footer: footer.replace(as_long(true), as_long(loose))
        )
    )
    assert duckdb.read_parquet(str(file)).max("v").fetchall() == [(loose,)]
    (staged,) = stage_object(contract, file, "a/b.parquet", tmp_path / "staged").files
    assert duckdb.read_parquet(str(staged.path)).max("v").fetchall() == [(true,)]
    assert pq.read_table(staged.path)["v"].to_pylist() == values


def test_bounds_of_another_time_are_those_of_today_or_none(tmp_path: Path) -> None:
    """A footer has them twice, and which pair an engine takes depends on its age."""
    file = tmp_path / "landed.parquet"
    true, lie = as_long(123456789), as_long(5)
    rows = pa.table({"id": pa.array([7, 123456789], pa.int64()), "name": ["a", "b"]})
    file.write_bytes(footer_changed(rows, lambda footer: footer.replace(true, lie, 1)))
    assert pq.read_metadata(file).row_group(0).column(0).statistics.max == 123456789
    staged, same_pages = adopted(file, tmp_path)
    content = staged.read_bytes()
    assert same_pages and lie not in content[content.rindex(b"id") - 200 :]
    assert pq.read_table(staged).equals(rows)
    assert pq.read_metadata(staged).row_group(0).column(0).statistics.max == 123456789


# Of an old library whose bounds of texts were false; and no order of columns, filled up with fields
# that nobody knows.
OLD_WRITER = (b"parquet-cpp-arrow version 26.0.1"[:26], b"parquet-mr version 1.6.0 (")
NO_ORDERS = (b"\x19\x2c\x1c\x00\x00\x1c\x00\x00", b"\xf1" * 7 + b"\x11")


@pytest.mark.parametrize("doubt", [OLD_WRITER, NO_ORDERS], ids=["writer", "order"])
def test_bounds_that_arrow_does_not_show_are_not_proven(
    tmp_path: Path, doubt: tuple[bytes, bytes]
) -> None:
    """It doubts the writer's of texts; without an order it shows the old ones, which texts have not,
    and numbers have beside those of today. DuckDB answers from these."""
    rows = pa.table(
        {"id": pa.array([123456789, 5, 7], pa.int64()), "name": ["able", "mild", "zone"]}
    )

    def changed(footer: bytes) -> bytes:
        assert doubt[0] in footer
        footer = footer.replace(*doubt).replace(b"zone", b"calm")
        before, true, after = footer.rpartition(as_long(123456789))  # the old ones stand first
        return before + (as_long(9) if doubt is NO_ORDERS else true) + after

    file = tmp_path / "landed.parquet"
    file.write_bytes(footer_changed(rows, changed, store_schema=False))
    said = pq.read_metadata(file).row_group(0).column(1).statistics
    assert said is None or not said.has_min_max
    assert not duckdb.read_parquet(str(file)).filter("name > 'd'").fetchall()
    staged, _ = adopted(file, tmp_path)
    assert pq.read_table(staged).equals(rows)
    found = duckdb.read_parquet(str(staged))
    assert found.filter("name > 'd'").fetchall() == [(5, "mild"), (7, "zone")]
    assert found.filter("id > 9").fetchall() == [(123456789, "able")]


def test_a_count_of_nulls_that_arrow_does_not_show_is_not_proven(tmp_path: Path) -> None:
    """DuckDB looks for no null where there is said to be none."""
    rows = pa.table({"id": pa.array([1, 5, 7], pa.int64()), "name": ["able", None, "zone"]})

    def changed(footer: bytes) -> bytes:
        one, none = b"\x36\x02\x28\x04zone", b"\x36\x00\x28\x04zone"
        assert one in footer
        return footer.replace(*OLD_WRITER).replace(one, none)

    file = tmp_path / "landed.parquet"
    file.write_bytes(footer_changed(rows, changed, store_schema=False))
    assert not duckdb.read_parquet(str(file)).filter("name IS NULL").fetchall()
    staged, _ = adopted(file, tmp_path)
    assert pq.read_table(staged).equals(rows)
    assert duckdb.read_parquet(str(staged)).filter("name IS NULL").fetchall() == [(5, None)]


def test_bounds_of_a_column_without_a_value_are_a_lie(tmp_path: Path) -> None:
    file, five = tmp_path / "landed.parquet", as_long(5)
    nulls = pa.table({"id": pa.array([None] * 4, pa.int64()), "name": ["a"] * 4})
    pq.write_table(nulls, file, use_dictionary=False)
    content = file.read_bytes()
    footer = content[len(content) - 8 - int.from_bytes(content[-8:-4], "little") : -8]
    # Of the statistics, field 12 of a column: the count of nulls alone; and between two pairs of bounds.
    honest = b"\x3c\x36\x08\x00"
    bound = b"\x18\x08" + five
    lying = b"\x3c" + bound * 2 + b"\x16\x08" + b"\x28\x08" + five + bound + b"\x00"
    assert footer.count(honest) == 1
    write_footer(file, footer.replace(honest, lying))
    said = pq.read_metadata(file).row_group(0).column(0).statistics
    assert (said.min, said.max, said.null_count) == (5, 5, 4)
    staged, _ = adopted(file, tmp_path)
    assert not pq.read_metadata(staged).row_group(0).column(0).statistics.has_min_max
    assert pq.read_table(staged).equals(nulls)


def test_a_text_of_the_dictionary_that_no_row_has_is_no_bound(tmp_path: Path) -> None:
    contract = landing_contract("parquet", {"name": "text"})
    texts = pa.DictionaryArray.from_arrays(
        pa.array([0, 1] * 5000, pa.int32()), pa.array(["able", "mild", "zone"])
    )
    file = tmp_path / "landed.parquet"
    # Arrow writes the dictionary as it is, and the bounds of what is used of it.
    pq.write_table(pa.table({"name": texts}), file, store_schema=False)
    assert b"zone" in file.read_bytes()
    said = pq.read_metadata(file).row_group(0).column(0).statistics
    (staged,) = stage_object(contract, file, "a/b.parquet", tmp_path / "staged").files
    column = pq.read_metadata(staged.path).row_group(0).column(0)
    assert (column.statistics.min, column.statistics.max) == ("able", "mild")
    assert (staged.path.read_bytes() == file.read_bytes()) is (said.max == "mild")
