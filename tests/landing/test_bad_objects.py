"""Bad input: each object is refused with its name and the place, or staged without a loss.

One test for each kind of bad object. `stage` checks besides that the copy is left as it was, that
the staged files have the contract's very schema, and that nothing else is left behind.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tracemalloc
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from shared_resources.landing.reader import Limits, UnreadableObject, stage_object
from tests.landing.staging import COLUMNS, Outcome, landing_contract, stage

CSV = landing_contract("csv")
JSONL = landing_contract("jsonl")
PARQUET = landing_contract("parquet")
HEADER = b"id,name,price,day\n"
ROW = {"id": 1, "name": "x", "price": 2.5, "day": date(2026, 3, 1)}
LINE = b"1,x,2.5,2026-03-01\n"
ROWS = pa.table(
    {
        "id": pa.array([1, 2], pa.int64()),
        "name": pa.array(["x", None], pa.string()),
        "price": pa.array([2.5, None], pa.float64()),
        "day": pa.array([date(2026, 3, 1), None], pa.date32()),
    }
)


def parquet_bytes(table: pa.Table = ROWS, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


GOOD = {
    "csv": (CSV, HEADER + LINE),
    "jsonl": (JSONL, b'{"id": 1, "name": "x", "price": 2.5, "day": "2026-03-01"}\n'),
    "parquet": (PARQUET, parquet_bytes(ROWS.slice(0, 1))),
}
every_format = pytest.mark.parametrize("format_", list(GOOD))


def refusal(contract: Any, content: bytes, tmp_path: Path, **options: Any) -> str:
    with pytest.raises(UnreadableObject) as caught:
        stage(contract, content, tmp_path, **options)
    message = str(caught.value)
    assert message.startswith(f"shop/items/{options.get('name', 'items')}")
    assert message.endswith("."), message
    assert "; " in message, "no remedy"
    return message


@pytest.mark.parametrize(
    ("name", "compress"), [("x.gz", gzip.compress), ("x.zst", zstandard.compress)]
)
def test_what_is_compressed_twice_is_not_told_to_be_named_so(
    tmp_path: Path, name: str, compress: Any
) -> None:
    twice = compress(gzip.compress(HEADER + LINE))
    said = refusal(CSV, twice, tmp_path, name=name)
    assert f"is compressed with gzip within its {name[1:]}; compress it once" in said
    assert "end its name" not in said


@every_format
def test_good_object(tmp_path: Path, format_: str) -> None:
    contract, content = GOOD[format_]
    assert stage(contract, content, tmp_path) == Outcome([ROW], [])


@every_format
def test_empty_object(tmp_path: Path, format_: str) -> None:
    assert "is empty (0 bytes)" in refusal(GOOD[format_][0], b"", tmp_path)


@pytest.mark.parametrize("content", [b"\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_text_of_blank_lines_alone(tmp_path: Path, content: bytes) -> None:
    refusal(CSV, content, tmp_path)


def test_header_alone_is_an_empty_batch(tmp_path: Path) -> None:
    assert stage(CSV, HEADER, tmp_path) == Outcome([], [])


# Truncated ---------------------------------------------------------------------------------------


def test_truncated_csv_never_gives_a_shortened_value(tmp_path: Path) -> None:
    content = HEADER + b'1,"x\ny",2.5,2026-03-01\n2,z,12345.25,2026-03-02\n'
    whole = stage(CSV, content, tmp_path).rows
    for size in range(1, len(content)):
        folder = tmp_path / str(size)
        folder.mkdir()
        try:
            outcome = stage(CSV, content[:size], folder)
        except UnreadableObject:
            continue
        assert outcome.rows == whole[: len(outcome.rows)]
        assert outcome.rejects or content[:size].endswith(b"\n")


def test_truncated_json_lines(tmp_path: Path) -> None:
    content = GOOD["jsonl"][1]
    outcome = stage(JSONL, content + content[:30], tmp_path)
    assert outcome.rows == [ROW]
    assert outcome.problems[0][0] == 2 and "is no JSON" in outcome.problems[0][2]


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.9, 0.999])
def test_truncated_parquet(tmp_path: Path, kept: float) -> None:
    content = parquet_bytes()
    assert "no whole Parquet file" in refusal(
        PARQUET, content[: int(len(content) * kept)], tmp_path
    )


@pytest.mark.parametrize("suffix", ["gz", "zst"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_truncated_compression(tmp_path: Path, suffix: str, kept: float) -> None:
    plain = HEADER + b"".join(b"%d,x,2.5,2026-03-01\n" % i for i in range(50_000))
    content = gzip.compress(plain) if suffix == "gz" else zstandard.compress(plain)
    message = refusal(CSV, content[: int(len(content) * kept)], tmp_path, name=f"i.csv.{suffix}")
    assert "cut off or damaged" in message and "line " in message


# Not of its format -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (parquet_bytes(), "is a Parquet file"),
        (gzip.compress(HEADER + LINE, mtime=0), "end its name with .gz"),
        (zstandard.compress(HEADER + LINE), "end its name with .zst"),
        (b"PK\x03\x04" + bytes(100), "spreadsheet"),
    ],
)
def test_text_that_is_another_format(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    assert said in refusal(GOOD[name][0], content, tmp_path)


def test_parquet_that_is_text(tmp_path: Path) -> None:
    assert "no whole Parquet file" in refusal(PARQUET, HEADER + LINE * 100, tmp_path)


def test_compressed_name_without_compression(tmp_path: Path) -> None:
    assert "gzip" in refusal(CSV, HEADER + LINE, tmp_path, name="items.csv.gz")


def test_json_array_in_place_of_lines(tmp_path: Path) -> None:
    message = refusal(JSONL, b'[\n{"id": 1},\n{"id": 2}\n]\n', tmp_path)
    assert "JSON array" in message and "jq" in message


def test_pretty_printed_json(tmp_path: Path) -> None:
    assert "spreads an object over lines" in refusal(JSONL, b'{\n  "id": 1\n}\n', tmp_path)


def test_csv_in_place_of_json_lines(tmp_path: Path) -> None:
    assert "no JSON object" in refusal(JSONL, HEADER + LINE, tmp_path)


def test_csv_without_header(tmp_path: Path) -> None:
    message = refusal(CSV, b"7,secret,2.5,2026-03-01\n" * 3, tmp_path)
    assert "none of the contract's columns" in message
    assert "secret" not in message, "the first row's values may be classified"


def test_csv_of_another_delimiter(tmp_path: Path) -> None:
    assert "delimiter" in refusal(CSV, (HEADER + LINE).replace(b",", b";"), tmp_path)


# Encodings ---------------------------------------------------------------------------------------


@every_format
def test_byte_order_mark(tmp_path: Path, format_: str) -> None:
    contract, content = GOOD[format_]
    if format_ == "parquet":
        refusal(contract, b"\xef\xbb\xbf" + content, tmp_path)
    else:
        assert stage(contract, b"\xef\xbb\xbf" + content, tmp_path) == Outcome([ROW], [])


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32"])
def test_undeclared_encoding(tmp_path: Path, encoding: str) -> None:
    text = (HEADER + LINE).decode() + "2,Käse,1.0,2026-03-02\n"
    message = refusal(CSV, text.encode(encoding), tmp_path)
    assert "encoding" in message and "line " in message


def test_undeclared_encoding_far_into_the_object_names_its_line(tmp_path: Path) -> None:
    content = HEADER + LINE * 200_000 + "2,Käse,1.0,2026-03-02\n".encode("latin-1")
    assert "line 200002" in refusal(CSV, content, tmp_path)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-be", "utf-8-sig"])
def test_declared_encoding(tmp_path: Path, encoding: str) -> None:
    text = HEADER.decode() + "1,Käse,2.5,2026-03-01\n" * 3
    contract = landing_contract("csv", encoding=encoding)
    assert stage(contract, text.encode(encoding), tmp_path).rows == [{**ROW, "name": "Käse"}] * 3


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_nul_bytes(tmp_path: Path, name: str) -> None:
    contract, content = GOOD[name]
    message = refusal(contract, content + content.splitlines()[-1] + b"\0\n", tmp_path)
    assert "NUL byte" in message and f"line {3 if name == 'csv' else 2}" in message


def test_nul_character_in_json(tmp_path: Path) -> None:
    outcome = stage(JSONL, GOOD["jsonl"][1] + b'{"name": "a\\u0000b"}\n', tmp_path)
    assert outcome.rows == [ROW] and "NUL" in outcome.problems[0][2]


# Rows and cells ----------------------------------------------------------------------------------


def test_ragged_rows_are_kept_with_their_lines(tmp_path: Path) -> None:
    content = HEADER + LINE + b"2,y\n" + LINE + b'3,"a\nb",1,2026-03-01,extra\n' + b"4\n" + LINE
    outcome = stage(CSV, content, tmp_path)
    assert outcome.rows == [ROW] * 3
    assert outcome.problems == [
        (3, None, "2 cells where the header has 4"),
        (5, None, "5 cells where the header has 4"),
        (7, None, "1 cells where the header has 4"),
    ]
    assert json.loads(outcome.rejects[1]["_raw"]) == {
        "_cells": ["3", "a\nb", "1", "2026-03-01", "extra"]
    }


def test_quoted_newlines(tmp_path: Path) -> None:
    content = HEADER + b'1,"a\nb\r\nc\rd",2.5,2026-03-01\n' * 3
    assert stage(CSV, content, tmp_path).rows == [{**ROW, "name": "a\nb\r\nc\rd"}] * 3


def test_quotes_delimiters_and_blanks_stay_in_their_cells(tmp_path: Path) -> None:
    for cell, value in {
        b'"a,b"': "a,b",
        b'"say ""x"""': 'say "x"',
        b'5" pipe': '5" pipe',
        b" x ": " x ",
        b'" "': " ",
        b'""': "",
        b"": None,
        b"NULL": "NULL",
        b"007": "007",
        b"#x": "#x",
    }.items():
        outcome = stage(CSV, HEADER + b"1," + cell + b",2.5,2026-03-01\n", tmp_path)
        assert outcome.rows == [{**ROW, "name": value}], cell


