"""Commands that only ask import little: whoever types one waits for its imports first.

Belongs here: which modules a command may not import. Does not belong here: seconds.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.mesh import look_at_mesh
from tests.guarantees.orders import KEY, land_orders, orders_product
from tests.light import imported_of
from tests.tiny_mesh import TinyMesh, column, contract_text

ENGINES = ("dagster", "pandas", "pandera", "polars", "pyarrow.dataset")
CHANGING = ("pyiceberg.catalog", "pyiceberg.io.pyarrow", "pyiceberg.table")
NOT_TO_ASK = ("duckdb", "pyarrow", "pyiceberg.manifest")
# What writes, and what reads a contract that was not read before.
NOT_TO_LOOK = ("asyncio", "filelock", "jsonschema", "sqlalchemy")
FORBIDDEN = (*ENGINES, *CHANGING, *NOT_TO_ASK, *NOT_TO_LOOK)
COMMANDS = ("versions", "read", "status")


@pytest.mark.parametrize("command", COMMANDS)
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
    assert imported_of(FORBIDDEN, script, variables) == []


@pytest.mark.parametrize(
    "words", [["status"], ["versions", KEY], ["read", KEY]], ids=lambda words: words[0]
)
def test_a_look_at_what_is_published_needs_nothing_that_writes(
    words: list[str], mesh: TinyMesh
) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0, 2.0])
    assert mesh.run(KEY).success
    look_at_mesh(mesh.environment)  # keeps the contracts, as any command did before
    script = (
        "import contextlib, io\n"
        "from shared_resources.cli.main import mesh\n"
        "with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):\n"
        f"    mesh({words!r}, standalone_mode=False)\n"
        "assert said.getvalue().strip(), 'nothing was said'\n"
    )
    variables = {
        "MESH_ROOT": str(mesh.root),
        "MESH_HOME": str(mesh.environment.home),
        "PATH": "",
    }
    never = ("dagster", "pandas", "pandera", "polars", *CHANGING, *NOT_TO_LOOK)
    assert imported_of(never, script, variables) == []


def test_opening_a_version_imports_no_transactions() -> None:
    """pyiceberg's own way to a manifest does; `stores/lake/files/avro.py` says why."""
    script = "import shared_resources.stores.lake.snapshot"
    assert imported_of((*ENGINES, *CHANGING), script) == []


# Each is a tenth of an audit's time or more, and pyarrow imports pandas to convert a list, even an empty
# one, and numpy whenever it is there.
NOT_TO_AUDIT = (*ENGINES, "jsonschema", "numpy", "pyarrow.csv", "sqlalchemy")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("sound", [True, False], ids=["sound", "with a reject"])
def test_an_audit_of_a_file_imports_no_frames(form: str, sound: bool, tmp_path: Path) -> None:
    count = {"type": "sql", "name": "few", "query": "SELECT count(*) FROM batch", "mustBe": 2}
    columns = (
        column("order_id", required=True, primaryKey=True, primaryKeyPosition=1, quality=[count]),
        column("amount", "DOUBLE", required=True, logicalTypeOptions={"exclusiveMinimum": 0}),
    )
    landing = {"prefix": "order/orders", "format": form, "mode": "replace", "object": f"*.{form}"}
    contract, data = tmp_path / "contract.odcs.yaml", tmp_path / f"orders.{form}"
    contract.write_text(contract_text("order/orders", columns, properties={"landing": landing}))
    wrong = "2.5" if sound else "much"
    if form == "csv":
        data.write_text(f"order_id,amount\n1,1.5\n2,{wrong}\n")
    elif form == "jsonl":
        wrong = wrong if sound else f'"{wrong}"'
        data.write_text(f'{{"order_id":1,"amount":1.5}}\n{{"order_id":2,"amount":{wrong}}}\n')
    else:
        ids, amounts = pa.array([1, 2], pa.int64()), pa.array([1.5, 2.5 if sound else -1.0])
        pq.write_table(pa.table({"order_id": ids, "amount": amounts}), data)
    script = (
        "import contextlib, io\n"
        "from shared_resources.cli.main import mesh\n"
        "with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):\n"
        f"    mesh(['audit', {str(contract)!r}, '--data', {str(data)!r}], standalone_mode=False)\n"
        "text = said.getvalue()\n"
        f"assert 'rows of order/orders: would be {'published' if sound else 'refused'}' in text, text\n"
    )
    # Arrow's functions prove a foreign footer, and mark the rows that are no values.
    never = (*NOT_TO_AUDIT, *(("pyarrow.compute",) if sound and form != "parquet" else ()))
    if not sound and form != "parquet":
        never = tuple(name for name in never if name != "numpy")  # which these import
    assert imported_of(never, script) == []


def test_the_process_that_asks_a_query_of_one_batch_imports_no_frames() -> None:
    """What functions and many parts need it imports when it is told that such are to come."""
    script = "import shared_resources.governance.audit.domain_rules.process.server"
    assert imported_of((*ENGINES, "numpy", "pyarrow"), script) == []


def test_a_location_imports_no_engine_before_it_makes_anything(tmp_path: Path) -> None:
    """Beside what its products' own code imports, and RE2, of Arrow, for a pattern in a contract; `mesh
    run` has its workers import the rest at once."""
    script = "from domains.product.definitions import defs\ndefs.resolve_asset_graph()"
    never = (
        *("duckdb", "pandas", "polars", "pyarrow.parquet", "pyiceberg", "jsonschema"),
        *("shared_resources.governance.audit.audit", "shared_resources.landing.reader"),
    )
    assert imported_of(never, script, {"MESH_HOME": str(tmp_path), "PATH": ""}) == []
