"""The decoder of a stream's format, and which writers' schemas of its topic do not fit the contract.

Belongs here: choosing by format, looking through a subject before the first message comes.
Does not belong here: decoding.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from shared_resources.contracts.model import Contract
from shared_resources.environment import EnvironmentProblem
from shared_resources.landing.rejects import Reason
from shared_resources.streams.decoding.avro.schemas import writer_of
from shared_resources.streams.decoding.decoded import Decoder
from shared_resources.streams.decoding.json.messages import JsonDecoder
from shared_resources.streams.decoding.registry import ConfluentRegistry, SchemaRegistry

JSON, AVRO, PROTOBUF = "json", "avro", "protobuf"
_OF_THE_EXTRA = ("confluent_kafka", "fastavro", "grpc_tools")
# At these levels the registry lets a writer register what readers of the version before cannot read.
_LOOSE = frozenset({"NONE", "FORWARD", "FORWARD_TRANSITIVE"})


def decoder_of(
    contract: Contract,
    format_: str,
    variables: Mapping[str, str],
    *,
    ignores_extra: bool = False,
    registry: SchemaRegistry | None = None,
) -> Decoder:
    """The decoder of messages in a format (`json`, `avro` or `protobuf`) for the contract.

    `variables` are the environment's: where the schema registry is (`registry.py`), if it is needed.
    Nothing is asked of it yet. Raises `ValueError` for another format, `RegistryUnreachable` when the
    variables name no registry, `EnvironmentProblem` without the extra that reads the format.
    """
    if format_ == JSON:
        return JsonDecoder(contract, ignores_extra=ignores_extra)
    if format_ not in (AVRO, PROTOBUF):
        raise ValueError(f"no messages are written in {format_!r}")
    missing = [name for name in _OF_THE_EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise EnvironmentProblem(
            f"messages in {format_} need {', '.join(missing)}: install the extra `streams`"
        )
    registry = registry or ConfluentRegistry(variables)
    if format_ == AVRO:
        from shared_resources.streams.decoding.avro.messages import AvroDecoder

        return AvroDecoder(contract, registry, ignores_extra=ignores_extra)
    from shared_resources.streams.decoding.protobuf.messages import ProtobufDecoder

    return ProtobufDecoder(contract, registry, ignores_extra=ignores_extra)


def unfit_versions(
    contract: Contract, subject: str, registry: SchemaRegistry, *, ignores_extra: bool = False
) -> tuple[str, ...]:
    """What a stream's process says when it starts: each registered Avro version whose messages would all
    be rejected, with the reasons, and a level that lets more of them come.

    Raises `UnknownSchema` for a subject without a schema, `RegistryUnreachable`.
    """
    found = registry.subject(subject)
    said = []
    for number, stored in found.versions.items():
        if stored.kind == "AVRO" and not stored.refers:
            problems = writer_of(stored.text, contract, ignores_extra).problems
            said += [f"version {number}: {_said(reason)}" for reason in problems]
    if found.level in _LOOSE:
        said.append(
            f"the registry holds new schemas of {subject} to {found.level}: a writer may leave out what "
            "the contract needs; set BACKWARD or FULL"
        )
    return tuple(said)


def _said(reason: Reason) -> str:
    return f"{reason.column}: {reason.problem}" if reason.column else reason.problem
