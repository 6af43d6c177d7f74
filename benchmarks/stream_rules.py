"""Ten rules on messages, decoded and judged: JSON and Avro, beside what else reads them.

    python -m benchmarks.stream_rules [--messages N] [--repeat N]

156 bytes of JSON a message, or the same row in Avro behind a registry's frame, in batches of 10,000 as
a stream's process takes them; Kafka is not in it. Each contender runs in a fresh process. What is counted
is the processor's time (user and system, all threads) of decoding and ten rules, after one batch that
warms up; imports and making the messages are not in it. The best of all runs is told, as microseconds a
message and as messages that one core does in a second. The peers do less: none of them refuses an
unknown or a repeated field, or isolates a malformed message; DuckDB only counts the rejected. Timings are
printed, never asserted.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import polars as pl
import pyarrow as pa
import pyarrow.json as pj

from benchmarks.results.figures import Figure, report
from shared_resources.contracts.model import (
    Classification,
    Column,
    Contract,
    Rule,
    Server,
)
from shared_resources.contracts.rules.kind import RowKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.types import ColumnType, Family, arrow_schema
from shared_resources.streams.decoding.avro.messages import AvroDecoder
from shared_resources.streams.decoding.decoded import schema_of
from shared_resources.streams.decoding.json.messages import JsonDecoder
from shared_resources.streams.decoding.registry import StoredSchema, Subject
from shared_resources.streams.row_rules.rules import RowRules

BATCH = 10_000
TYPES = {
    "basket": Family.INTEGER, "household": Family.INTEGER, "store": Family.INTEGER,
    "product": Family.INTEGER, "quantity": Family.INTEGER, "amount": Family.FLOAT,
    "channel": Family.STRING, "code": Family.STRING, "day": Family.DATE, "note": Family.STRING,
}  # fmt: skip
RULES: list[tuple[str, str, dict[str, Any]]] = [
    *(("required", name, {}) for name in ("basket", "household", "amount", "day")),
    ("range", "quantity", {"minimum": 1, "maximum": 100}),
    ("range", "amount", {"minimum": 0.0, "exclusiveMaximum": 1000.0}),
    ("range", "day", {"minimum": date(2017, 1, 1)}),
    ("enumeration", "channel", {"values": ["web", "shop", "phone"]}),
    ("pattern", "code", {"pattern": "^[A-Z][0-9]{5}$"}),
    ("length", "note", {"maxLength": 40}),
]
AVRO = {"integer": "long", "float": "double", "string": ["null", "string"],
        "date": {"type": "int", "logicalType": "date"}}  # fmt: skip
SCHEMA = {
    "type": "record",
    "name": "line",
    "fields": [{"name": name, "type": AVRO[family.value]} for name, family in TYPES.items()],
}
Run = Callable[[pa.Array], int]


def contract() -> Contract:
    columns = tuple(
        Column(name, ColumnType(family), "", Classification.INTERNAL)
        for name, family in TYPES.items()
    )
    rules = tuple(
        Rule(f"{kind}_{name}", kind, (name,), clause=name, arguments=arguments)
        for kind, name, arguments in RULES
    )
    return Contract(
        path=Path("contract.odcs.yaml"), digest="", id="lines", domain="order", name="lines",
        version="1.0.0", status="active", description="", owner="", columns=columns, rules=rules,
        servers=(Server.LAKE,),
    )  # fmt: skip


def rows(count: int) -> list[dict[str, Any]]:
    drawn = random.Random(7)
    return [
        {
            "basket": 31_000_000 + i, "household": drawn.randint(1, 2500),
            "store": drawn.randint(1, 500), "product": drawn.randint(1, 10**7),
            "quantity": drawn.randint(1, 99), "amount": round(drawn.random() * 50, 2),
            "channel": drawn.choice(["web", "shop", "phone"]),
            "code": f"A{drawn.randint(0, 99_999):05}", "day": f"2017-03-{drawn.randint(1, 28):02}",
            "note": None if i % 3 else "hand",
        }
        for i in range(count)
    ]  # fmt: skip


def as_json(count: int) -> list[bytes]:
    return [json.dumps(row, separators=(",", ":")).encode() for row in rows(count)]


def as_avro(count: int) -> list[bytes]:
    parsed, found = fastavro.parse_schema(dict(SCHEMA)), []
    for row in rows(count):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, {**row, "day": date.fromisoformat(row["day"])})
        found.append(b"\0\0\0\0\1" + out.getvalue())
    return found


class _Registry:
    def schema(self, id_: int) -> StoredSchema:
        return StoredSchema("AVRO", json.dumps(SCHEMA))

    def subject(self, name: str) -> Subject:
        raise NotImplementedError


# Contenders: the rejected rows of a batch ------------------------------------------------------------


def mesh_json() -> Run:
    decoder, rules = JsonDecoder(contract()), RowRules(contract())
    return lambda values: len(rules.judge(decoder.decode(values).frame).reasons)


def mesh_avro() -> Run:
    decoder, rules = AvroDecoder(contract(), _Registry()), RowRules(contract())
    return lambda values: len(rules.judge(decoder.decode(values).frame).reasons)


def polars_json() -> Run:
    schema, rules = schema_of(contract()), RowRules(contract())
    dtype = pl.Struct({**schema, "day": pl.String})

    def run(values: pa.Array) -> int:
        texts = pl.Series("m", values).cast(pl.String)
        frame = texts.str.json_decode(dtype).struct.unnest()
        return len(rules.judge(frame.with_columns(pl.col("day").str.to_date("%Y-%m-%d"))).reasons)

    return run


def pyarrow_json() -> Run:
    wanted = arrow_schema(tuple((name, ColumnType(family)) for name, family in TYPES.items()))
    schema, rules = schema_of(contract()), RowRules(contract())
    day = wanted.get_field_index("day")
    options = pj.ParseOptions(explicit_schema=wanted.set(day, pa.field("day", pa.string())))

    def run(values: pa.Array) -> int:
        lines = b"\n".join(values.to_pylist())
        frame = pl.DataFrame(pj.read_json(io.BytesIO(lines), parse_options=options))
        frame = frame.with_columns(pl.col("day").str.to_date("%Y-%m-%d"))
        return len(rules.judge(frame.select(list(schema))).reasons)

    return run


def duckdb_json() -> Run:
    of, connection = contract(), duckdb.connect()
    shape = json.dumps({c.name: c.type.duckdb for c in of.columns})
    broken = " OR ".join(
        f"coalesce({kind.violation(rule, of)}, FALSE)"
        for rule in of.rules
        if isinstance(kind := kind_of(rule), RowKind)
    )

    def run(values: pa.Array) -> int:
        connection.register("messages", pa.table({"m": values.cast(pa.string())}))
        read = f"SELECT unnest(from_json(m, '{shape}')) FROM messages"
        found = connection.execute(f"SELECT count(*) FROM ({read}) AS batch WHERE {broken}")
        return int(found.fetchall()[0][0])

    return run


def python_json() -> Run:
    schema, rules = schema_of(contract()), RowRules(contract())

    def run(values: pa.Array) -> int:
        found = [json.loads(value) for value in values.to_pylist()]
        frame = pl.DataFrame(found, schema={**schema, "day": pl.String})
        return len(rules.judge(frame.with_columns(pl.col("day").str.to_date("%Y-%m-%d"))).reasons)

    return run


def fastavro_avro() -> Run:
    schema, rules = schema_of(contract()), RowRules(contract())
    parsed: Any = fastavro.parse_schema(dict(SCHEMA))

    def run(values: pa.Array) -> int:
        found = [
            fastavro.schemaless_reader(io.BytesIO(value[5:]), parsed, None)
            for value in values.to_pylist()
        ]
        return len(rules.judge(pl.DataFrame(found, schema=schema)).reasons)

    return run


def polars_avro() -> Run:
    """All messages of a batch as the one block of a container, which trusts each of them."""
    schema, rules = schema_of(contract()), RowRules(contract())
    head, mark = io.BytesIO(b"Obj\x01"), b"0123456789abcdef"
    head.seek(4)
    meta = {"avro.schema": json.dumps(SCHEMA).encode(), "avro.codec": b"null"}
    fastavro.schemaless_writer(head, {"type": "map", "values": "bytes"}, meta)

    def run(values: pa.Array) -> int:
        body = b"".join(value[5:] for value in values.to_pylist())
        block = io.BytesIO()
        for number in (len(values), len(body)):
            fastavro.schemaless_writer(block, "long", number)
        whole = b"".join((head.getvalue(), mark, block.getvalue(), body, mark))
        return len(rules.judge(pl.read_avro(io.BytesIO(whole)).select(list(schema))).reasons)

    return run


JSON = {"mesh": mesh_json, "polars, json_decode": polars_json, "pyarrow": pyarrow_json,
        "DuckDB, from_json": duckdb_json, "Python's json": python_json}  # fmt: skip
AVRO_ = {"mesh": mesh_avro, "polars, one container": polars_avro, "fastavro": fastavro_avro}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--contender", nargs=2, help="(for its own processes)")
    options = parser.parse_args()
    if options.contender:
        print(_measured(*options.contender, options.messages, options.repeat))
        return
    figures = []
    for format_, contenders in (("json", JSON), ("avro", AVRO_)):
        took = {
            name: _apart(format_, name, options.messages, options.repeat) for name in contenders
        }
        for name, micros in took.items():
            print(f"{format_:<5} {name:<22} {micros:6.2f} µs {1 / micros:6.2f} M messages/s a core")
        peer = "polars, json_decode" if format_ == "json" else "polars, one container"
        figures.append(
            Figure(f"ten rules on {format_} messages (CPU)", took["mesh"], "µs", peer, took[peer])
        )
    report(figures)


def _apart(format_: str, name: str, messages: int, repeat: int) -> float:
    command = [sys.executable, "-m", "benchmarks.stream_rules", "--contender", format_, name]
    command += ["--messages", str(messages), "--repeat", str(repeat)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def _measured(format_: str, name: str, messages: int, repeat: int) -> float:
    """Microseconds of the processor a message."""
    made = as_json(messages) if format_ == "json" else as_avro(messages)
    batches = [pa.array(made[i : i + BATCH], pa.binary()) for i in range(0, messages, BATCH)]
    run = (JSON if format_ == "json" else AVRO_)[name]()
    assert run(batches[0]) == 0
    best = float("inf")
    for _ in range(repeat):
        before = _processor()
        for values in batches:
            run(values)
        best = min(best, _processor() - before)
    return best / messages * 1e6


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
