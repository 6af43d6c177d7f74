"""The job: from the topic to the staging table, as statements of Flink's SQL.

Belongs here: the source, the sink, the settings without which a job loses rows, one statement in between.
Does not belong here: reading a message (`message_sql.py`), rules (`verdict_sql.py`), running the job.

All goes into one table: each commit of it is one checkpoint, so what it holds of a partition has no hole
below its highest offset, or something was lost. Two tables would be committed one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared_resources.contracts.model import Contract
from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.sql import quote_literal
from shared_resources.streams.flink.message_sql import doubtful, flink_type, tokens, value
from shared_resources.streams.flink.verdict_sql import (
    REASONS,
    JobRules,
    job_rules,
    quoted,
    reasons,
)
from shared_resources.streams.log.port import Positions

PARTITION, OFFSET, VERDICT = "_mesh_partition", "_mesh_offset", "_mesh_verdict"
CATALOG, DATABASE, TABLE = "staging", "stream", "messages"
# Of one staged message: it keeps the rules, breaks some, is not plainly written, has no value.
KEPT, BROKEN, UNREAD, EMPTY = "kept", "broken", "unread", "empty"
PASSWORD = "${KAFKA_SASL_PASSWORD}"  # filled in by who runs the job, from its own environment
SEPARATOR = "\n;\n"
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
    """What a job is made of beside the contract: from where it reads the topic, and into which folder
    (the warehouse of an Iceberg catalog of Hadoop's kind) it puts what it has read."""

    begins: Positions
    warehouse: str
    checkpoint_seconds: int


def compile_job(contract: Contract, kafka: KafkaSettings, job: Job) -> str:
    """The whole job, statement after statement, with `SEPARATOR` in between. No secret is in it.

    Raises `MeshProblem` for brokers that are logged in to as Flink cannot.
    """
    source, sink = _source(contract, kafka, job), _sink(contract, job)
    return SEPARATOR.join([*_settings(job), source, *sink, statement(contract)])


def statement(contract: Contract) -> str:
    """What is done with each message."""
    return _insert(contract, job_rules(contract), [c.name for c in contract.columns])


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
    }
    return [f"SET {quote_literal(key)} = {quote_literal(said)}" for key, said in settings.items()]


def _source(contract: Contract, kafka: KafkaSettings, job: Job) -> str:
    stream = contract.stream
    assert stream is not None
    begins = ";".join(f"partition:{p},offset:{job.begins[p]}" for p in sorted(job.begins))
    options = {
        "connector": "kafka",
        "topic": stream.topic,
        "format": "raw",
        "scan.startup.mode": "specific-offsets",
        "scan.startup.specific-offsets": begins,
        # Partitions that are added are read by the job that begins after that.
        "scan.topic-partition-discovery.interval": "0",
        "properties.bootstrap.servers": kafka.servers,
        "properties.isolation.level": "read_committed",
        "properties.auto.offset.reset": "none",
        "properties.enable.auto.commit": "false",
        **{f"properties.{name}": said for name, said in kafka.java_client(PASSWORD).items()},
    }
    return (
        "CREATE TEMPORARY TABLE `topic` (\n  `value` STRING,\n"
        f"  `{PARTITION}` INT METADATA FROM 'partition' VIRTUAL,\n"
        f"  `{OFFSET}` BIGINT METADATA FROM 'offset' VIRTUAL\n) WITH ({_listed(options)})"
    )


def _sink(contract: Contract, job: Job) -> list[str]:
    catalog = {"type": "iceberg", "catalog-type": "hadoop", "warehouse": job.warehouse}
    columns = [f"{quoted(c.name)} {flink_type(c.type)}" for c in contract.columns]
    own = [f"`{PARTITION}` INT", f"`{OFFSET}` BIGINT", f"`{VERDICT}` STRING", f"`{REASONS}` STRING"]
    table = f"`{CATALOG}`.`{DATABASE}`.`{TABLE}`"
    return [
        f"CREATE CATALOG `{CATALOG}` WITH ({_listed(catalog)})",
        f"CREATE DATABASE `{CATALOG}`.`{DATABASE}`",
        f"CREATE TABLE {table} (\n  {_lines([*own, *columns])}\n) WITH ({_listed(_FORMAT_2)})",
    ]


def _insert(contract: Contract, rules: JobRules, fields: Sequence[str]) -> str:
    """Each message becomes exactly one row. What is computed once and used often is unnested: Flink
    would else compute it anew for each use. No JSON number is NaN, which rules want as null."""
    by_name = {c.name: c for c in contract.columns}
    token = {name: f"`tokens`[{place}]" for place, name in enumerate(fields, start=1)}
    typed = [f"{value(token[name], by_name[name])} AS {quoted(name)}" for name in fields]
    doubts = " OR ".join(
        f"({doubtful(token[name], quoted(name), by_name[name])})" for name in fields
    )
    own = f"`{PARTITION}`, `{OFFSET}`"
    names = ", ".join(quoted(c.name) for c in contract.columns)
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
    return f"""INSERT INTO `{CATALOG}`.`{DATABASE}`.`{TABLE}`
SELECT {own}, {verdict}, {said}, {names}
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


def _listed(options: Mapping[str, str]) -> str:
    return _lines([f"{quote_literal(k)} = {quote_literal(v)}" for k, v in options.items()])


def _lines(parts: Sequence[str], indent: int = 2) -> str:
    return f",\n{' ' * indent}".join(parts)