def test_null_text_counts_unquoted_alone(tmp_path: Path) -> None:
    contract = landing_contract("csv", null_text="NA")
    for more in (b"", b"ragged\n"):  # the fast parser, then the careful one
        content = HEADER + b'1,NA,NA,NA\n2,"NA",1,2026-03-01\n3,,1,2026-03-01\n' + more
        rows = stage(contract, content, tmp_path).rows
        assert [row["name"] for row in rows] == [None, "NA", ""]
        assert rows[0]["price"] is None and rows[0]["day"] is None


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (b'"never closed', "never closed"),
        (b'"closed" and more', "closing quote"),
        (b'"closed" ', "closing quote"),
    ],
)
def test_damaged_quotes(tmp_path: Path, cell: bytes, said: str) -> None:
    content = HEADER + LINE * 5 + b"2," + cell + b",2.5,2026-03-01\n" + LINE * 5
    message = refusal(CSV, content, tmp_path)
    assert said in message and "line 7" in message


def test_quotes_that_even_out_over_lines_lose_no_row(tmp_path: Path) -> None:
    """Two strays make one long cell of what lies between: its row is ragged, and kept."""
    content = HEADER + b'1,"x,2.5,2026-03-01\n' + LINE * 3 + b'1,y",2.5,2026-03-01\n' + LINE
    outcome = stage(CSV, content, tmp_path)
    assert outcome.rows[-1] == ROW
    assert len(outcome.rows) + len(outcome.rejects) == 2
    assert all(LINE.decode() * 3 in (row["name"] or "") for row in outcome.rows[:-1])


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("id", "9223372036854775808"),
        ("id", "-9223372036854775809"),
        ("id", "3.7"),
        ("id", "3.0"),
        ("id", "007"),
        ("id", "1e3"),
        ("id", "1_000"),
        ("id", "0x10"),
        ("id", " 7"),
        ("id", "+7"),
        ("id", "٣"),
        ("price", "1e999"),
        ("price", "1e-999"),
        ("price", "nan"),
        ("price", "NaN"),
        ("price", "inf"),
        ("price", "-Infinity"),
        ("price", "1.5"),
        ("price", "1;5"),
        ("price", "2.5 €"),
        ("day", "2026-02-30"),
        ("day", "2026-13-01"),
        ("day", "0000-01-01"),
        ("day", "01.03.2026"),
        ("day", "2026-3-1"),
        ("day", "2026-03-01 00:00:00"),
        ("day", "infinity"),
        ("day", "2017-01-01 (BC)"),
        ("day", "epoch"),
    ],
)
@pytest.mark.parametrize("careful", [False, True])
def test_text_that_is_no_value(tmp_path: Path, column: str, text: str, careful: bool) -> None:
    if text == "1.5":
        text = "1,5"
    cells = {"id": "2", "name": "y", "price": "1", "day": "2026-03-02", column: text}
    written = ",".join(f'"{cell}"' if "," in cell else cell for cell in cells.values())
    content = HEADER + LINE + written.encode() + b"\n" + LINE + (b"\n" if careful else b"")
    outcome = stage(CSV, content, tmp_path)
    assert outcome.rows == [ROW] * 2
    (reject,) = outcome.rejects
    assert (reject["_object"], reject["_row"]) == ("shop/items/items", 2)
    assert reject["_line"] == 3 or '"' in written
    assert json.loads(reject["_raw"]) == cells
    (reason,) = reject["_reasons"]
    assert (reason["column"], reason["value"]) == (column, text)
    assert reason["problem"]


