"""Frames written in each format, damaged at random, and staged: no value changes, no row is lost.

What is staged is compared with a parser that shares nothing with the platform's: Python's `csv` and
`json`. An object is either refused with `UnreadableObject`, or every row of it is staged as that
parser reads it, or kept as a reject. Nothing else may happen, and nothing may hang.
"""

from __future__ import annotations

import csv
import io
import json
import math
import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared_resources.contracts.types import arrow_schema
from shared_resources.landing.formats.csv import CsvObject
from shared_resources.landing.reader import UnreadableObject
from tests.landing.staging import Outcome, landing_contract, stage

COLUMNS = {
    "id": "int",
    "small": "int32",
    "name": "text",
    "price": "float",
    "single": "float32",
    "amount": "decimal",
    "flag": "bool",
    "day": "date",
    "at": "timestamp",
    "instant": "timestamp_tz",
}
pytestmark = pytest.mark.slow
FUZZ = settings(
    max_examples=150,
    deadline=timedelta(seconds=60),  # for a hang, not for slowness on a busy machine
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
TEXT = st.text(
    st.one_of(
        st.sampled_from(list('ab01"\n\r,; \t\\|#é€𝄞\ufeff\u2028\x1a')),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(-(2**63), 2**63 - 1),
    "small": st.integers(-(2**31), 2**31 - 1),
    "name": TEXT,
    "price": st.floats(allow_nan=False, allow_infinity=False),
    "single": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "amount": st.decimals(-(10**10) + 1, 10**10 - 1, places=2),
    "flag": st.booleans(),
    "day": st.dates(),
    "at": st.datetimes(),
    "instant": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
}
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | value for name, value in VALUES.items()}), max_size=6
)
CELLS = st.lists(
    st.lists(
        st.one_of(
            TEXT,
            st.sampled_from(
                [
                    "",
                    "1",
                    "-1",
                    "007",
                    "3.7",
                    "1e5",
                    "1e999",
                    "nan",
                    "inf",
                    "true",
                    "T",
                    "2026-02-30",
                    "2026-03-01",
                    "2026-03-01 10:00:00",
                    "2026-03-01T10:00:00.5Z",
                    "2026-03-01T10:00:00+05:30",
                    "0001-01-01",
                    ".5",
                    "1.50",
                    "NULL",
                    " 1",
                    "+1",
                    "-0",
                    "99999999999999999999999999999",
                ]
            ),
        ),
        min_size=len(COLUMNS),
        max_size=len(COLUMNS),
    ),
    max_size=6,
)
MUTATION = st.tuples(
    st.sampled_from(["truncate", "flip", "insert", "duplicate", "delete"]),
    st.integers(0, 10_000),
    st.sampled_from(
        [
            b"\0",
            b'"',
            b",",
            b"\n",
            b"\r",
            b"\r\n",
            b" ",
            b"\xff",
            b"\xc3",
            b"{",
            b"}",
            b"\\",
            b"\xef\xbb\xbf",
            b'""',
            b'" ',
            b"x",
            b"\x1f\x8b",
            b"PAR1",
            b"[",
            b"\n\n",
        ]
    ),
)
MUTATIONS = st.lists(MUTATION, max_size=3)
ENCODINGS = st.sampled_from(["utf-8"] * 6 + ["latin-1", "utf-16", "utf-8-sig", "cp1252"])


