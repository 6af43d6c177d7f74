"""What a model may reach while dbt runs it: its pinned inputs and its own folder, nothing else.

Belongs here: the dbt-duckdb plugin that attaches the inputs and then shuts the door. It runs in
dbt's process and must stay light to import.
Does not belong here: deciding what the inputs are (`on_duckdb.py` writes `inputs.json`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from shared_resources.sql import quote_identifier, quote_literal

INPUTS = "inputs.json"


class Plugin(BasePlugin):
    """Found by dbt-duckdb under this name; works in the run's folder, dbt's current directory."""

    def configure_connection(self, conn: Any) -> None:
        open_inputs(conn, Path.cwd())


def open_inputs(connection: Any, folder: Path) -> None:
    """Attach the run's inputs; from then on no other file can be read or written."""
    inputs = json.loads((folder / INPUTS).read_text(encoding="utf-8"))
    for alias, path in inputs["attach"].items():
        connection.execute(f"ATTACH {quote_literal(path)} AS {quote_identifier(alias)} (READ_ONLY)")
    paths = ", ".join(quote_literal(path) for path in inputs["paths"])
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute(f"SET allowed_directories = [{quote_literal(str(folder) + '/')}]")
    connection.execute("SET enable_external_access = false")
