"""Promise: every published version says what it was checked against, and that it is unchanged."""

from __future__ import annotations

import hashlib

import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.model import Server, Severity
from shared_resources.governance.catalogue import data_time_rules
from shared_resources.mesh import read_product
from shared_resources.stores.pins import pin_of
from tests.cli.commands import call
from tests.guarantees.orders import COLUMNS, KEY, LANDING, land_orders, orders_product
from tests.tiny_mesh import TinyMesh, column, contract_text

TOTALS = "order/totals"
QUALITY = [
    {
        "name": "few_large",
        "type": "sql",
        "query": "SELECT count(*) FROM batch WHERE amount > 1000",
        "mustBeLessThan": 2,
        "description": "More are a mistake of the till.",
    },
]
CODE = """
    import polars as pl

    from shared_resources import data_product


    @data_product(orders="order/orders")
    def totals(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders.select(pl.col("amount").sum().alias("total"))
"""


@pytest.mark.parametrize("server", [Server.LAKE, Server.WAREHOUSE])
def test_a_version_names_every_rule_and_what_it_came_to(mesh: TinyMesh, server: Server) -> None:
    text = contract_text(
        KEY, COLUMNS, servers=[server.value], quality=QUALITY, properties={"landing": LANDING}
    )
    mesh.product(KEY, text)
    land_orders(mesh, [1.0, 2.0])
    assert mesh.run(KEY).success

    product = read_product(mesh.environment, KEY)
    assert product is not None and product.contract is not None
    contract = product.contract
    rules = (*contract.rules, *data_time_rules(contract))
    (version,) = mesh.versions(KEY)
    evidence = version.evidence
    assert evidence.contract_version == contract.version
    assert evidence.contract_digest == contract.digest
    assert [check.rule for check in evidence.checks] == [rule.name for rule in rules]
    assert "few_large" in {check.rule for check in evidence.checks}
    assert all(check.passed for check in evidence.checks)
    assert {c.severity for c in evidence.checks} >= {Severity.BLOCKING}
    assert evidence.policies, "and the policies of that day"
    assert [key for key, _ in evidence.objects] == [f"{KEY}/extract.parquet"]


def test_the_contract_of_every_version_can_be_had(mesh: TinyMesh) -> None:
    """The file moves on; what a version was checked against is kept as it was."""
    written = []
    for bound in (1, 2):
        orders_product(mesh, quarantineDays=bound)
        written.append((mesh.root / "domains/order/products/orders/contract.odcs.yaml").read_text())
        land_orders(mesh, [float(bound)], name=f"extract-{bound}")
        assert mesh.run(KEY).success
    for number, text in enumerate(written, start=1):
        told = call("versions", KEY, "--contract", number)
        assert (told.code, told.out) == (0, text)
    call("versions", KEY, "--contract", 3).refused("has no version 3")
    for file in (mesh.environment.home / "registry" / "contracts").iterdir():
        file.unlink()
    call("versions", KEY, "--contract", 1).refused("was not kept", "earlier release")


def test_the_digests_are_those_of_the_files_that_are_read(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0, 2.0])
    assert mesh.run(KEY).success
    store = mesh.environment.stores[Server.LAKE]
    (path,) = store.open(KEY).paths()
    (digest,) = mesh.versions(KEY)[0].evidence.files
    assert digest.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (digest.rows, digest.size) == (pq.read_metadata(path).num_rows, path.stat().st_size)


def test_a_version_names_the_versions_that_it_was_made_of(mesh: TinyMesh) -> None:
    orders_product(mesh)
    mesh.product(TOTALS, contract_text(TOTALS, [column("total", "DOUBLE")]), CODE)
    for amounts in ([1.0], [2.0]):
        land_orders(mesh, list(amounts))
        assert mesh.run(KEY).success
        assert mesh.run(TOTALS).success
    found = [version.evidence.inputs[KEY] for version in mesh.versions(TOTALS)]
    assert found == [str(pin_of(version)) for version in mesh.versions(KEY)]
    assert len(set(found)) == 2


def test_a_version_says_what_was_set_aside_and_a_rollback_who_and_why(mesh: TinyMesh) -> None:
    orders_product(mesh, lossBudgetPercent=50)
    land_orders(mesh, [1.0, -2.0])
    assert mesh.run(KEY).success
    first = mesh.versions(KEY)[0].evidence
    assert first.quarantined == tuple(e.id for e in mesh.environment.quarantine.list(KEY))
    land_orders(mesh, [3.0])
    assert mesh.run(KEY).success
    assert call("rollback", KEY, "--to", 1, "--reason", "the till was wrong").code == 0
    again = mesh.versions(KEY)[-1]
    assert again.rollback_of == 1
    assert again.evidence.checks == first.checks and again.evidence.files == first.files
    assert again.evidence.rolled_back is not None
    assert again.evidence.rolled_back.reason == "the till was wrong"