def mutate(content: bytes, mutations: list[tuple[str, int, bytes]]) -> bytes:
    for kind, seed, token in mutations:
        at = seed % (len(content) + 1)
        match kind:
            case "truncate":
                content = content[:at]
            case "flip" if at < len(content):
                content = content[:at] + bytes([content[at] ^ (1 << seed % 8)]) + content[at + 1 :]
            case "insert":
                content = content[:at] + token + content[at:]
            case "duplicate":
                content = content[:at] + content[at // 2 : at] + content[at:]
            case "delete":
                content = content[:at] + content[at + 1 + seed % 5 :]
    return content


def staged(format_: str, content: bytes, **landing: Any) -> Outcome | None:
    """What became of the object; None when it was refused."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return stage(landing_contract(format_, COLUMNS, **landing), content, Path(folder))
        except UnreadableObject as refusal:
            assert str(refusal).startswith("shop/items/items")
            return None


# The independent parser --------------------------------------------------------------------------


def independent(name: str, text: str) -> Any:
    """The value that the text is by Python's own conversions, which are laxer than ours."""
    match COLUMNS[name]:
        case "int" | "int32":
            return int(text)
        case "float":
            return float(text)
        case "float32":
            return float(np.float32(text))
        case "decimal":
            return Decimal(text)
        case "bool":
            return {"true": True, "false": False}[text.lower()]
        case "date":
            return date.fromisoformat(text)
        case "timestamp":
            return datetime.fromisoformat(text)
        case "timestamp_tz":
            value = datetime.fromisoformat(text)
            assert value.tzinfo is not None
            return value.astimezone(UTC)
    return text


def same(staged_value: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(staged_value, float):
        return math.copysign(1, staged_value) == math.copysign(1, expected) and (
            staged_value == expected
        )
    return type(staged_value) is type(expected) and staged_value == expected


def check_csv(content: bytes, outcome: Outcome, encoding: str) -> None:
    """Every row that Python's csv reads is staged with its values, or is a reject."""
    text = content.decode(encoding).removeprefix("\ufeff")
    csv.field_size_limit(1 << 30)
    records = [r for r in csv.reader(io.StringIO(text, newline=""), strict=True) if r]
    header, records = records[0], records[1:]
    assert sorted(header) == sorted(COLUMNS)
    assert len(outcome.rows) + len(outcome.rejects) == len(records)
    rejected = {reject["_row"] for reject in outcome.rejects}
    kept = [r for number, r in enumerate(records, start=1) if number not in rejected]
    for row, record in zip(outcome.rows, kept, strict=True):
        assert len(record) == len(COLUMNS)
        for name, cell in zip(header, record, strict=True):
            if row[name] is None:
                assert cell == ""  # Python's reader cannot tell "" from nothing
            else:
                assert same(row[name], independent(name, cell)), (name, cell, row[name])


def check_json(content: bytes, outcome: Outcome, encoding: str) -> None:
    text = content.decode(encoding).removeprefix("\ufeff")
    lines = [line for line in text.split("\n") if line.strip()]
    assert len(outcome.rows) + len(outcome.rejects) == len(lines)
    rejected = {reject["_row"] for reject in outcome.rejects}
    kept = [line for number, line in enumerate(lines, start=1) if number not in rejected]
    for row, line in zip(outcome.rows, kept, strict=True):
        fields = json.loads(line, parse_float=Decimal)
        assert fields.keys() <= COLUMNS.keys()
        for name in COLUMNS:
            value = fields.get(name)
            if value is None:
                assert row[name] is None
            elif COLUMNS[name] in ("int", "int32", "decimal"):
                assert row[name] == value and not isinstance(value, bool | str)
            else:
                text = value if isinstance(value, str) else str(value)
                assert same(row[name], independent(name, text)), (name, value, row[name])


# Text --------------------------------------------------------------------------------------------


def csv_bytes(rows: list[list[Any]], encoding: str, end: str, quoting: int) -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator=end, quoting=quoting)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return sink.getvalue().encode(encoding, "replace")


def as_cells(row: dict[str, Any]) -> list[Any]:
    values = [row[name] for name in COLUMNS]
    return [value.isoformat() if isinstance(value, date) else value for value in values]


@FUZZ
@given(
    rows=ROWS.map(lambda rows: [as_cells(row) for row in rows]) | CELLS,
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=ENCODINGS,
    declared=st.sampled_from(["utf-8"] * 3 + ["latin-1", "utf-16"]),
    mutations=MUTATIONS,
)
@example([], "\n", csv.QUOTE_MINIMAL, "utf-8", "utf-8", [("insert", 10_000, b'"')])
def test_csv(
    rows: list[list[Any]],
    end: str,
    quoting: int,
    encoding: str,
    declared: str,
    mutations: list[tuple[str, int, bytes]],
) -> None:
    content = mutate(csv_bytes(rows, encoding, end, quoting), mutations)
    outcome = staged("csv", content, encoding=declared)
    if outcome is not None:
        check_csv(content, outcome, declared)


@FUZZ
@given(rows=ROWS, end=st.sampled_from(["\n", "\r\n"]))
def test_undamaged_csv_is_staged_whole(rows: list[dict[str, Any]], end: str) -> None:
    for row in rows:  # Python 3.11 leaves a CR out of quotes, which makes two lines of the row
        row["name"] = row["name"] and row["name"].replace("\r", "\n")
    content = csv_bytes([as_cells(row) for row in rows], "utf-8", end, csv.QUOTE_MINIMAL)
    outcome = staged("csv", content)
    assert outcome is not None and not outcome.rejects
    check_csv(content, outcome, "utf-8")


@FUZZ
@given(content=st.data())
def test_the_fast_and_the_careful_parser_agree(content: st.DataObject) -> None:
    cells = st.lists(st.text(st.sampled_from('a1"\n, é'), max_size=5), min_size=2, max_size=2)
    rows = content.draw(st.lists(cells, max_size=8))
    quoting = content.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    end = content.draw(st.sampled_from(["\n", "\r\n"]))
    sink = io.StringIO(newline="")
    csv.writer(sink, lineterminator=end, quoting=quoting).writerows([["a", "b"], *rows])
    text = mutate(sink.getvalue().encode(), content.draw(MUTATIONS))
    contract = landing_contract("csv", {"a": "text", "b": "text"})

    def outcome() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = stage(contract, text, Path(folder))
            except UnreadableObject as refusal:
                return str(refusal)
            return found.rows, [(r["_row"], r["_raw"]) for r in found.rejects]

    fast = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CsvObject, "fast_query", lambda _: None)
        assert outcome() == fast


