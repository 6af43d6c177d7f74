"""Commands that only ask import little: whoever types one waits for its imports first.

Belongs here: which modules a command may not import. Does not belong here: seconds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.light import imported_of

ENGINES = ("dagster", "pandas", "pandera", "polars", "pyarrow.dataset")
CHANGING = ("pyiceberg.catalog", "pyiceberg.io.pyarrow", "pyiceberg.table")
NOT_TO_ASK = ("duckdb", "pyarrow", "pyiceberg.manifest")
FORBIDDEN = {
    "versions": (*ENGINES, *CHANGING, *NOT_TO_ASK, "filelock", "sqlalchemy"),
    "read": (*ENGINES, *CHANGING, *NOT_TO_ASK, "filelock", "jsonschema", "sqlalchemy"),
    "status": (*ENGINES, *CHANGING, *NOT_TO_ASK),
}


@pytest.mark.parametrize("command", FORBIDDEN)
def test_a_command_that_asks_the_stores_imports_no_engine(command: str, tmp_path: Path) -> None:
    script = (
        "import importlib\n"
        "from shared_resources import wiring\n"
        f"importlib.import_module('shared_resources.cli.commands.{command}')\n"
        "for store in wiring.current().stores.values():\n"
        "    assert store.versions('order/sales') == []\n"
        "    store.check_in_step('order/sales')\n"
    )
    variables = {"MESH_HOME": str(tmp_path), "PATH": ""}
    assert imported_of(FORBIDDEN[command], script, variables) == []


def test_opening_a_version_imports_no_transactions() -> None:
    """pyiceberg's own way to a manifest does; `stores/lake/files/avro.py` says why."""
    script = "import shared_resources.stores.lake.snapshot"
    assert imported_of((*ENGINES, *CHANGING), script) == []
