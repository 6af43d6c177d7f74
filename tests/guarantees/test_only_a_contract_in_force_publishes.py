"""Only a contract in force publishes: a draft not yet, a retired one no more; nor a rollback under it."""

from __future__ import annotations

import pytest

from shared_resources.data_products.restoring import broken_rules
from shared_resources.running.pending import UpToDate, tasks_of
from tests.cli.commands import call
from tests.guarantees.orders import COLUMNS, KEY, LANDING, amounts, land_orders
from tests.tiny_mesh import TinyMesh, column, contract_text, failures


def orders(mesh: TinyMesh, status: str = "active", least: float = 0) -> None:
    amount = column(
        "amount", "DOUBLE", required=True, logicalTypeOptions={"exclusiveMinimum": least}
    )
    text = contract_text(KEY, (COLUMNS[0], amount), properties={"landing": LANDING})
    mesh.product(KEY, text.replace("status: active", f"status: {status}"))


@pytest.mark.parametrize("status", ["proposed", "draft", "retired"])
def test_nothing_is_published_under_it_and_what_is_published_stays(
    mesh: TinyMesh, status: str
) -> None:
    orders(mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success
    orders(mesh, status)
    land_orders(mesh, [2.0], "next")
    result = mesh.run(KEY)
    assert not result.success and "publishes nothing: its contract is" in failures(result)
    with pytest.raises(UpToDate, match="publishes nothing"):
        tasks_of(mesh.environment, KEY, None)
    assert not [s for s in mesh.definitions("order").sensors or () if "orders" in s.name]
    assert amounts(mesh) == [1.0]
    assert call("check").code == 0


def test_a_deprecated_contract_still_publishes(mesh: TinyMesh) -> None:
    orders(mesh, "deprecated")
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success


def test_a_rollback_to_rows_that_todays_contract_forbids_is_refused_unless_forced(
    mesh: TinyMesh,
) -> None:
    orders(mesh)
    for amount in (1.0, 20.0):
        land_orders(mesh, [amount], f"extract-{amount}")
        assert mesh.run(KEY).success
    orders(mesh, least=10)
    told = call("rollback", KEY, "--to", 1)
    assert told.code == 1
    assert "today's contract forbids rows of version 1" in told.err and "range_amount" in told.err
    assert amounts(mesh) == [20.0]
    assert call("rollback", KEY, "--to", 1, "--force").code == 2, "a reason is needed"
    assert call("rollback", KEY, "--to", 1, "--force", "--reason", "audit of May").code == 0
    assert amounts(mesh) == [1.0]
    said = mesh.versions(KEY)[-1].evidence.rolled_back
    assert said is not None and said.despite == ("range_amount",)
    assert broken_rules(mesh.environment, KEY, 2) == ()
