"""Protobuf messages in a registry's frames become the contract's columns, or rejects with the reason."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf import message_factory

from shared_resources.contracts.model import Contract
from shared_resources.streams.decoding.decoded import Decoded
from shared_resources.streams.decoding.protobuf.messages import ProtobufDecoder
from shared_resources.streams.decoding.protobuf.schemas import file_of
from shared_resources.streams.decoding.registry import StoredSchema, UnknownSchema
from tests.contract_factory import TYPES, make_column, make_contract

CONTRACT = make_contract([make_column(name, type_) for name, type_ in TYPES.items()])
SCHEMA = """
syntax = "proto3";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message Other { string text = 1; message Inner { int32 int32 = 1; } }
enum Size { SMALL = 0; LARGE = 1; }
message Line {
  optional string text = 1; int64 int = 2; google.protobuf.Int32Value int32 = 3; double float = 4;
  float float32 = 5; string decimal = 6; bool bool = 7; string date = 8; string timestamp = 9;
  google.protobuf.Timestamp timestamp_tz = 10;
}
message Sized { Size text = 1; }
message Odd { repeated string text = 1; uint64 int = 2; bytes decimal = 3; Other date = 4; }
"""
LINE, SIZED, ODD, INNER = b"\x02\x02", b"\x02\x04", b"\x02\x06", b"\x04\x00\x00"


@cache
def file() -> Any:
    found = file_of(SCHEMA)
    assert found is not None
    return found


def message(name: str, **values: Any) -> Any:
    descriptor = file().message_types_by_name[name]
    return message_factory.GetMessageClass(descriptor)(**values)


class Registry:
    def __init__(self, **changes: Any) -> None:
        self.stored = StoredSchema(**{"kind": "PROTOBUF", "text": SCHEMA, **changes})

    def schema(self, id_: int) -> StoredSchema:
        if id_ != 1:
            raise UnknownSchema(f"schema id {id_} is not known to the schema registry")
        return self.stored


def decode(*bodies: bytes, contract: Contract = CONTRACT, **options: Any) -> Decoded:
    registry = options.pop("registry", Registry())
    decoder = ProtobufDecoder(contract, registry, **options)
    return decoder.decode(pa.array([b"\0\0\0\0\1" + body for body in bodies], pa.binary()))


def line(**values: Any) -> bytes:
    texts = {"decimal": "1.50", "date": "2017-03-31", "timestamp": "2017-03-31T13:00:00"}
    return LINE + message("Line", **{**texts, **values}).SerializeToString()


def problem(decoded: Decoded, place: int = 0) -> str:
    return decoded.undecodable[place].reasons[0].problem


def test_every_type_becomes_its_column() -> None:
    full = line(text="é", int=-5, int32={"value": 7}, float=0.5, float32=0.25, bool=True,
                timestamp_tz={"seconds": 1, "nanos": 5000})  # fmt: skip
    decoded = decode(full, line())
    assert not decoded.undecodable
    first, second = decoded.frame.to_arrow().to_pylist()
    assert first == {
        "text": "é", "int": -5, "int32": 7, "float": 0.5, "float32": 0.25, "decimal": Decimal("1.50"),
        "bool": True, "date": date(2017, 3, 31), "timestamp": datetime(2017, 3, 31, 13),
        "timestamp_tz": datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC),
    }  # fmt: skip
    # A field without presence is never missing; one with it may be.
    assert second["int"] == 0 and second["text"] is None and second["int32"] is None
    assert second["timestamp_tz"] is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (LINE + b"\xff", "cannot be read by its schema"),
        (LINE + b"\xf8\x06\x01", "its own schema does not have"),
        (line(date="31.03.2017"), "a DATE is written"),
        (line(decimal="1.555"), "decimal places"),
        (line(text="\0"), "NUL"),
        (line(timestamp_tz={"nanos": 1}), "finer than microseconds"),
        (line(timestamp_tz={"seconds": 10**15}), "years 1 to 9999"),
        (b"", "ends before the message"),
        (b"\x80", "ends before the message"),
        (b"\x02\x03", "does not name the message type"),
        (b"\xfe\xff\x07", "does not name the message type"),
        (b"\x02\x40", "message type that its schema does not have"),
    ],
)
def test_what_is_malformed_is_isolated(body: bytes, said: str) -> None:
    decoded = decode(line(), body, line())
    assert decoded.positions.to_list() == [0, 2]
    assert [one.position for one in decoded.undecodable] == [1] and said in problem(decoded)


def test_types_that_hold_more_than_the_column_reject_the_messages() -> None:
    decoded = decode(ODD)
    said = {reason.column: reason.problem for reason in decoded.undecodable[0].reasons}
    assert "list" in said["text"] and "uint64 holds values that BIGINT" in said["int"]
    assert "bytes" in said["decimal"] and "message Other" in said["date"]


def test_enums_inner_messages_and_schemas_that_do_not_fit() -> None:
    text = make_contract([make_column("text", "text")])
    sized = message("Sized", text=1).SerializeToString()
    decoded = decode(SIZED + sized, SIZED + b"\x08\x05", contract=text)
    assert decoded.frame["text"].to_list() == ["LARGE"] and "enum" in problem(decoded)
    inner = make_contract([make_column("int32", "int32")])
    assert decode(INNER + b"\x08\x07", contract=inner).frame["int32"].to_list() == [7]
    other = decode(b"\x00" + b"\x0a\x01a", contract=text)
    assert other.frame["text"].to_list() == ["a"]
    required = make_contract([make_column("x", "text", required=True)])
    said = {r.column: r.problem for r in decode(b"\x00", contract=required).undecodable[0].reasons}
    assert "would be lost" in said["text"] and "required" in said["x"]
    ignoring = make_contract([make_column("y", "text")])
    assert decode(b"\x00", contract=ignoring, ignores_extra=True).ignored == {"text"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "AVRO"}, "not Protobuf"),
        ({"refers": True}, "refers to others"),
        ({"text": "no schema"}, "cannot be compiled"),
    ],
)
def test_a_schema_that_cannot_be_used_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in problem(decode(line(), registry=Registry(**changes)))


def test_an_unknown_schema_is_asked_for_again() -> None:
    decoder = ProtobufDecoder(CONTRACT, Registry())
    decoded = decoder.decode(pa.array([b"\0\0\0\0\7\0", b"plain"], pa.binary()))
    assert "not known" in problem(decoded) and "frame" in problem(decoded, 1)