TYPED = {
    "small": "int32",
    "single": "float32",
    "amount": "decimal",
    "flag": "bool",
    "at": "timestamp",
    "instant": "timestamp_tz",
}


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("small", "2147483648", "out of the range of INTEGER"),
        ("single", "1e39", "out of the range of FLOAT"),
        ("amount", "1.005", "more decimal places than the 2"),
        ("amount", "10000000000.00", "out of the range"),
        ("amount", "1e2", "no exponent"),
        ("flag", "1", "neither true nor false"),
        ("flag", "yes", "neither true nor false"),
        ("at", "2026-03-01", "without a time of day"),
        ("at", "2026-03-01T10:00:00Z", "has a time zone"),
        ("at", "2026-03-01T25:00:00", "not a point in time"),
        ("at", "2026-02-30T10:00:00", "no day of the calendar"),
        ("at", "2026-03-01T10:00:00.1234567", "finer than microseconds"),
        ("instant", "2026-03-01T10:00:00", "has no time zone"),
        ("instant", "2026-03-01T10:00:00+25:00", "not a point in time"),
        ("instant", "2026-03-01T10:00:00 Europe/Berlin", "not a point in time"),
        ("instant", "0001-01-01T00:00:00+14:00", "out of the years 1 to 9999"),
    ],
)
def test_text_that_is_no_value_of_other_types(
    tmp_path: Path, column: str, text: str, said: str
) -> None:
    header = ",".join(TYPED).encode()
    cells = ",".join(text if name == column else "" for name in TYPED).encode()
    outcome = stage(landing_contract("csv", TYPED), header + b"\n" + cells + b"\n", tmp_path)
    assert outcome.rows == []
    assert said in outcome.problems[0][2]


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        (b'{"id": "7"}', "id", "a JSON string where BIGINT is a JSON number"),
        (b'{"id": 7.5}', "id", "no integer"),
        (b'{"id": true}', "id", "true or false"),
        (b'{"id": 9223372036854775808}', "id", "out of the range"),
        (b'{"id": [7]}', "id", "JSON array"),
        (b'{"name": 7}', "name", "a JSON number where VARCHAR is a JSON string"),
        (b'{"name": {"first": "x"}}', "name", "JSON object"),
        (b'{"name": "\\ud800"}', "name", "surrogate"),
        (b'{"day": "2026-02-30"}', "day", "no day of the calendar"),
        (b'{"price": 1e999}', "price", "out of the range"),
        (b'{"price": NaN}', None, "NaN is no JSON value"),
        (b'{"id": 1, "unknown": "kept?"}', "unknown", "its value would be lost"),
        (b'{"id": 1, "id": 2}', None, "'id' occurs twice"),
        (b'{"id": 1,}', None, "is no JSON"),
        (b"{'id': 1}", None, "is no JSON"),
        (b'{"id": 1} {"id": 2}', None, "is no JSON"),
        (b'{"id": 007}', None, "is no JSON"),
        (b'"text"', None, "is no JSON object"),
        (b"[" * 100_000, None, "nested too deeply"),
    ],
)
def test_json_line_that_is_no_row(
    tmp_path: Path, line: bytes, column: str | None, said: str
) -> None:
    good = GOOD["jsonl"][1]
    outcome = stage(JSONL, good + b"\n" + line + b"\n" + good, tmp_path)
    assert outcome.rows == [ROW] * 2
    (problem,) = outcome.problems
    assert problem[:2] == (3, column)
    assert said in problem[2]
    raw = json.loads(outcome.rejects[0]["_raw"])
    assert raw == {"_text": line.decode()} or "_text" not in raw


