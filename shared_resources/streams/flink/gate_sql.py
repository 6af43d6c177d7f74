"""The gate in a job: what keeps the contract to one topic, what breaks it to another, as they came.

Belongs here: the sinks of Kafka, which message goes to which, the headers of a dead letter.
Does not belong here: the verdict (`job_sql.py`), what becomes of undecided ones (`gate/undecided.py`).

All sinks read one view, so that the topic is read, and each message judged, once. Of a message the job
decides what it has proved; the others go whole to a topic from which the platform's own gate takes them.
Kafka's connector writes key, value, headers and timestamp, but chooses the partition by the key, and has
headers as a map: of two of one name the last stays, and one without a value goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared_resources.contracts.model import Contract
from shared_resources.contracts.streams.model import Delivery, Late, Stream
from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.sql import quote_literal
from shared_resources.streams.flink.options import listed
from shared_resources.streams.flink.staged_columns import (
    BROKEN,
    EMPTY,
    KEPT,
    OFFSET,
    PARTITION,
    REASONS,
    UNREAD,
    VERDICT,
)
from shared_resources.streams.flink.verdict_sql import JobRules, quoted
from shared_resources.streams.gate import letters
from shared_resources.streams.gate.undecided import SOURCE_OFFSET, SOURCE_PARTITION
from shared_resources.streams.log.port import Positions

KEY, VALUE = "_mesh_key", "_mesh_value"
HEADERS, CAME = "_mesh_headers", "_mesh_came"
# What of a message is there until it is written.
CARRIED = (KEY, VALUE, HEADERS, CAME)
JUDGED = "judged"
PASSED, DEAD, UNDECIDED = "passed", "dead", "undecided"
CHECKPOINTS = "checkpoints"
# How long Kafka keeps what a job has written and not committed; no broker allows more by default.
TRANSACTION_SECONDS = 900


@dataclass(frozen=True)
class JobGate:
    """`begins` is from where the gate goes on in each partition, which the job may have begun before.
    `group` shows Kafka how far it is, and names its transactions. `rules` are all that hold for the
    product."""

    begins: Positions
    group: str
    rules: JobRules


def gate_settings(warehouse: str) -> dict[str, str]:
    """What was written and not committed stands in checkpoints alone: they outlive the job."""
    return {
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": f"{warehouse}/{CHECKPOINTS}",
        "execution.checkpointing.savepoint-dir": f"{warehouse}/{CHECKPOINTS}",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    }


def raw_messages(key: str) -> dict[str, str]:
    """Key and value of a message as bytes."""
    return {
        "key.format": "raw",
        "key.fields": key,
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
    }


def gate_sinks(
    contract: Contract, kafka: KafkaSettings, gate: JobGate, password: str
) -> Iterator[str]:
    """A table each for the gate's topics. Raises as `KafkaSettings.java_client`."""
    for name, topic in _topics(_stream(contract)).items():
        options = {
            "connector": "kafka",
            "topic": topic,
            **raw_messages(KEY),
            **_delivered(contract, f"{gate.group}.job.{name}"),
            "properties.bootstrap.servers": kafka.servers,
            # The broker says what is too large.
            "properties.max.request.size": str(32 << 20),
            **{f"properties.{k}": said for k, said in kafka.java_client(password).items()},
        }
        yield (
            f"CREATE TEMPORARY TABLE `{name}` (\n  `{KEY}` BYTES,\n  `{VALUE}` BYTES,\n"
            f"  `{HEADERS}` MAP<STRING, BYTES> METADATA FROM 'headers',\n"
            f"  `{CAME}` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'\n) WITH ({listed(options)})"
        )


def gate_inserts(contract: Contract, gate: JobGate) -> Iterator[str]:
    stream = _stream(contract)
    late, own = _perhaps_late(stream.late), f"`{VERDICT}`"
    undecided = f"{own} = '{UNREAD}'" + ("" if stream.appends else f" OR {own} = '{EMPTY}'")
    if late:
        undecided, surely = f"{undecided} OR {late}", f" AND NOT {late}"
    else:
        surely = ""
    where = {
        PASSED: f"{own} = '{KEPT}'{surely}",
        DEAD: f"{own} = '{BROKEN}'{surely}",
        UNDECIDED: f"({undecided})",
    }
    headers = {
        PASSED: f"`{HEADERS}`",
        DEAD: _with_headers(_of_a_dead_letter(contract)),
        UNDECIDED: _with_headers(_source(SOURCE_PARTITION, SOURCE_OFFSET)),
    }
    for name in _topics(stream):
        yield (
            f"INSERT INTO `{name}`\nSELECT `{KEY}`, `{VALUE}`, {headers[name]}, `{CAME}`\n"
            f"FROM `{JUDGED}`\nWHERE {where[name]} AND {_from(gate.begins)}"
        )


def _stream(contract: Contract) -> Stream:
    assert contract.stream is not None and contract.stream.gate is not None
    return contract.stream


def _topics(stream: Stream) -> dict[str, str]:
    assert stream.gate is not None
    dead = {DEAD: stream.dead_letters} if stream.dead_letters else {}
    return {PASSED: stream.gate.topic, **dead, UNDECIDED: stream.gate.undecided}


def _delivered(contract: Contract, prefix: str) -> dict[str, str]:
    gate = _stream(contract).gate
    assert gate is not None
    if gate.delivery is not Delivery.EXACTLY_ONCE:
        return {"sink.delivery-guarantee": "at-least-once"}
    return {
        "sink.delivery-guarantee": "exactly-once",
        "sink.transactional-id-prefix": prefix,
        "properties.transaction.timeout.ms": str(TRANSACTION_SECONDS * 1000),
    }


def _from(begins: Positions) -> str:
    """What the gate has not had: the job reads from where the product stands."""
    cases = " ".join(f"WHEN {partition} THEN {begins[partition]}" for partition in sorted(begins))
    return f"`{OFFSET}` >= CASE `{PARTITION}` {cases} ELSE 0 END"


def _perhaps_late(late: Late | None) -> str:
    """Of the hours that lie between, whole ones: the platform decides it to the microsecond."""
    if late is None:
        return ""
    about = f"CAST({quoted(late.column)} AS TIMESTAMP_LTZ(3))"
    return f"COALESCE(TIMESTAMPDIFF(HOUR, {about}, `{CAME}`) >= {late.hours}, FALSE)"


def _of_a_dead_letter(contract: Contract) -> dict[str, str]:
    named = {
        letters.PRODUCT: contract.key,
        letters.VERSION: contract.version,
        letters.TOPIC: _stream(contract).topic,
    }
    said = {name: f"CAST({quote_literal(value)} AS STRING)" for name, value in named.items()}
    return {
        letters.RULES: f"REPLACE(`{REASONS}`, U&'\\000A', ', ')",
        **said,
        **_source(letters.PARTITION, letters.OFFSET),
    }


def _source(partition: str, offset: str) -> dict[str, str]:
    return {
        partition: f"CAST(`{PARTITION}` AS STRING)",
        offset: f"CAST(`{OFFSET}` AS STRING)",
    }


def _with_headers(added: Mapping[str, str]) -> str:
    # As texts of any length: else Flink fills names up with blanks, and cuts values off.
    said = ", ".join(
        f"CAST({quote_literal(name)} AS STRING), CAST(ENCODE({value}, 'UTF-8') AS BYTES)"
        for name, value in added.items()
    )
    return f"MAP_UNION(`{HEADERS}`, MAP[{said}])"
