"""Promise: nothing rejected is lost: each row that landed is published or in quarantine, as it came."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.commands import call
from tests.guarantees.orders import COLUMNS, KEY, land_orders, orders_product
from tests.guarantees.stock_dagster import orders_with_blocking_check, run_stock, stock_reader
from tests.tiny_mesh import TinyMesh, contract_text

CSV = {"prefix": "order/orders", "format": "csv", "mode": "replace", "object": "*.csv"}


def test_stock_dagster_keeps_nothing_of_a_batch_that_the_next_one_replaces(tmp_path: Path) -> None:
    bad = run_stock(orders_with_blocking_check(pd.DataFrame({"amount": [-5.0]}), tmp_path))
    assert [one.passed for one in bad.get_asset_check_evaluations()] == [False]
    good = orders_with_blocking_check(pd.DataFrame({"amount": [1.0]}), tmp_path)
    assert run_stock(good).success
    assert list(stock_reader(good)["amount"]) == [1.0]
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [pd.read_pickle(path)["amount"].tolist() for path in kept] == [[1.0]], "-5.0 is gone"


def refused_whole(mesh: TinyMesh) -> list[str]:
    orders_product(mesh)
    land_orders(mesh, [1.0, -2.0, 3.0])
    return ["1|1.0", "2|-2.0", "3|3.0"]


def set_aside(mesh: TinyMesh) -> list[str]:
    orders_product(mesh, lossBudgetPercent=50)
    land_orders(mesh, [1.0, -2.0, 3.0])
    return ["1|1.0", "2|-2.0", "3|3.0"]


def of_one_key(mesh: TinyMesh) -> list[str]:
    """Nobody can say which of two rows is right, and none is left out."""
    orders_product(mesh, lossBudgetPercent=60)
    table = pa.table({"order_id": [1, 1, 2], "amount": [1.0, 7.0, 2.0]})
    mesh.land(f"{KEY}/extract.parquet", table)
    return ["1|1.0", "1|7.0", "2|2.0"]


def not_of_the_types(mesh: TinyMesh) -> list[str]:
    """Cells that are no value of their column's type, and a ragged line, within a loss budget."""
    properties = {"landing": CSV, "lossBudgetPercent": 60}
    mesh.product(KEY, contract_text(KEY, COLUMNS, properties=properties))
    mesh.land(f"{KEY}/extract.csv", "order_id,amount\n1,1.0\n2,dear\n3\n4,4.0\n")
    return ["1|1.0", "2|dear", "3|None", "4|4.0"]


def refused_as_text(mesh: TinyMesh) -> list[str]:
    mesh.product(KEY, contract_text(KEY, COLUMNS, properties={"landing": CSV}))
    mesh.land(f"{KEY}/extract.csv", "order_id,amount\n1,1.0\n2,dear\n3,-3.0\n")
    return ["1|1.0", "2|dear", "3|-3.0"]


def in_quarantine(mesh: TinyMesh) -> Counter[str]:
    found: Counter[str] = Counter()
    quarantine = mesh.environment.quarantine
    for entry in quarantine.list(KEY):
        for file in quarantine.files(entry):
            found.update(_rows(pq.read_table(file)))
        rejects = quarantine.rejects(entry)
        if rejects is not None:
            for line in pq.read_table(rejects).to_pylist():
                found[_line(line)] += 1
    return found


def _rows(table: pa.Table) -> list[str]:
    return [f"{row['order_id']}|{row['amount']}" for row in table.to_pylist()]


def _line(reject: dict[str, str]) -> str:
    raw = json.loads(reject["_raw"])
    cells = raw["_cells"] if "_cells" in raw else [raw["order_id"], raw["amount"]]
    return "|".join(map(str, [*cells, None][:2]))


@pytest.mark.parametrize(
    "lands", [refused_whole, set_aside, of_one_key, not_of_the_types, refused_as_text]
)
def test_what_landed_is_published_or_in_quarantine(
    mesh: TinyMesh, lands: Callable[[TinyMesh], list[str]]
) -> None:
    landed = Counter(lands(mesh))
    succeeded = mesh.run(KEY).success
    readable = mesh.rows(KEY) if succeeded else []
    published = Counter(f"{row['order_id']}|{row['amount']}" for row in readable)
    assert published + in_quarantine(mesh) == landed
    assert in_quarantine(mesh), "the case rejects something"
    # What takes its place settles it and does not remove it, nor does the clean-up before its time.
    assert call("housekeeping").code == 0
    assert published + in_quarantine(mesh) == landed


def test_an_object_of_which_no_row_can_be_read_is_kept_byte_for_byte(mesh: TinyMesh) -> None:
    orders_product(mesh)
    broken = b"PAR1 this is no Parquet PAR1"
    mesh.land(f"{KEY}/extract.parquet", broken)
    assert not mesh.run(KEY).success
    (entry,) = mesh.environment.quarantine.list(KEY)
    (file,) = mesh.environment.quarantine.files(entry)
    assert file.read_bytes() == broken