def test_json_numbers_keep_every_digit(tmp_path: Path) -> None:
    contract = landing_contract("jsonl", {"id": "int", "amount": "decimal", "price": "float"})
    content = (
        b'{"id": 9223372036854775807, "amount": 12345678.91, "price": 1E-7}\n'
        b'{"id": 7.0, "amount": 1.25e3, "price": 7}\n{"id": -0, "amount": -0.10, "price": null}\n'
    )
    outcome = stage(contract, content, tmp_path)
    assert [[str(v) for v in row.values()] for row in outcome.rows] == [
        ["9223372036854775807", "12345678.91", "1e-07"],
        ["7", "1250.00", "7.0"],
        ["0", "-0.10", "None"],
    ]
    assert not outcome.rejects


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_million_character_field(tmp_path: Path, quote: bytes) -> None:
    long = "é" * 1_000_000
    cell = quote + long.encode() + quote
    rows = stage(CSV, HEADER + b"1," + cell + b",2.5,2026-03-01\n" + LINE, tmp_path).rows
    assert rows == [{**ROW, "name": long}, ROW]
    line = json.dumps({"id": 1, "name": long, "price": 2.5, "day": "2026-03-01"})
    assert stage(JSONL, line.encode(), tmp_path).rows == [{**ROW, "name": long}]


