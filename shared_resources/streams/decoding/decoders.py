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
from shared_resources.streams.decoding.registry import (
    ConfluentRegistry,
    SchemaRegistry,
    UnknownSchema,
)

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


def unfit_writers(
    contract: Contract, variables: Mapping[str, str], registry: SchemaRegistry | None = None
) -> tuple[str, ...]:
    """What a stream's process says when it starts, of the subject that its contract names: which of its
    versions do not fit the contract, or that it has none yet. Nothing where no subject is named.

    Raises `RegistryUnreachable`.
    """
    stream = contract.stream
    if stream is None or not stream.subject:
        return ()
    try:
        return unfit_versions(
            contract,
            stream.subject,
            registry or ConfluentRegistry(variables),
            format_=stream.format,
            ignores_extra=stream.ignores_extra,
        )
    except UnknownSchema as unknown:
        return (str(unknown),)


def unfit_versions(
    contract: Contract,
    subject: str,
    registry: SchemaRegistry,
    *,
    format_: str = AVRO,
    ignores_extra: bool = False,
) -> tuple[str, ...]:
    """Each registered version whose messages would all be rejected, with the reasons, and a level that
    lets more of them come. Of Protobuf the fields are not looked at: which of a schema's messages is
    sent, each message says itself.

    Raises `UnknownSchema` for a subject without a schema, `RegistryUnreachable`.
    """
    found = registry.subject(subject)
    said = []
    for number, stored in found.versions.items():
        where = f"{subject}, version {number}"
        if stored.kind.lower() != format_:
            said.append(f"{where}: is {stored.kind.capitalize()}, and the contract says {format_}")
        elif stored.refers:
            said.append(f"{where}: refers to other schemas, which is not supported")
        elif format_ == AVRO:
            problems = writer_of(stored.text, contract, ignores_extra).problems
            said += [f"{where}: {_said(reason)}" for reason in problems]
    if found.level in _LOOSE:
        said.append(
            f"the registry holds new schemas of {subject} to {found.level}: a writer may leave out what "
            "the contract needs; set BACKWARD or FULL"
        )
    return tuple(said)


def _said(reason: Reason) -> str:
    return f"{reason.column}: {reason.problem}" if reason.column else reason.problem
