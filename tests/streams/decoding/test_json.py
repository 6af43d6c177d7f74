"""A JSON message becomes the row, or the reject with its reasons, that it would be as a landed line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared_resources.contracts.file_formats import JSONL
from shared_resources.contracts.model import Contract, Landing
from shared_resources.landing.reader import stage_object
from shared_resources.streams.decoding.decoded import Decoded
from shared_resources.streams.decoding.json.messages import MOST_LAYOUTS, JsonDecoder
from tests.contract_factory import TYPES, make_column, make_contract

COLUMNS = [make_column(name, type_) for name, type_ in TYPES.items()] + [
    make_column("german", "date", text_format="dd.MM.yyyy"),
    make_column("a b-c", "text", landed_as="abc#"),
]
LANDING = Landing("order/lines", JSONL, "*.jsonl")
CONTRACT = make_contract(COLUMNS, landing=LANDING)
LENIENT = make_contract(
    COLUMNS, landing=Landing("order/lines", JSONL, "*.jsonl", ignores_extra=True)
)
FIRST = json.dumps({"text": "the first"})

WHOLE = ["0", "-0", "1", "-1", "007", "3.0", "3.7", "1e3", "1E+2", "2147483647", "2147483648",
         "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
         "123456789012345678901234567890", "1e400", "0.0", "-0.0", "0.00", "0e5"]  # fmt: skip
FRACTIONS = ["0.1", "0.125", "-12.34", "12.340", "12.345", "9999999999.99", "99999999999", "1e-3",
             "0.30000000000000004", "4503599627370497.5", "8388609.0", "8388607.3", "1e23", "1e300",
             "4.9e-324", "2e-324", "3.5e38", "1e39", "0.1000000000000000055511151231257827"]  # fmt: skip
TEXTS = ["", "a", "true", "007", "日本", "e\u0301", "a\\nb", "\\u00e9", "\\ud83d\\ude00", "\\ud800",
         "\\u0000", "a\tb", "a\\\"b", "\x7f", " ", "null", "x" * 300]  # fmt: skip
MOMENTS = ["2017-03-31", "2017-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "31.03.2017",
           "31.02.2017", "2017-3-1", " 2017-03-31", "2017-03-31T13:00:00", "2017-03-31 13:00:00.5",
           "2017-03-31T13:00", "2017-03-31T24:00:00", "2017-03-31T23:59:60", "2017-02-29T00:00:00",
           "2017-03-31T13:00:00.123456", "2017-03-31T13:00:00.1234567", "2017-03-31T13:00:00.1230000",
           "2017-03-31T13:00:00Z", "2017-03-31T13:00:00+02:00", "2017-03-31T13:00:00.25-05:30",
           "2017-03-31T13:00:00+14:30", "2017-03-31T13:00:00-00:00", "0001-01-01T00:00:00+02:00",
           "9999-12-31T23:59:59-02:00", "0000-12-31T23:59:59Z", "2017-03-31T13:00:00+0200",
           "2017-03-31T13:00:00+02"]  # fmt: skip
OTHERS = ["null", "true", "false", "NaN", "Infinity", "{}", "[1]", '"12"', "nul", "", '{"a": "b"}']

quoted = st.sampled_from([*TEXTS, *MOMENTS, *WHOLE]).map(lambda text: f'"{text}"')
drawn_text = st.text(max_size=5).map(json.dumps)
numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda x: f"{x:.9g}"),
    st.decimals(places=2, min_value=-(10**11), max_value=10**11).map(str),
)
stamped = st.datetimes(timezones=st.timezones() | st.none()).map(lambda d: f'"{d.isoformat()}"')
anything = st.one_of(
    quoted, drawn_text, numbers, stamped, st.sampled_from([*WHOLE, *FRACTIONS, *OTHERS])
)
# What a column's type most often is, so that many messages are rows.
SOUND: Mapping[str, Any] = {
    "text": quoted, "int": st.sampled_from(WHOLE[:4]), "int32": st.integers(-9, 9).map(str),
    "float": numbers, "float32": numbers, "decimal": st.sampled_from(FRACTIONS[:4]),
    "bool": st.sampled_from(["true", "false"]), "date": st.dates().map(lambda d: f'"{d}"'),
    "timestamp": st.datetimes().map(lambda d: f'"{d.isoformat()}"'), "timestamp_tz": stamped,
    "german": st.dates().map(lambda d: f'"{d:%d.%m.}{d.year:04}"'), "abc#": drawn_text,
}  # fmt: skip


@st.composite
def messages(draw: st.DrawFn) -> list[str]:
    """Messages of one producer or several."""
    names = draw(st.lists(st.sampled_from(sorted(SOUND)), unique=True, max_size=6))
    blank = draw(st.sampled_from(["", " ", "\t"]))
    found = []
    for _ in range(draw(st.integers(1, 8))):
        fields = [*names]
        odd = draw(st.integers(0, 12))
        if odd == 0:
            fields = draw(st.permutations(fields))
        if odd == 1:
            fields += draw(st.lists(st.sampled_from([*SOUND, "junk", "Text", "a b-c"]), max_size=2))
        values = [
            draw(anything if draw(st.integers(0, 9)) == 0 else SOUND.get(name, anything))
            if draw(st.integers(0, 6))
            else "null"
            for name in fields
        ]
        said = [f'"{n}"{blank}:{blank}{v}' for n, v in zip(fields, values, strict=True)]
        text = "{" + blank + f"{blank},{blank}".join(said) + blank + "}"
        found.append(text + draw(st.sampled_from([""] * 9 + ["}", "{}", " ", "x"])))
    return found


def landed(contract: Contract, lines: Sequence[str]) -> tuple[pa.Table, dict[int, list[Any]]]:
    """The rows and, by line from 0, the reasons of the rejects."""
    with TemporaryDirectory(prefix="mesh-json-") as folder:
        file = Path(folder) / "object.jsonl"
        file.write_text("\n".join([FIRST, *lines]) + "\n", encoding="utf-8")
        staged = stage_object(contract, file, "object.jsonl", Path(folder) / "staged")
        rows = pa.concat_tables(pq.read_table(f.path, partitioning=None) for f in staged.files)
        rejects = pq.read_table(staged.rejects).to_pylist() if staged.rejects else []
    return rows.slice(1), {row["_row"] - 2: row["_reasons"] for row in rejects}


def compare(
    contract: Contract,
    lines: Sequence[str],
    decoded: Decoded,
    reference: tuple[pa.Table, dict[int, list[Any]]],
) -> None:
    rows, rejects = reference
    refused = {
        one.position: [{"column": r.column, "value": r.value, "problem": r.problem} for r in one.reasons]
        for one in decoded.undecodable
    }  # fmt: skip
    assert refused == rejects
    expected = pl.DataFrame(rows.select([c.name for c in contract.columns]))
    # NaN is no JSON, and -0.0 is told from 0.0.
    assert repr(decoded.frame.rows()) == repr(expected.cast(dict(decoded.frame.schema)).rows())
    taken = {*decoded.positions.to_list(), *refused, *decoded.tombstones}
    assert taken == set(range(len(lines))) and decoded.positions.is_sorted()


CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]


def both_ways(lines: list[str]) -> None:
    binary = pa.array([line.encode("utf-8", "surrogatepass") for line in lines], pa.binary())
    for contract in (CONTRACT, LENIENT):
        lenient = contract is LENIENT
        decoder = JsonDecoder(contract, ignores_extra=lenient)
        decoder.decode(pa.array([FIRST.encode()], pa.binary()))
        reference = landed(contract, lines)
        compare(contract, lines, decoder.decode(binary), reference)
        # Again, by the layouts that it knows now.
        compare(contract, lines, decoder.decode(binary), reference)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=CHECKS)
@given(messages())
@example(
    ['{"text":"a","text":"b"}', '{"text":12,"junk":1}', '{"text": NaN}', '{"int": 1}{"int": 2}']
)
@example(
    [f'{{"float":{value},"float32":{value},"decimal":{value},"int":{value}}}' for value in WHOLE]
)
@example([f'{{"decimal":{value}}}' for value in FRACTIONS])
@example([f'{{"float":{value}}}' for value in [*WHOLE, *FRACTIONS]])
@example([f'{{"float32":{value}}}' for value in [*WHOLE, *FRACTIONS]])
@example([f'{{"text":"{value}"}}' for value in TEXTS])
@example([f'{{"date":"{value}"}}' for value in MOMENTS])
@example([f'{{"german":"{value}"}}' for value in MOMENTS])
@example([f'{{"timestamp":"{value}"}}' for value in MOMENTS])
@example([f'{{"timestamp_tz":"{value}"}}' for value in MOMENTS])
def test_a_message_is_what_the_line_would_be(lines: list[str]) -> None:
    both_ways(lines)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=CHECKS)
@given(messages())
def test_a_message_is_what_the_line_would_be_often(lines: list[str]) -> None:
    both_ways(lines)


def test_a_field_that_is_left_out_is_read_no_more_leniently_where_its_layout_is_known() -> None:
    """A number of thousands of digits makes its line a reject, whatever column it is for."""
    both_ways(
        [f'{{"text":"a","junk":{value}}}' for value in ("1", "1" * 5000, "2", "-" + "9" * 4301)]
    )


def decode(*values: bytes | None, contract: Contract = CONTRACT) -> Decoded:
    return JsonDecoder(contract).decode(pa.array(values, pa.binary()))


def test_malformed_messages_are_isolated_one_by_one() -> None:
    good = b'{"text":"a","int":1}'
    decoded = decode(good, b"\xff", None, good, b'{"text":"a","int":', b"", good, b"[1]")
    assert decoded.positions.to_list() == [0, 3, 6]
    assert [one.position for one in decoded.undecodable] == [1, 4, 5, 7]
    assert "UTF-8" in decoded.undecodable[0].reasons[0].problem
    assert decoded.tombstones == (2,)


def test_a_message_may_be_spread_over_lines_and_holds_one_object() -> None:
    decoded = decode(b'{\n "text": "a",\r\n\t"int": 1\n}\n', b'{"int": 1}\n{"int": 2}')
    assert decoded.positions.to_list() == [0]
    assert "Extra data" in decoded.undecodable[0].reasons[0].problem


def test_an_empty_batch_and_one_of_tombstones_have_no_rows() -> None:
    assert decode().frame.height == 0
    assert decode(None, None).tombstones == (0, 1)


def test_more_layouts_than_are_kept_are_read_all_the_same() -> None:
    names = [c.name for c in COLUMNS if c.name in ("text", "int", "int32", "bool", "date")]
    values = {"text": "a", "int": 1, "int32": 2, "bool": True, "date": "2017-03-31"}
    chosen = [[n for k, n in enumerate(names) if i >> k & 1] for i in range(32)]
    lines = [json.dumps({n: values[n] for n in some}) for some in chosen] * 3
    decoder = JsonDecoder(CONTRACT)
    assert len(lines) > MOST_LAYOUTS
    for _ in range(2):
        decoded = decoder.decode(pa.array([line.encode() for line in lines], pa.binary()))
        compare(CONTRACT, lines, decoded, landed(CONTRACT, lines))


def test_large_arrays_and_slices_are_taken() -> None:
    values = pa.array([b'{"int":1}', b'{"int":2}', b'{"int":3}'], pa.large_binary()).slice(1)
    assert JsonDecoder(CONTRACT).decode(values).frame["int"].to_list() == [2, 3]
