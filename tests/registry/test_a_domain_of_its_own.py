"""A domain whose neighbours' files are elsewhere: it loads, is judged and runs by what they promised."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pyarrow as pa

from shared_resources.cli.main import main
from shared_resources.mesh import read_mesh
from shared_resources.mesh.promised import promise_digest, promise_of
from shared_resources.registry.registry import Entry
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

LINES = contract_text(
    "order/lines",
    [column("line", required=True, primaryKey=True, primaryKeyPosition=1), column("amount")],
    properties={
        "landing": {
            "prefix": "order/lines",
            "format": "parquet",
            "mode": "replace",
            "object": "*.parquet",
        },
    },
)
SUMS = contract_text("sales/sums", [column("total")])
CODE = """\
    import polars as pl

    from shared_resources import data_product, product_input


    @data_product(lines=product_input("order/lines", columns=["amount"]))
    def sums(lines: pl.LazyFrame) -> pl.LazyFrame:
        return lines.select(pl.col("amount").sum().alias("total"))
"""


def leave(mesh: TinyMesh, name: str, *, contract: tuple[str, str] = ("", "")) -> None:
    """The domain's files go to a repository of their own; what it promises is in the registry."""
    files = {
        file: content.replace(contract[0].encode(), contract[1].encode())
        if contract[0] and file.endswith("contract.odcs.yaml")
        else content
        for file, content in promise_of(read_mesh(mesh.root).domain(name)).items()
    }
    registry = mesh.environment.registry
    entry = Entry(name, promise_digest(files), "a" * 64, "0.1.0", "us", datetime.now(UTC))
    registry.register(entry, files, registry.entries().get(name))


def test_a_domain_runs_on_what_a_domain_elsewhere_published(mesh: TinyMesh) -> None:
    mesh.product("order/lines", LINES)
    mesh.product("sales/sums", SUMS, CODE)
    mesh.land("order/lines/1.parquet", pa.table({"line": [1, 2], "amount": [3, 4]}))
    assert mesh.run("order/lines").success
    leave(mesh, "order")
    shutil.rmtree(mesh.root / "domains" / "order")
    result = mesh.run("sales/sums")
    assert result.success, failures(result)
    assert mesh.rows("sales/sums") == [{"total": 7}]


def test_what_nobody_promised_stops_the_product(mesh: TinyMesh) -> None:
    mesh.product("order/lines", LINES)
    mesh.product("sales/sums", SUMS, CODE)
    leave(mesh, "order", contract=("amount", "quantity"))
    shutil.rmtree(mesh.root / "domains" / "order")
    result = mesh.run("sales/sums")
    assert not result.success
    assert "names the column 'amount', which order/lines does not have" in failures(result)


def test_check_names_the_consumers_elsewhere_that_a_change_breaks(mesh: TinyMesh, capsys) -> None:
    mesh.product("order/lines", LINES)
    mesh.product("sales/sums", SUMS, CODE)
    mesh.land("order/lines/1.parquet", pa.table({"line": [1, 2], "amount": [3, 4]}))
    assert mesh.run("order/lines").success
    leave(mesh, "sales")
    shutil.rmtree(mesh.root / "domains" / "sales")
    mesh.product("order/lines", LINES.replace("amount", "quantity"))
    try:
        main(["check"])
    except SystemExit as ended:
        assert ended.code == 1
    said = capsys.readouterr().out
    assert "column amount is gone" in said and "it breaks sales/sums (amount)" in said