def json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


FIELDS = st.dictionaries(
    st.sampled_from([*COLUMNS, "unknown"]),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(TEXT, st.integers(), max_size=2),
)


@FUZZ
@given(
    rows=ROWS.map(lambda rows: [{n: json_value(v) for n, v in row.items()} for row in rows])
    | st.lists(FIELDS, max_size=6),
    ascii_=st.booleans(),
    encoding=ENCODINGS,
    declared=st.sampled_from(["utf-8"] * 3 + ["latin-1", "utf-16"]),
    mutations=MUTATIONS,
)
def test_json_lines(
    rows: list[dict[str, Any]],
    ascii_: bool,
    encoding: str,
    declared: str,
    mutations: list[tuple[str, int, bytes]],
) -> None:
    text = "".join(json.dumps(row, ensure_ascii=ascii_) + "\n" for row in rows)
    content = mutate(text.encode(encoding, "replace"), mutations)
    outcome = staged("jsonl", content, encoding=declared)
    if outcome is not None:
        check_json(content, outcome, declared)


# Parquet and bytes of any kind -------------------------------------------------------------------


def parquet_bytes(rows: list[dict[str, Any]], options: dict[str, Any]) -> bytes:
    contract = landing_contract("parquet", COLUMNS)
    schema = arrow_schema(tuple((c.name, c.type) for c in contract.columns))
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), sink, **options)
    return sink.getvalue()


PARQUET_OPTIONS = st.sampled_from(
    [
        {},
        {"compression": "zstd"},
        {"compression": "none", "use_dictionary": False},
        {"row_group_size": 2},
        {"data_page_version": "2.0", "write_page_checksum": True},
    ]
)


@FUZZ
@given(rows=ROWS, options=PARQUET_OPTIONS)
def test_undamaged_parquet_is_staged_whole(
    rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    outcome = staged("parquet", parquet_bytes(rows, options))
    assert outcome is not None and not outcome.rejects
    for row, expected in zip(outcome.rows, rows, strict=True):
        assert all(same(row[name], value) for name, value in expected.items())


@FUZZ
@given(rows=ROWS, options=PARQUET_OPTIONS, mutations=MUTATIONS)
def test_parquet(
    rows: list[dict[str, Any]],
    options: dict[str, Any],
    mutations: list[tuple[str, int, bytes]],
) -> None:
    """A damaged file is refused, or staged so that both engines read the same from it."""
    content = mutate(parquet_bytes(rows, options), mutations)
    with tempfile.TemporaryDirectory() as folder:
        try:
            outcome = stage(landing_contract("parquet", COLUMNS), content, Path(folder))
        except UnreadableObject as refusal:
            assert str(refusal).startswith("shop/items/items")
            return
        assert len(outcome.rows) == pq.read_metadata(Path(folder) / "copy").num_rows
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            query = f"FROM read_parquet('{folder}/staging/*.parquet')"
            found = connection.sql(query).to_arrow_table().to_pylist()
        for row, other in zip(outcome.rows, found, strict=True):
            assert all(str(row[name]) == str(other[name]) for name in COLUMNS)


@FUZZ
@given(
    content=st.binary(max_size=200),
    format_=st.sampled_from(["csv", "jsonl", "parquet"]),
    name=st.sampled_from(["x", "x.gz", "x.zst"]),
)
def test_bytes_of_any_kind(content: bytes, format_: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            outcome = stage(landing_contract(format_, COLUMNS), content, Path(folder), name)
        except UnreadableObject:
            return
    assert not outcome.rows
