"""The job: from the topic to the staging table, as statements of Flink's SQL.

Belongs here: the source, the sink, the settings without which a job loses rows, one statement in between.
Does not belong here: reading a message (`message_sql.py`), rules (`verdict_sql.py`), what a gate is given
beside (`gate_sql.py`), running the job.

All goes into one table: each commit of it is one checkpoint, so what it holds of a partition has no hole
below its highest offset, or something was lost. Two tables would be committed one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared_resources.contracts.model import Contract
from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.sql import quote_literal
from shared_resources.streams.flink.gate_sql import (
    CAME,
    CARRIED,
    HEADERS,
    JUDGED,
    KEY,
    VALUE,
    JobGate,
    gate_inserts,
    gate_settings,
    gate_sinks,
    raw_messages,
)
from shared_resources.streams.flink.message_sql import doubtful, flink_type, tokens, value
from shared_resources.streams.flink.options import lines as _lines
from shared_resources.streams.flink.options import listed as _listed
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
from shared_resources.streams.flink.verdict_sql import JobRules, job_rules, quoted, reasons
from shared_resources.streams.log.port import Positions

CATALOG, DATABASE, TABLE = "staging", "stream", "messages"
PASSWORD = "${KAFKA_SASL_PASSWORD}"  # filled in by who runs the job, from its own environment
SEPARATOR = "\n;\n"
_TABLE = f"`{CATALOG}`.`{DATABASE}`.`{TABLE}`"
_OWN = (PARTITION, OFFSET)
_FORMAT_2 = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    # Bounds hold values in clear: only those of positions are wanted.
    "write.metadata.metrics.default": "none",
    f"write.metadata.metrics.column.{OFFSET}": "full",
    f"write.metadata.metrics.column.{PARTITION}": "full",
}


@dataclass(frozen=True)
class Job:
    """What a job is made of beside the contract: from where it reads the topic, into which folder (the
    warehouse of an Iceberg catalog of Hadoop's kind) it puts what it has read, and the gate that it
    passes messages to, if it does."""

    begins: Positions
    warehouse: str
    checkpoint_seconds: int
    gate: JobGate | None = None


def compile_job(contract: Contract, kafka: KafkaSettings, job: Job) -> str:
    """The whole job, statement after statement, with `SEPARATOR` in between. No secret is in it.

    Raises `MeshProblem` for brokers that are logged in to as Flink cannot.
    """
    source, sink, gate = _source(contract, kafka, job), _sink(contract, job), job.gate
    before = [*_settings(job), source, *sink]
    if gate is None:
        return SEPARATOR.join([*before, statement(contract)])
    judged = _judged(contract, gate.rules, (*_OWN, *CARRIED))
    names = ", ".join(quoted(one) for one in (*_OWN, VERDICT, REASONS, *_names(contract)))
    inserts = [
        f"INSERT INTO {_TABLE}\nSELECT {names} FROM `{JUDGED}`",
        *gate_inserts(contract, gate),
    ]
    return SEPARATOR.join(
        [
            *before,
            *gate_sinks(contract, kafka, gate, PASSWORD),
            f"CREATE TEMPORARY VIEW `{JUDGED}` AS\n{judged}",
            "EXECUTE STATEMENT SET BEGIN\n" + ";\n".join(inserts) + ";\nEND",
        ]
    )


def statement(contract: Contract) -> str:
    """What is staged of each message."""
    return f"INSERT INTO {_TABLE}\n{_judged(contract, job_rules(contract), _OWN)}"


def _settings(job: Job) -> list[str]:
    settings = {
        "execution.runtime-mode": "streaming",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.interval": f"{job.checkpoint_seconds} s",
        # The sink of before lost rows without a word.
        "table.exec.iceberg.use-v2-sink": "true",
        "table.local-time-zone": "UTC",
        # A task that fails begins again at the last checkpoint, a few times.
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": "3",
        "restart-strategy.fixed-delay.delay": "5 s",
        **(gate_settings(job.warehouse) if job.gate else {}),
    }
    return [f"SET {quote_literal(key)} = {quote_literal(said)}" for key, said in settings.items()]


def _source(contract: Contract, kafka: KafkaSettings, job: Job) -> str:
    stream = contract.stream
    assert stream is not None
    begins = ";".join(f"partition:{p},offset:{job.begins[p]}" for p in sorted(job.begins))
    options = {
        "connector": "kafka",
        "topic": stream.topic,
        **({"format": "raw"} if job.gate is None else raw_messages(KEY)),
        "scan.startup.mode": "specific-offsets",
        "scan.startup.specific-offsets": begins,
        # Partitions that are added are read by the job that begins after that.
        "scan.topic-partition-discovery.interval": "0",
        "properties.bootstrap.servers": kafka.servers,
        "properties.isolation.level": "read_committed",
        "properties.auto.offset.reset": "none",
        "properties.enable.auto.commit": "false",
        **({} if job.gate is None else {"properties.group.id": job.gate.group}),
        **{f"properties.{name}": said for name, said in kafka.java_client(PASSWORD).items()},
    }
    columns = [
        "`value` STRING" if job.gate is None else f"`{KEY}` BYTES, `{VALUE}` BYTES",
        f"`{PARTITION}` INT METADATA FROM 'partition' VIRTUAL",
        f"`{OFFSET}` BIGINT METADATA FROM 'offset' VIRTUAL",
    ]
    if job.gate is not None:
        columns += [
            f"`{HEADERS}` MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL",
            f"`{CAME}` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL",
            # What is no UTF-8 has U+FFFD in it.
            f"`value` AS DECODE(`{VALUE}`, 'UTF-8')",
        ]
    return f"CREATE TEMPORARY TABLE `topic` (\n  {_lines(columns)}\n) WITH ({_listed(options)})"


def _sink(contract: Contract, job: Job) -> list[str]:
    catalog = {"type": "iceberg", "catalog-type": "hadoop", "warehouse": job.warehouse}
    columns = [f"{quoted(c.name)} {flink_type(c.type)}" for c in contract.columns]
    own = [f"`{PARTITION}` INT", f"`{OFFSET}` BIGINT", f"`{VERDICT}` STRING", f"`{REASONS}` STRING"]
    columns_of_it = _lines([*own, *columns])
    return [
        f"CREATE CATALOG `{CATALOG}` WITH ({_listed(catalog)})",
        # It is there when a job goes on to end what one before has begun.
        f"CREATE DATABASE IF NOT EXISTS `{CATALOG}`.`{DATABASE}`",
        f"CREATE TABLE IF NOT EXISTS {_TABLE} (\n  {columns_of_it}\n) WITH ({_listed(_FORMAT_2)})",
    ]


def _judged(contract: Contract, rules: JobRules, carried: Sequence[str]) -> str:
    """Each message becomes exactly one row, its columns `carried` with it. What is computed once and used
    often is unnested: Flink would else compute it anew for each use. No JSON number is NaN, which rules
    want as null."""
    by_name, fields = {c.name: c for c in contract.columns}, _names(contract)
    token = {name: f"`tokens`[{place}]" for place, name in enumerate(fields, start=1)}
    typed = [f"{value(token[name], by_name[name])} AS {quoted(name)}" for name in fields]
    doubts = " OR ".join(
        f"({doubtful(token[name], quoted(name), by_name[name])})" for name in fields
    )
    own = ", ".join(f"`{name}`" for name in carried)
    names = ", ".join(map(quoted, fields))
    # What was not proved, or is doubtful, has no values here.
    plain = ", ".join(
        f"CASE WHEN `unread` THEN NULL ELSE {quoted(c.name)} END AS {quoted(c.name)}"
        for c in contract.columns
    )
    verdict = (
        f"CASE WHEN `empty` THEN '{EMPTY}' WHEN `unread` THEN '{UNREAD}' "
        f"WHEN `{REASONS}` IS NULL THEN '{KEPT}' ELSE '{BROKEN}' END"
    )
    said = f"CASE WHEN `unread` OR `empty` THEN NULL ELSE `{REASONS}` END"
    return f"""SELECT {own}, {verdict} AS `{VERDICT}`, {said} AS `{REASONS}`, {names}
FROM (
  SELECT {own}, `empty`, `unread`, {names},
    {reasons(rules)} AS `{REASONS}`
  FROM (
    SELECT {own}, `empty`, `unread`, {plain}
    FROM (
      SELECT {own}, `empty`, `tokens` IS NULL OR COALESCE({doubts}, FALSE) AS `unread`, {names}
      FROM (
        SELECT {own}, `value` IS NULL AS `empty`, `tokens`,
          {_lines(typed, 10)}
        FROM `topic` CROSS JOIN UNNEST(ARRAY[
          {tokens("`value`", contract, fields)}
        ]) AS `found` (`tokens`)
      )
    )
  )
)"""


def _names(contract: Contract) -> list[str]:
    return [c.name for c in contract.columns]
