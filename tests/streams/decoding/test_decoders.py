"""A stream's format chooses its decoder; a subject's versions are looked through before any message."""

from __future__ import annotations

import dataclasses
import json

import pytest

from shared_resources.contracts.streams.model import MessageFormat, Stream
from shared_resources.environment import EnvironmentProblem
from shared_resources.streams.decoding.avro.messages import AvroDecoder
from shared_resources.streams.decoding.decoders import decoder_of, unfit_versions, unfit_writers
from shared_resources.streams.decoding.json.messages import JsonDecoder
from shared_resources.streams.decoding.protobuf.messages import ProtobufDecoder
from shared_resources.streams.decoding.registry import ConfluentRegistry, RegistryUnreachable
from tests.contract_factory import make_column, make_contract
from tests.stand_ins.schema_registry import schema_registry
from tests.streams.decoding.test_avro import record

CONTRACT = make_contract([make_column("int32", "int32", required=True)])


def test_a_format_has_its_decoder() -> None:
    variables = {"SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}
    assert isinstance(decoder_of(CONTRACT, "json", {}), JsonDecoder)
    assert isinstance(decoder_of(CONTRACT, "avro", variables), AvroDecoder)
    assert isinstance(decoder_of(CONTRACT, "protobuf", variables), ProtobufDecoder)
    with pytest.raises(RegistryUnreachable):
        decoder_of(CONTRACT, "avro", {})
    with pytest.raises(ValueError, match="xml"):
        decoder_of(CONTRACT, "xml", {})


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EnvironmentProblem, match="extra `streams`"):
        decoder_of(CONTRACT, "avro", {})


def test_versions_that_would_be_rejected_are_named_before_they_come() -> None:
    with schema_registry() as server:
        for schema in (record(int32="int"), record(int32="long"), record()):
            server.register("lines-value", json.dumps(schema))
        registry = ConfluentRegistry({"SCHEMA_REGISTRY_URL": server.url})
        said = unfit_versions(CONTRACT, "lines-value", registry)
        assert len(said) == 2
        assert (
            "lines-value, version 2: int32: the writer's long" in said[0] and "version 3" in said[1]
        )
        server.level = "NONE"
        registry = ConfluentRegistry({"SCHEMA_REGISTRY_URL": server.url})
        assert "set BACKWARD" in unfit_versions(CONTRACT, "lines-value", registry)[-1]


def test_a_stream_says_at_its_start_what_of_its_subject_does_not_fit() -> None:
    def said(format_: MessageFormat = MessageFormat.AVRO, subject: str = "lines-value") -> str:
        stream = Stream("lines", format_, subject=subject)
        contract = dataclasses.replace(CONTRACT, stream=stream)
        return "; ".join(unfit_writers(contract, {"SCHEMA_REGISTRY_URL": server.url}))

    with schema_registry() as server:
        assert "subject lines-value is not known" in said()
        server.register("lines-value", json.dumps(record(int32="int")))
        assert said() == ""
        assert "is Avro, and the contract says protobuf" in said(MessageFormat.PROTOBUF)
        server.register("lines-value", json.dumps(record(int32="long")))
        assert "version 2: int32: the writer's long" in said()
        asked = len(server.asked)
        assert said(subject="") == "" and len(server.asked) == asked
    with pytest.raises(RegistryUnreachable):
        said()