# Columns -----------------------------------------------------------------------------------------


def test_reordered_columns(tmp_path: Path) -> None:
    assert stage(CSV, b"day,id,price,name\n2026-03-01,1,2.5,x\n", tmp_path).rows == [ROW]
    content = b'{"day": "2026-03-01", "price": 2.5, "name": "x", "id": 1}'
    assert stage(JSONL, content, tmp_path).rows == [ROW]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"id,name,price\n", "lacks the column 'day'"),
        (b"id,name,price,day,vat\n", "does not know: 'vat'"),
        (b"id,name,price,day,id\n", "more than once: 'id'"),
        (b"id,name,price,Day\n", "'Day'"),
        (b"id,name,price,\n", "does not know: ''"),
    ],
)
def test_missing_extra_and_duplicate_columns(tmp_path: Path, header: bytes, said: str) -> None:
    message = refusal(CSV, header + LINE, tmp_path)
    assert said in message and "line 1" in message


def test_missing_json_fields_are_nulls(tmp_path: Path) -> None:
    assert stage(JSONL, b'{"id": 1}\n', tmp_path).rows == [{**dict.fromkeys(COLUMNS), "id": 1}]


# Parquet -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (ROWS.drop_columns(["day"]), "lacks the column 'day'"),
        (ROWS.append_column("vat", pa.array([1, 2])), "does not know: 'vat'"),
        (pa.table([*ROWS.columns, ROWS["id"]], [*ROWS.column_names, "id"]), "more than once: 'id'"),
    ],
)
def test_parquet_of_other_columns(tmp_path: Path, table: pa.Table, said: str) -> None:
    assert said in refusal(PARQUET, parquet_bytes(table), tmp_path)


