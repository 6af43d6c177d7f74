"""Schemas come from a registry over HTTP, each once; a registry that is down rejects no message."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from shared_resources.streams.decoding.avro.messages import AvroDecoder
from shared_resources.streams.decoding.registry import (
    ConfluentRegistry,
    RegistryUnreachable,
    UnknownSchema,
)
from tests.contract_factory import make_column, make_contract
from tests.stand_ins.schema_registry import schema_registry

SCHEMA = json.dumps(
    {"type": "record", "name": "line", "fields": [{"name": "text", "type": "string"}]}
)
CONTRACT = make_contract([make_column("text", "text")])


def test_a_schema_is_fetched_once() -> None:
    with schema_registry() as server:
        id_ = server.register("lines-value", SCHEMA)
        decoder = AvroDecoder(CONTRACT, ConfluentRegistry({"SCHEMA_REGISTRY_URL": server.url}))
        values = pa.array([b"\0" + id_.to_bytes(4, "big") + b"\x02a"], pa.binary())
        for _ in range(3):
            assert decoder.decode(values).frame["text"].to_list() == ["a"]
        assert len(server.asked) == 1


def test_a_subject_tells_its_versions_and_level() -> None:
    with schema_registry() as server:
        server.register("lines-value", SCHEMA)
        server.register("lines-value", SCHEMA.replace("line", "row"))
        registry = ConfluentRegistry({"SCHEMA_REGISTRY_URL": server.url})
        subject = registry.subject("lines-value")
        assert [stored.kind for stored in subject.versions.values()] == ["AVRO", "AVRO"]
        assert subject.versions[1].text == SCHEMA and subject.level == "BACKWARD"
        with pytest.raises(UnknownSchema, match="subject other"):
            registry.subject("other")
        with pytest.raises(UnknownSchema, match="id 9"):
            registry.schema(9)


def test_the_login_comes_from_the_environment_and_is_shown_nowhere() -> None:
    with schema_registry("me:s3cret") as server:
        id_ = server.register("lines-value", SCHEMA)
        variables = {"SCHEMA_REGISTRY_URL": server.url}
        with pytest.raises(RegistryUnreachable, match="401"):
            ConfluentRegistry(variables).schema(id_)
        variables["SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO"] = "me:s3cret"
        registry = ConfluentRegistry(variables)
        assert registry.schema(id_).text == SCHEMA and "s3cret" not in repr(registry)


def test_a_registry_that_is_down_stops_the_stream_and_rejects_nothing() -> None:
    with schema_registry() as server:
        url = server.url
    decoder = AvroDecoder(CONTRACT, ConfluentRegistry({"SCHEMA_REGISTRY_URL": url}))
    with pytest.raises(RegistryUnreachable, match="no message was passed over"):
        decoder.decode(pa.array([b"\0\0\0\0\1\2a"], pa.binary()))
    with pytest.raises(RegistryUnreachable, match="set SCHEMA_REGISTRY_URL"):
        ConfluentRegistry({})
