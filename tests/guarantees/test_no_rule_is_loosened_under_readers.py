"""A contract that promises less than the published one is not published under, whichever clause it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shared_resources.cli.commands.check import check
from shared_resources.cli.commands.teams.diff import diff
from shared_resources.data_products import publishing
from shared_resources.data_products.compared import refusing
from tests.guarantees.orders import KEY, land_orders
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

LANDING = {"prefix": KEY, "format": "parquet", "object": "*.parquet"}
READER = """
    import pandas as pd
    from shared_resources import data_product, product_input

    @data_product(orders=product_input("order/orders", columns=["amount"]))
    def reader(orders):
        return pd.DataFrame({"id": [1]})
"""


def orders(mesh: TinyMesh, most: int, version: str, **fields: Any) -> Path:
    columns = [
        column("order_id", required=True, primaryKey=True, primaryKeyPosition=1),
        column("amount", "DOUBLE", required=True, logicalTypeOptions={"maximum": most}),
    ]
    text = contract_text(KEY, columns, properties={"landing": LANDING, **fields}, version=version)
    return mesh.product(KEY, text) / "contract.odcs.yaml"


def published(mesh: TinyMesh, version: str = "1.0.0", *, read: bool = True) -> None:
    orders(mesh, 10, version)
    if read:
        mesh.product("sales/reader", contract_text("sales/reader", [column("id")]), READER)
    land_orders(mesh, [1.5, 2.5])
    assert mesh.run(KEY).success


def count(mesh: TinyMesh) -> int:
    return len(mesh.versions(KEY))


def test_a_loosened_rule_is_refused_with_its_line_and_its_readers_before_anything_is_made(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(mesh)
    file = orders(mesh, 20, "1.1.0")
    line = next(
        number for number, text in enumerate(file.read_text().splitlines(), 1) if "maximum" in text
    )
    land_orders(mesh, [15.0])
    with monkeypatch.context() as patched:
        patched.setattr("shared_resources.data_products.makers.making.make", _never)
        said = failures(mesh.run(KEY))
    for part in (f"{file}:{line}: ", "lets more through", "it breaks sales/reader (amount)"):
        assert part in said
    assert "to a new major version above 1.0.0" in said and f"mesh diff {KEY}" in said
    assert count(mesh) == 1
    orders(mesh, 20, "2.0.0")
    assert mesh.run(KEY).success and count(mesh) == 2


def _never(*_: object) -> None:
    raise AssertionError("it was made")


def test_it_is_refused_again_before_the_commit(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody publishes under another contract while a batch is made."""
    published(mesh)
    orders(mesh, 20, "1.1.0")
    asked: list[str] = []

    def second_time_only(environment: Any, contract: Any) -> None:
        asked.append(contract.version)
        if len(asked) > 1:
            refusing.check_promised(environment, contract)

    monkeypatch.setattr(publishing, "check_promised", second_time_only)
    land_orders(mesh, [15.0])
    assert "lets more through" in failures(mesh.run(KEY))
    assert asked == ["1.1.0", "1.1.0"] and count(mesh) == 1


def test_check_and_diff_and_publication_say_the_same(mesh: TinyMesh) -> None:
    published(mesh)
    orders(mesh, 10, "1.1.0", lossBudgetPercent=5)
    found = json.loads(CliRunner().invoke(check, ["--json"]).stdout)["findings"]
    (broken,) = (one for one in found if one["rule"] == "breaking_change")
    (told,) = json.loads(CliRunner().invoke(diff, ["--json", KEY]).stdout)
    land_orders(mesh, [15.0])
    said = failures(mesh.run(KEY))
    (change,) = (one for one in told["changes"] if one["effect"] == "breaking")
    for text in (broken["message"], said):
        assert change["message"] in text and "it breaks sales/reader" in text
    assert change["line"] == broken["line"] and f":{broken['line']}: " in said


def test_what_is_promised_in_other_words_or_more_is_published(mesh: TinyMesh) -> None:
    published(mesh)
    for number, most in enumerate((10, 5), start=1):
        orders(mesh, most, f"1.{number}.0")
        land_orders(mesh, [1.5 + number])
        result = mesh.run(KEY)
        assert result.success, failures(result)


def test_below_version_one_a_product_changes_as_it_likes_until_somebody_reads_it(
    mesh: TinyMesh,
) -> None:
    published(mesh, "0.1.0", read=False)
    orders(mesh, 20, "0.1.0")
    land_orders(mesh, [15.0])
    result = mesh.run(KEY)
    assert result.success, failures(result)
    mesh.product("sales/reader", contract_text("sales/reader", [column("id")]), READER)
    orders(mesh, 30, "0.1.1")
    land_orders(mesh, [25.0])
    said = failures(mesh.run(KEY))
    assert "it breaks sales/reader (amount)" in said and "new minor version above 0.1.0" in said
    assert CliRunner().invoke(check, []).exit_code == 1
    orders(mesh, 30, "0.2.0")
    assert mesh.run(KEY).success and count(mesh) == 3


def test_a_rollback_takes_back_what_a_new_major_version_brought(mesh: TinyMesh) -> None:
    from shared_resources.contracts.odcs import read_contract

    published(mesh)
    file = orders(mesh, 20, "2.0.0")
    land_orders(mesh, [15.0])
    assert mesh.run(KEY).success
    publishing.rollback(mesh.environment, read_contract(file), 1, by="us")
    assert count(mesh) == 3
