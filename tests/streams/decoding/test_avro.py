"""Avro messages become what fastavro reads of them, and a malformed one stops no other."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_resources.contracts.model import Contract
from shared_resources.streams.decoding.avro.messages import AvroDecoder
from shared_resources.streams.decoding.decoded import Decoded
from shared_resources.streams.decoding.registry import StoredSchema, UnknownSchema
from tests.contract_factory import TYPES, make_column, make_contract

CONTRACT = make_contract([make_column(name, type_) for name, type_ in TYPES.items()])
AVRO: dict[str, Any] = {
    "text": "string",
    "int": "long",
    "int32": "int",
    "float": "double",
    "float32": "float",
    "decimal": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
    "bool": "boolean",
    "date": {"type": "int", "logicalType": "date"},
    "timestamp": {"type": "long", "logicalType": "local-timestamp-micros"},
    "timestamp_tz": {"type": "long", "logicalType": "timestamp-millis"},
}
moments = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))
VALUES: dict[str, Any] = {
    "text": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    "int": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "float": st.floats(),
    "float32": st.floats(width=32),
    "decimal": st.decimals("-9999999999.99", "9999999999.99", places=2),
    "bool": st.booleans(),
    "date": st.dates(),
    "timestamp": moments,
    "timestamp_tz": moments.map(lambda m: m.replace(microsecond=0, tzinfo=UTC)),
}


class Registry:
    """The port, over schemas in memory."""

    def __init__(self, *schemas: Any, kind: str = "AVRO") -> None:
        self.stored = {id_: StoredSchema(kind, json.dumps(s)) for id_, s in enumerate(schemas, 1)}

    def schema(self, id_: int) -> StoredSchema:
        if id_ not in self.stored:
            raise UnknownSchema(f"schema id {id_} is not known to the schema registry")
        return self.stored[id_]


def record(**types: Any) -> dict[str, Any]:
    fields = [{"name": name, "type": type_} for name, type_ in types.items()]
    return {"type": "record", "name": "line", "fields": fields}


def written(schema: Any, row: Any, id_: int = 1) -> bytes:
    out = io.BytesIO(b"\0" + id_.to_bytes(4, "big"))
    out.seek(5)
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), row)
    return out.getvalue()


def decode(
    contract: Contract, schemas: Sequence[Any], *values: bytes | None, **options: Any
) -> Decoded:
    decoder = AvroDecoder(contract, Registry(*schemas), **options)
    return decoder.decode(pa.array(values, pa.binary()))


def rows(decoded: Decoded) -> list[dict[str, Any]]:
    return decoded.frame.to_arrow().to_pylist()


@st.composite
def batches(draw: st.DrawFn) -> tuple[Any, list[dict[str, Any]]]:
    names = draw(st.lists(st.sampled_from(sorted(AVRO)), min_size=1, unique=True))
    types = {
        n: draw(st.sampled_from([AVRO[n], ["null", AVRO[n]], [AVRO[n], "null"]])) for n in names
    }
    drawn = [
        {
            name: None if isinstance(types[name], list) and draw(st.booleans())
            else draw(VALUES[name])
            for name in names
        }
        for _ in range(draw(st.integers(1, 6)))
    ]  # fmt: skip
    return record(**types), drawn


def agree(schema: Any, drawn: list[dict[str, Any]]) -> None:
    values = [written(schema, row) for row in drawn]
    parsed = fastavro.parse_schema(json.loads(json.dumps(schema)))
    expected = [fastavro.schemaless_reader(io.BytesIO(v[5:]), parsed, None) for v in values]
    decoded = decode(CONTRACT, [schema], *values)
    assert not decoded.undecodable
    # NaN equals itself here, and a 32-bit float is shown as the 64-bit one that it is.
    found = [{name: row[name] for name in expected[0]} for row in rows(decoded)]
    assert repr(found).replace("zoneinfo.ZoneInfo(key='UTC')", "UTC").replace(
        "datetime.timezone.utc", "UTC"
    ).replace("<UTC>", "UTC") == repr(expected).replace("datetime.timezone.utc", "UTC")


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(batches())
def test_a_batch_is_what_fastavro_reads(batch: tuple[Any, list[dict[str, Any]]]) -> None:
    agree(*batch)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(batches(), st.data())
def test_a_damaged_message_changes_no_other(
    batch: tuple[Any, list[dict[str, Any]]], data: st.DataObject
) -> None:
    schema, drawn = batch
    values = [written(schema, row) for row in drawn]
    sound = rows(decode(CONTRACT, [schema], *values))
    place = data.draw(st.integers(0, len(values) - 1))
    body = bytearray(values[place])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(5, len(body)))
        match data.draw(st.sampled_from(["cut", "add", "change"])):
            case "cut":
                del body[at:]
            case "add":
                body[at:at] = data.draw(st.binary(min_size=1, max_size=3))
            case "change" if at < len(body):
                body[at] = data.draw(st.integers(0, 255))
        if len(body) <= 5:
            break
    values[place] = bytes(body)
    decoded = decode(CONTRACT, [schema], *values)
    positions = decoded.positions.to_list()
    assert {*positions, *(one.position for one in decoded.undecodable)} == set(range(len(values)))
    for position, row in zip(positions, rows(decoded), strict=True):
        if position != place:
            assert repr(row) == repr(sound[position])
    if (
        place in positions
    ):  # it says something else now, of the same length: its bytes say just that
        parsed = fastavro.parse_schema(json.loads(json.dumps(schema)))
        stream = io.BytesIO(values[place][5:])
        fastavro.schemaless_reader(stream, parsed, None)
        assert stream.tell() == len(values[place]) - 5


TEXT = make_contract([make_column("text", "text")])
INT = make_contract([make_column("int32", "int32")])


@pytest.mark.parametrize(
    ("type_", "body", "problem"),
    [
        ("string", b"\x02", "ends before"),
        ("string", b"\x03", "negative length"),
        ("string", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "ends before"),
        ("string", b"\xff" * 11, "more bits"),
        ("string", b"\x02a\x00", "more bytes"),
        ("string", b"\x04\xff\xfe", "UTF-8"),
        ("string", b"\x02\x00", "NUL"),
        (["null", "string"], b"\x06\x02a", "branch"),
        ({"type": "enum", "name": "e", "symbols": ["a"]}, b"\x02", "enum"),
        ("string", b"", "ends before"),
    ],
)
def test_what_is_malformed_is_said(type_: Any, body: bytes, problem: str) -> None:
    schema = record(text=type_)
    good = written(schema, {"text": "a"})
    decoded = decode(TEXT, [schema], good, good[:5] + body, None, good)
    assert decoded.positions.to_list() == [0, 3] and decoded.tombstones == (2,)
    (refused,) = decoded.undecodable
    assert refused.position == 1 and problem in refused.reasons[0].problem


def test_other_values_of_a_type_are_refused() -> None:
    for name, bodies, problem in [
        ("bool", [b"\x02"], "boolean"),
        ("int32", [b"\x80\x80\x80\x80\x20"], "more bits"),
        ("date", [b"\xfe\xff\xff\xff\x0f"], "years 1 to 9999"),
        ("decimal", [b"\x0e" + b"\x7f" * 7, b"\x28" + b"\x01" * 20], "more digits"),
    ]:
        contract = make_contract([make_column(name, name)])
        for body in bodies:
            decoded = decode(contract, [record(**{name: AVRO[name]})], b"\0\0\0\0\1" + body)
            assert problem in decoded.undecodable[0].reasons[0].problem


def test_messages_of_several_schemas_keep_their_order() -> None:
    old, new = record(text="string"), record(more="long", text=["null", "string"])
    values = [
        written(new, {"more": 1, "text": "b"}, 2),
        written(old, {"text": "a"}, 1),
        b"\0\0\0\0\x09a",
        b"{}",
        written(new, {"more": 1, "text": None}, 2),
    ]
    decoded = decode(TEXT, [old, new], *values, ignores_extra=True)
    assert decoded.frame["text"].to_list() == ["b", "a", None]
    assert decoded.positions.to_list() == [0, 1, 4] and decoded.ignored == {"more"}
    said = {one.position: one.reasons[0].problem for one in decoded.undecodable}
    assert "not known to the schema registry" in said[2] and "frame" in said[3]


@pytest.mark.parametrize(
    ("contract", "schema", "problem"),
    [
        (INT, record(int32="long"), "the writer's long holds values that INTEGER does not"),
        (INT, record(int32=["null", "int", "string"]), "union of several types"),
        (INT, record(int32={"type": "array", "items": "int"}), "array"),
        (INT, record(int32={"type": "int", "logicalType": "date"}), "int date"),
        (INT, record(int32="int", other="string"), "would be lost"),
        (TEXT, record(text="bytes"), "bytes"),
        (make_contract([make_column("text", "text", required=True)]), record(), "required"),
        (
            make_contract([make_column("decimal", "decimal")]),
            record(decimal={**AVRO["decimal"], "scale": 3}),
            r"decimal(12,3)",
        ),
        (TEXT, "string", "no record"),
        (TEXT, {"type": "record", "name": "x", "fields": [{}]}, "cannot be read"),
    ],
)
def test_a_schema_that_does_not_fit_rejects_its_messages(
    contract: Contract, schema: Any, problem: str
) -> None:
    decoded = decode(contract, [schema], b"\0\0\0\0\1\2", b"\0\0\0\0\1\4")
    assert decoded.frame.height == 0
    assert [one.position for one in decoded.undecodable] == [0, 1]
    assert problem in decoded.undecodable[0].reasons[0].problem


def test_values_are_widened_where_nothing_is_lost() -> None:
    contract = make_contract({"int": "int", "float": "float", "decimal": "decimal", "text": "text"})
    symbols = {"type": "enum", "name": "e", "symbols": ["a", "b"]}
    fixed = {"type": "fixed", "name": "f", "size": 4}
    decimal = {**fixed, "logicalType": "decimal", "precision": 6, "scale": 1}
    schema = record(int="int", float="float", decimal=decimal, text=symbols)
    row = {"int": -5, "float": 0.5, "decimal": Decimal("-12.5"), "text": "b"}
    decoded = decode(contract, [schema], written(schema, row))
    assert rows(decoded) == [{**row, "decimal": Decimal("-12.50")}]


def test_what_is_left_out_may_be_nested() -> None:
    nested = {"type": "array", "items": {"type": "record", "name": "n", "fields": []}}
    schema = record(
        other=nested, text="string", day=["null", {"type": "int", "logicalType": "date"}]
    )
    good = written(schema, {"other": [{}, {}], "text": "a", "day": date(2017, 1, 1)})
    decoded = decode(TEXT, [schema], good, good + b"\0", good[:6], good, ignores_extra=True)
    assert decoded.frame["text"].to_list() == ["a", "a"]
    assert [one.position for one in decoded.undecodable] == [1, 2]


def test_a_schema_of_another_kind_is_refused() -> None:
    decoder = AvroDecoder(TEXT, Registry(record(text="string"), kind="JSON"))
    decoded = decoder.decode(pa.array([b"\0\0\0\0\1\2a"], pa.binary()))
    assert "not Avro" in decoded.undecodable[0].reasons[0].problem
