"""A classified value stands in the data and in quarantine, and nowhere else that the mesh writes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.cli.commands import Called, call, start
from tests.tiny_mesh import TinyMesh, column, contract_text

KEY, MADE = "hr/people", "hr/made"
NAME, SALARY, BORN = "Qxzyname", 918273645, "1977-11-23"
VALUES = (NAME, NAME.upper(), str(SALARY), "918,273,645", BORN)
COLUMNS = [
    column("id", required=True),
    column("name", "VARCHAR", classification="restricted"),
    column("salary", classification="confidential"),
    column("born", "DATE", classification="confidential"),
]
LANDING = {"prefix": KEY, "format": "csv", "object": "*.csv"}
FUNCTION = """
    import pandas as pd
    from shared_resources import data_product

    @data_product(people="hr/people")
    def made(people: pd.DataFrame) -> pd.DataFrame:
        row = people.iloc[0]
        {body}
        return people
"""
RULE = """
    def odd(batch):
        raise ValueError(f"odd {batch['name'][0]} with {batch['salary'][0]} of {batch['born'][0]}")
"""


def sql(name: str, query: str) -> dict[str, object]:
    return {"name": name, "type": "sql", "query": query, "mustBe": 0}


# Each makes the run of one of the two products fail with a value at hand.
BREAKS = {
    "a rule of the contract": ("range", ""),
    "an error in SQL, quoted": ("sql", "SELECT sum(CAST(name AS INTEGER)) FROM batch"),
    "an error in SQL, not quoted": (
        "sql",
        "SELECT sum(CAST(salary AS INTEGER) * CAST(salary AS INTEGER)) FROM batch",
    ),
    "an error that SQL words": (
        "sql",
        "SELECT error('it is ' || name || ' ' || salary) FROM batch",
    ),
    "an exception of a rule": ("custom", ""),
    "an exception of the product": ("code", 'raise ValueError(f"{row.name_} {row.salary}")'),
    "an error of a library": ("code", "int(row['name'])"),
    "a key that is a value": ("code", "people.set_index('name').loc[row['name'] + 'x']"),
    "an exception that has a cause": (
        "code",
        "try:\n            int(row['name'])\n        except ValueError as e:\n"
        "            raise RuntimeError(str(row['born'])) from e",
    ),
    "an exit that says why": ("code", "raise SystemExit(f'{row.salary} of ' + row['name'])"),
    "an unreadable row": ("text", ""),
}


def people(mesh: TinyMesh, kind: str, text: str) -> None:
    columns, quality, rules = [dict(one) for one in COLUMNS], [], ""
    if kind == "range":
        columns[2]["logicalTypeOptions"] = {"maximum": 10}
    elif kind == "sql":
        quality = [sql("asked", text)]
    elif kind == "custom":
        quality = [
            {"name": "odd", "type": "custom", "engine": "mesh", "implementation": "rules:odd"}
        ]
        rules = RULE
    mesh.product(
        KEY,
        contract_text(KEY, columns, quality=quality, properties={"landing": LANDING}),
        rules=rules,
    )
    bad = f"2,{NAME},{NAME},{BORN}\n" if kind == "text" else ""
    mesh.land(f"{KEY}/a.csv", f"id,name,salary,born\n1,{NAME},{SALARY},{BORN}\n{bad}")


def leaks(home: Path, told: list[Called]) -> list[str]:
    """Where a value stands besides data files, what landed, and rejected rows."""
    found = [f"terminal: {value}" for one in told for value in VALUES if value in one.out + one.err]
    for path in home.rglob("*"):
        inside = path.relative_to(home).parts
        data = path.suffix in (".parquet", ".duckdb") or inside[0] == "landing"
        if path.is_file() and not path.is_symlink() and not data:
            content = path.read_bytes()
            found += [f"{path}: {value}" for value in VALUES if value.encode() in content]
            if SALARY.to_bytes(8, "little") in content:
                found.append(f"{path}: the salary in binary")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("what", BREAKS)
def test_no_message_log_or_database_holds_one(mesh: TinyMesh, what: str) -> None:
    kind, text = BREAKS[what]
    people(mesh, "" if kind == "code" else kind, text)
    if kind == "code":
        body = text.replace("row.name_", "row['name']").replace("row.salary", "row['salary']")
        mesh.product(MADE, contract_text(MADE, COLUMNS), FUNCTION.format(body=body))
    told = [start("run"), call("status"), call("status", "--json"), call("landing")]
    told += [call("quarantine", "list"), call("quarantine", "list", "--json")]
    assert told[0].code == 1, told[0]
    for entry in mesh.environment.quarantine.list():
        told.append(call("quarantine", "show", entry.id))
        told.append(call("quarantine", "replay", entry.id))
    assert leaks(mesh.environment.home, told) == []


def test_iceberg_records_no_bounds_of_classified_columns(mesh: TinyMesh) -> None:
    people(mesh, "", "")
    assert mesh.run(KEY).success
    assert leaks(mesh.environment.home, []) == []


@pytest.mark.slow
def test_nobody_else_may_read_what_the_mesh_makes(mesh: TinyMesh) -> None:
    before = os.umask(0o022)
    try:
        people(mesh, "", "")
        landed = set(mesh.environment.home.rglob("*"))
        assert start("run").code == 0
    finally:
        os.umask(before)
    made = set(mesh.environment.home.rglob("*")) - landed
    assert made
    open_to_others = [
        p for p in made if stat.S_IMODE(p.lstat().st_mode) & 0o077 and not p.is_symlink()
    ]
    assert open_to_others == []
