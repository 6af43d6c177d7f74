"""A column is called otherwise: its rows stay as they lie, and whoever reads the old name reads on."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from shared_resources import read
from shared_resources.access.granted_snapshot import GrantedSnapshot, Secrets
from shared_resources.access.grants import Grant
from shared_resources.access.principal import principal_named
from shared_resources.access.terms import by_either_name, terms_of
from shared_resources.cli.commands.check import check
from shared_resources.cli.commands.governing.evidence import evidence
from shared_resources.cli.commands.read import read as read_command
from shared_resources.cli.commands.rollback import rollback
from shared_resources.mesh import read_mesh
from shared_resources.stores.opening import open_product
from tests.guarantees.orders import KEY
from tests.tiny_mesh import TinyMesh, column, contract_text, custom, failures

LATER = "2999-12-31"
DAYS = ("2024-02-28", "2024-02-29", "2024-03-01")
PAST = "2020-12-31"


def declare(mesh: TinyMesh, name: str, *former: object, version: str = "1.0.0") -> None:
    properties = custom(renamedFrom=[*former]) if former else []
    columns = [
        column("order_id", required=True, primaryKey=True, primaryKeyPosition=1),
        column("day", "DATE", required=True),
        {
            **column(name, "DOUBLE", required=True, logicalTypeOptions={"minimum": 0}),
            "physicalName": "amount",
            **({"customProperties": properties} if properties else {}),
        },
    ]
    landing = {"prefix": KEY, "format": "csv", "mode": "partition", "object": "{partition}.csv"}
    daily = {"cadence": "daily", "column": "day", "start": "2024-01-01"}
    mesh.product(
        KEY,
        contract_text(
            KEY, columns, properties={"landing": landing, "partitions": daily}, version=version
        ),
    )


def land(mesh: TinyMesh, day: str, number: int) -> None:
    mesh.land(f"{KEY}/{day}.csv", f"order_id,day,amount\n{number},{day},{number}.5\n".encode())


def reads(mesh: TinyMesh, columns: str = ', columns=["amount"]') -> None:
    code = f"""
        from shared_resources import data_product, product_input

        @data_product(orders=product_input("{KEY}"{columns}))
        def sums(orders):
            return orders[["amount"]]
    """
    mesh.product("sales/sums", contract_text("sales/sums", [column("amount", "DOUBLE")]), code)


@pytest.fixture
def before(mesh: TinyMesh) -> TinyMesh:
    declare(mesh, "amount")
    reads(mesh)
    for number, day in enumerate(DAYS[:2], 1):
        land(mesh, day, number)
        result = mesh.run(KEY, partitions=[day])
        assert result.success, failures(result)
    return mesh


def files(mesh: TinyMesh) -> set[tuple[str, bytes]]:
    store = mesh.environment.stores_of(_contract(mesh))[0]
    return {(str(path), path.read_bytes()) for path in store.open(KEY).paths()}


def _contract(mesh: TinyMesh) -> Any:
    contract = read_mesh(mesh.root).product(KEY).contract
    assert contract is not None
    return contract


def test_readers_of_either_name_read_on_and_no_file_is_written_anew(before: TinyMesh) -> None:
    mesh, kept = before, files(before)
    declare(mesh, "price", {"name": "amount", "until": LATER})
    # Merged, and nothing published since: readers have both names at once.
    assert sorted(read(KEY)["price"]) == sorted(read(KEY)["amount"]) == [1.5, 2.5]
    result = mesh.run("sales/sums")
    assert result.success, failures(result)
    land(mesh, DAYS[2], 3)
    result = mesh.run(KEY, partitions=[DAYS[2]])
    assert result.success, failures(result)
    assert kept < files(mesh)
    assert sorted(read(KEY, columns=["price"])["price"]) == [1.5, 2.5, 3.5]
    assert mesh.run("sales/sums").success
    assert sorted(row["amount"] for row in mesh.rows("sales/sums")) == [1.5, 2.5, 3.5]
    first = mesh.versions(KEY)[0].number
    assert [*read(KEY, version=first)["price"]] == [*read(KEY, version=first)["amount"]] == [1.5]


def test_rows_are_audited_and_replayed_and_rolled_back_over_it(before: TinyMesh) -> None:
    mesh = before
    declare(mesh, "price", {"name": "amount", "until": LATER})
    land(mesh, DAYS[2], 3)
    assert mesh.run(KEY, partitions=[DAYS[2]]).success
    numbers = [one.number for one in mesh.versions(KEY)]
    # What is brought back is audited by the contract of today, in its names.
    done = CliRunner().invoke(rollback, [KEY, "--to", str(numbers[1]), "--reason", "a test"])
    assert done.exit_code == 0, done.output
    assert sorted(read(KEY)["price"]) == sorted(read(KEY)["amount"]) == [1.5, 2.5]
    assert mesh.run("sales/sums").success
    land(mesh, DAYS[1], 7)
    result = mesh.run(KEY, partitions=[DAYS[1]])
    assert result.success, failures(result)
    assert sorted(read(KEY)["price"]) == [1.5, 7.5]


def test_without_the_old_name_it_is_a_break_and_who_asks_for_it_is_told(before: TinyMesh) -> None:
    mesh = before
    declare(mesh, "price", "amount")
    land(mesh, DAYS[2], 3)
    refused = mesh.run(KEY, partitions=[DAYS[2]])
    assert not refused.success
    assert "amount is called price" in failures(refused) and "sales/sums" in failures(refused)
    declare(mesh, "price", "amount", version="2.0.0")
    result = mesh.run(KEY, partitions=[DAYS[2]])
    assert result.success, failures(result)
    assert sorted(read(KEY)["price"]) == [1.5, 2.5, 3.5]
    checked = CliRunner().invoke(check, ["--static"])
    assert "names the column 'amount', which order/orders calls 'price' now" in checked.output
    told = CliRunner().invoke(read_command, [KEY, "--columns", "amount"])
    assert told.exit_code and "amount is called price now" in told.output
    reads(mesh, "")
    failed = mesh.run("sales/sums")
    assert not failed.success and "amount" in failures(failed)


def test_who_uses_the_old_name_after_its_day_is_told_and_not_stopped(before: TinyMesh) -> None:
    mesh = before
    declare(mesh, "price", {"name": "amount", "until": LATER})
    assert mesh.run(KEY, partitions=[DAYS[0]]).success
    assert CliRunner().invoke(check, []).exit_code == 0
    declare(mesh, "price", {"name": "amount", "until": PAST}, version="1.1.0")
    found = json.loads(CliRunner().invoke(check, ["--json", "--static"]).stdout)["findings"]
    (finding,) = [one for one in found if one["rule"] == "sunset"]
    assert "reads the column amount of order/orders, which is called price" in finding["message"]
    assert finding["file"].endswith("sums/product.py")
    assert mesh.run("sales/sums").success


ROLE = {
    "role": "analyst",
    "access": "read",
    "customProperties": custom(
        columns=["order_id", "price"], masks={"price": {"generalise": 10}}, rows="price > 2"
    ),
}


def test_an_agreement_shows_the_same_of_either_name_and_of_every_version(
    before: TinyMesh,
) -> None:
    mesh = before
    declare(mesh, "price", {"name": "amount", "until": LATER})
    file = mesh.root / "domains/order/products/orders/contract.odcs.yaml"
    said = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**said, "roles": [ROLE]}, sort_keys=False))
    contract, central = _contract(mesh), mesh.central(open=[])
    assert central.is_file()
    terms = by_either_name(terms_of(contract.roles, contract), contract)
    grant = Grant(KEY, principal_named("sales"), terms)
    for number in (None, mesh.versions(KEY)[0].number, mesh.versions(KEY)[1].number):
        opened = open_product(mesh.environment, KEY, number, served=True)
        shown = GrantedSnapshot(opened, grant, Secrets(), lambda _: lambda _: None)
        rows = shown.batches().read_all().to_pylist()
        wanted = [] if number == mesh.versions(KEY)[0].number else [(2, 0.0, 0.0)]
        assert [(row["order_id"], row["price"], row["amount"]) for row in rows] == wanted


def test_what_was_attested_is_verified_across_it(before: TinyMesh) -> None:
    """Bytes, chain, contracts and inputs of every version, with the rules run again in the names that
    each was audited in; after the former name is served no more, too."""
    mesh = before
    assert mesh.run("sales/sums").success
    declare(mesh, "price", {"name": "amount", "until": LATER})
    land(mesh, DAYS[2], 3)
    assert mesh.run(KEY, partitions=[DAYS[2]]).success and mesh.run("sales/sums").success
    first = mesh.versions(KEY)[0].number
    done = CliRunner().invoke(rollback, [KEY, "--to", str(first), "--reason", "a test"])
    assert done.exit_code == 0, done.output
    for _ in range(2):
        for key in (KEY, "sales/sums"):
            verified = CliRunner().invoke(evidence, [key, "--verify", "--rerun"])
            assert verified.exit_code == 0, verified.output
            assert "compared; no differences" in verified.output
            assert "not be; no differences" in verified.output
        declare(mesh, "price", "amount", version="2.0.0")
