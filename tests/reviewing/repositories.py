"""A small mesh in a git repository of its own, for tests of reviews.

Belongs here: making such a repository, committing in it, asking for a review as JSON.
Does not belong here: what a review must find (the tests).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.cli.commands import Called, call
from tests.tiny_mesh import TinyMesh, column, contract_text

LINES = [
    column("line_id", required=True, primaryKey=True, primaryKeyPosition=1),
    column("amount", "DOUBLE", required=True),
]
LANDING = {"landing": {"prefix": "order/lines", "format": "csv", "object": "*.csv"}}
READER = """
    import pandas as pd
    from shared_resources import data_product, product_input

    @data_product(lines=product_input("order/lines", columns=["amount"]))
    def daily(lines: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({{"total": [float(lines["amount"].sum()) * {factor}]}})
"""
TOTAL = [column("total", "DOUBLE")]


def git(folder: Path, *words: str) -> str:
    """Git as anybody has it who has set nothing."""
    who = {
        f"GIT_{one}_{what}": "a@example.com"
        for one in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    environment = {
        **os.environ,
        **who,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    done = subprocess.run(
        ["git", *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(mesh: TinyMesh, message: str = "a change") -> None:
    git(mesh.root, "add", "--all")
    git(mesh.root, "commit", "--quiet", "--allow-empty", "--message", message)


def lines(mesh: TinyMesh, columns: Iterable[Any] = LINES, version: str = "1.0.0") -> Path:
    text = contract_text("order/lines", list(columns), properties=LANDING, version=version)
    return mesh.product("order/lines", text)


def daily(mesh: TinyMesh, factor: int = 1) -> Path:
    text = contract_text("sales/daily", TOTAL)
    return mesh.product("sales/daily", text, READER.format(factor=factor))


def shop(mesh: TinyMesh) -> TinyMesh:
    """Two domains, of which one reads the other, committed on the branch main; work goes on in
    another."""
    lines(mesh)
    daily(mesh)
    git(mesh.root, "init", "--quiet", "--initial-branch", "main")
    commit(mesh, "the mesh")
    git(mesh.root, "switch", "--quiet", "--create", "change")
    return mesh


def reviewed(*options: object, code: int | None = None) -> dict[str, Any]:
    """The review as JSON."""
    told = call("ci", "--json", *options)
    assert told.code == (code if code is not None else int(not told.json["passed"])), told
    found: dict[str, Any] = told.json
    return found


def cases(review: dict[str, Any], kind: str, outcome: str = "") -> list[dict[str, Any]]:
    return [
        {**case, "suite": suite["name"]}
        for suite in review["suites"]
        for case in suite["cases"]
        if case["kind"] == kind and outcome in ("", case["outcome"])
    ]


def failed(review: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {**case, "suite": suite["name"]}
        for suite in review["suites"]
        for case in suite["cases"]
        if case["outcome"] == "failed"
    ]


def refused(*options: object) -> Called:
    told = call("ci", *options)
    assert told.code == 2 and told.out == "", told
    return told