def test_duplicate_parquet_rows_and_nulls_are_the_audits(tmp_path: Path) -> None:
    doubled = pa.concat_tables([ROWS, ROWS])
    assert stage(PARQUET, parquet_bytes(doubled), tmp_path).rows == ROWS.to_pylist() * 2


# Compression -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["gz", "zst", "GZ"])
@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_compressed_text(tmp_path: Path, suffix: str, name: str) -> None:
    contract, content = GOOD[name]
    compress = zstandard.compress if suffix == "zst" else gzip.compress
    # Two members, as `cat a.gz b.gz` makes them: the second one is no garbage.
    half = len(content) // 2
    packed = compress(content[:half]) + compress(content[half:])
    assert stage(contract, packed, tmp_path, name=f"items.{name}.{suffix}").rows == [ROW]


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_garbage_after_the_compression(tmp_path: Path, suffix: str) -> None:
    compress = zstandard.compress if suffix == "zst" else gzip.compress
    content = compress(HEADER + LINE) + b"garbage"
    assert "damaged" in refusal(CSV, content, tmp_path, name=f"items.csv.{suffix}")


def bomb(suffix: str) -> bytes:
    """A hundred megabytes of good rows in less than one."""
    plain = HEADER + LINE * (100_000_000 // len(LINE))
    packed = gzip.compress(plain) if suffix == "gz" else zstandard.compress(plain)
    assert len(packed) * 100 < len(plain)
    return packed


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_compressed_bomb_stops_at_the_limit(tmp_path: Path, suffix: str) -> None:
    content = bomb(suffix)
    tracemalloc.start()
    try:
        limits = Limits(expanded_bytes=5_000_000)
        message = refusal(CSV, content, tmp_path, name=f"items.csv.{suffix}", limits=limits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "expands to more than 5,000,000 bytes" in message
    assert peak < 32 << 20
    assert not [path for path in (tmp_path / "staging").rglob("*") if path.is_file()]


def test_compressed_bomb_stops_before_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage(100, 100, 10_000_000)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "5,000,000" in refusal(CSV, bomb("zst"), tmp_path, name="items.csv.zst")


def test_endless_line_is_refused_early(tmp_path: Path) -> None:
    content = gzip.compress(HEADER + b"x" * 100_000_000)
    limits = Limits(record_bytes=1_000_000)
    message = refusal(CSV, content, tmp_path, name="items.csv.gz", limits=limits)
    assert "line 2" in message and "1,000,000 bytes" in message


def test_endless_quoted_cell_is_refused(tmp_path: Path) -> None:
    content = HEADER + b'1,"' + b"some text\n" * 300_000
    message = refusal(CSV, content, tmp_path, limits=Limits(record_bytes=1_000_000))
    assert "line 2" in message and "quote not closed" in message


def test_a_json_field_whose_name_cannot_be_stored_is_named_with_escapes(tmp_path: Path) -> None:
    """Half of a surrogate pair, or a NUL: as the name of a field they ended the run with a
    UnicodeEncodeError, whatever became of its value."""
    lines = b'{"id": 1, "\\ud800": 2}\n{"id": 2, "a\\u0000": null}\n{"id": 3}\n'
    outcome = stage(landing_contract("jsonl", {"id": "int"}), lines, tmp_path)
    assert outcome.rows == [{"id": 3}]
    assert [column for _, column, _ in outcome.problems] == ["\\ud800", "a\\0"]

    lenient = landing_contract("jsonl", {"id": "int"}, ignores_extra=True)
    copy = tmp_path / "copy"
    staged = stage_object(lenient, copy, "shop/items/x", tmp_path / "again")
    assert staged.ignored == ("\\ud800", "a\\0")
    assert staged.rejects is None
