"""Flink, DuckDB and polars give every row the same verdict.

Contracts and rows are those of `row_rules/test_agreement.py`, without floats that no job reads. All are
asked of one JVM, a query each.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import read_contract_text
from shared_resources.contracts.types import Family
from shared_resources.streams.flink.message_sql import flink_type
from shared_resources.streams.flink.verdict_sql import (
    JobRules,
    job_rules,
    quoted,
    reasons,
)
from tests.contracts.test_agreement import contracts
from tests.stand_ins.flink import JAVA_OPTIONS, flink_python
from tests.streams.row_rules.test_agreement import (
    CHECKS,
    by_duckdb,
    by_polars,
    strict,
    tables,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("flink")]
EXAMPLES, ROUNDS = 12, 4
_ASK = Path(__file__).with_name("ask_flink.py")


def written(value: Any, family: Family) -> Any:
    """A value as Flink's JSON format reads it back exactly."""
    if value is None or family in (Family.BOOLEAN, Family.STRING):
        return value
    if family is Family.FLOAT:
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(value), repr(value))
    if family in (Family.TIMESTAMP, Family.TIMESTAMP_TZ):
        said = value.replace(tzinfo=None).isoformat(timespec="microseconds")
        return said + ("Z" if family is Family.TIMESTAMP_TZ else "")
    return str(value)


def as_staged(contract: Contract, table: pa.Table) -> pa.Table:
    """Without floats that a job leaves unread: JSON has no NaN and infinities, large numbers and -0.0 are
    the platform's to read."""
    for place, column in enumerate(contract.columns):
        if column.type.family is Family.FLOAT:
            values = table[column.name]
            most = 2.0**23 if column.type.width == 32 else 2.0**52
            read = pc.less(pc.abs(values), pa.scalar(most, values.type))
            zero = pc.equal(values, pa.scalar(0.0, values.type))
            values = pc.if_else(read, values, pa.scalar(None, values.type))
            values = pc.if_else(zero, pa.scalar(0.0, values.type), values)
            table = table.set_column(place, table.schema.field(place), values)
    return table


def query(contract: Contract, rules: JobRules, table: pa.Table, folder: Path) -> list[str]:
    """Statements that make the table and ask what each row breaks, by its number."""
    folder.mkdir()
    families = {c.name: c.type.family for c in contract.columns}
    lines = [
        {"_mesh_row": place, **{n: written(v, families[n]) for n, v in row.items()}}
        for place, row in enumerate(table.to_pylist())
    ]
    (folder / "rows.json").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    columns = ", ".join(f"{quoted(c.name)} {flink_type(c.type)}" for c in contract.columns)
    name = f"`{folder.name}`"
    return [
        f"CREATE TEMPORARY TABLE {name} (`_mesh_row` INT, {columns}) WITH ('connector' = "
        f"'filesystem', 'path' = '{folder.as_uri()}', 'format' = 'json', "
        "'json.timestamp-format.standard' = 'ISO-8601')",
        f"SELECT `_mesh_row`, {reasons(rules)} FROM (SELECT `_mesh_row`, "
        f"{', '.join(quoted(c.name) for c in contract.columns)} FROM {name})",
    ]


def ask(statements: list[str], folder: Path) -> list[dict[int, Any]]:
    """The answers of the queries among them: by the first column, the second."""
    file, answers = folder / "asked.json", folder / "answers.json"
    file.write_text(json.dumps(statements))
    done = subprocess.run(
        [str(flink_python()), str(_ASK), str(file), str(answers)],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "JAVA_TOOL_OPTIONS": JAVA_OPTIONS},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [{int(k): v for k, v in one.items()} for one in json.loads(answers.read_text())]


def test_flink_gives_each_row_the_verdict_of_duckdb_and_polars(tmp_path: Path) -> None:
    flink_python()
    drawn: list[tuple[Contract, pa.Table]] = []

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=CHECKS)
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        text, kinds = data.draw(contracts())
        contract = strict(read_contract_text(text, Path("contract.odcs.yaml")))
        rows = [data.draw(tables(contract, kinds)) for _ in range(ROUNDS)]
        drawn.append((contract, as_staged(contract, pa.concat_tables(rows))))

    draw()
    statements, asked = [], []
    for place, (contract, table) in enumerate(drawn):
        rules = job_rules(contract)
        if rules.asked:
            statements += query(contract, rules, table, tmp_path / f"t{place}")
            names = {rule.name for rule, _ in rules.asked}
            kept = [rule for rule in contract.rules if rule.name in names]
            asked.append((replace(contract, rules=tuple(kept)), table))
    assert len(asked) >= EXAMPLES // 2
    answers = ask(statements, tmp_path)
    assert not [answer[-1] for answer in answers if -1 in answer]
    for (contract, table), answer in zip(asked, answers, strict=True):
        rows = table.to_pylist()
        assert sorted(answer) == list(range(len(rows)))
        by_flink = sorted(
            (tuple(said.split("\n")), repr(rows[place])) for place, said in answer.items() if said
        )
        assert by_flink == sorted(by_duckdb(contract, table)), contract.rules
        assert by_flink == sorted(by_polars(contract, table)), contract.rules
