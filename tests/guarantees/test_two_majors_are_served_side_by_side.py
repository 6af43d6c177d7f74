"""Two major versions of a product at once: pins, the earlier one's own promise, its sunset."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from shared_resources import read
from shared_resources.access.log import LATELY, log_of, reading_of
from shared_resources.cli.commands.check import check
from shared_resources.cli.commands.governing.evidence import evidence
from shared_resources.cli.commands.read import read as read_command
from shared_resources.cli.commands.status import status
from shared_resources.consuming import NoSuchMajor
from shared_resources.contracts.model import HEALTH_CHECK
from shared_resources.contracts.odcs import read_contract_text
from shared_resources.findings import InvalidFile
from shared_resources.housekeeping.tasks import Task, perform
from shared_resources.mesh import read_mesh
from shared_resources.mesh.promised import promise_of
from shared_resources.observing.health import Kind
from shared_resources.running.pending import UpToDate, tasks_of
from tests.guarantees.orders import KEY, land_orders
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

EARLIER = "order/orders_v1"
LANDING = {"prefix": KEY, "format": "parquet", "object": "*.parquet"}
ID = column("order_id", required=True, primaryKey=True, primaryKeyPosition=1)
SUMS = [column("amount", "DOUBLE")]
SELECT = "SELECT order_id, cents / 100.0 AS amount FROM orders"
TOMORROW, YESTERDAY = (
    (datetime.now(UTC) + timedelta(days=days)).date().isoformat() for days in (1, -1)
)


def current(mesh: TinyMesh, version: str = "2.0.0") -> None:
    named = {"name": "cents", "physicalName": "amount"} if version > "2" else {}
    columns = [ID, {**column("amount", "DOUBLE", required=True), **named}]
    mesh.product(KEY, contract_text(KEY, columns, properties={"landing": LANDING}, version=version))


def earlier_text(sunset: str = TOMORROW, **fields: Any) -> str:
    previous = {"of": "orders", "sunset": sunset, "derivedBy": SELECT, **fields}
    columns = [ID, column("amount", "DOUBLE", logicalTypeOptions={"maximum": 100})]
    version = fields.pop("version", "1.3.0")
    properties = {"previousMajor": {k: v for k, v in previous.items() if k != "version"}}
    return contract_text(EARLIER, columns, properties=properties, version=version)


def reader(mesh: TinyMesh, reads: str = "order/orders@1") -> None:
    code = f"""
        from shared_resources import data_product, product_input

        @data_product(orders=product_input("{reads}"))
        def sums(orders):
            return orders[["amount"]]
    """
    mesh.product("sales/sums", contract_text("sales/sums", SUMS), code)


@pytest.fixture
def two(mesh: TinyMesh) -> TinyMesh:
    return serve(mesh, TOMORROW)


def serve(mesh: TinyMesh, sunset: str) -> TinyMesh:
    current(mesh)
    mesh.product(EARLIER, earlier_text(sunset))
    reader(mesh)
    land_orders(mesh, [150.0, 250.0])
    for key in (KEY, EARLIER, "sales/sums"):
        result = mesh.run(key)
        assert result.success, failures(result)
    return mesh


def test_each_consumer_reads_the_major_version_that_it_pins(two: TinyMesh) -> None:
    assert [row["amount"] for row in two.rows("sales/sums")] == [1.5, 2.5]
    assert [row["cents"] for row in two.rows(KEY)] == [150.0, 250.0]
    assert [*read("order/orders@1")["amount"]] == [1.5, 2.5]
    assert [*read("order/orders@2")["cents"]] == [150.0, 250.0]
    shown = CliRunner().invoke(read_command, ["order/orders@1"])
    assert "amount" in shown.stdout and "cents" not in shown.stdout
    assert two.versions("sales/sums")[-1].evidence.inputs.keys() == {EARLIER}


@pytest.mark.parametrize("pin", ["order/orders@3", "order/orders@0", "order/orders_v1@2"])
def test_a_reader_whose_pin_leads_to_no_such_version_gets_no_other(two: TinyMesh, pin: str) -> None:
    with pytest.raises(NoSuchMajor, match="is not there"):
        read(pin)
    shown = CliRunner().invoke(read_command, [pin])
    assert isinstance(shown.exception, NoSuchMajor) and not shown.stdout


def test_a_product_s_code_reads_the_version_that_it_pins_and_no_other(two: TinyMesh) -> None:
    code = """
        from shared_resources import data_product

        exec("from shared_resources import read")  # of which `mesh check` knows nothing

        @data_product(rows="{rows}")
        def sums(rows):
            return read("order/orders@{major}", columns=["{amount}"]).set_axis(["amount"], axis=1)
    """
    said = []
    for rows, major, amount in (
        ("order/orders@1", 1, "amount"),
        (KEY, 2, "cents"),
        (KEY, 3, "cents"),
    ):
        made = code.format(rows=rows, major=major, amount=amount)
        two.product("sales/sums", contract_text("sales/sums", SUMS), made)
        said.append(failures(two.run("sales/sums")))
    assert said[:2] == ["", ""]
    assert "order/orders@3 is not there: order/orders is of version 2.0.0" in said[2]


def test_a_pin_holds_while_its_major_version_is_still_the_current_one(mesh: TinyMesh) -> None:
    current(mesh, "1.0.0")
    reader(mesh)
    land_orders(mesh, [1.5])
    assert mesh.run(KEY).success and mesh.run("sales/sums").success
    assert mesh.versions("sales/sums")[-1].evidence.inputs.keys() == {KEY}
    (given,) = read_mesh(mesh.root).product("sales/sums").inputs
    assert (given.key, given.pin) == (KEY, "order/orders@1")
    # Whoever knows the consumer from the registry resolves the pin by what is there then.
    promise = json.loads(promise_of(read_mesh(mesh.root).domain("sales"))["promise.json"])
    assert promise["products"]["sums"]["inputs"][0]["product"] == "order/orders@1"


def test_the_earlier_version_keeps_its_own_promise(two: TinyMesh) -> None:
    """What the current contract permits and the earlier one does not never reaches its readers."""
    land_orders(two, [99_999.0])
    assert two.run(KEY).success
    refused = two.run(EARLIER)
    assert not refused.success and "amount" in failures(refused)
    assert [*read("order/orders@1")["amount"]] == [1.5, 2.5]


def test_status_and_check_say_who_reads_it_and_until_when(two: TinyMesh) -> None:
    rows = json.loads(CliRunner().invoke(status, ["--json"]).stdout)
    (row,) = (one for one in rows if one["key"] == EARLIER)
    assert row["previous_major"] == {
        "of": KEY,
        "major": 1,
        "sunset": TOMORROW,
        "readers": ["sales/sums"],
        "read_lately": [],
    }
    said = f"major version 1 of {KEY} until {TOMORROW}; read by sales/sums"
    checked = CliRunner().invoke(check, [])
    assert said in CliRunner().invoke(status, []).stdout and said in checked.stdout
    assert checked.exit_code == 0
    spec = two.definitions("order").resolve_asset_graph().get(_asset(EARLIER))
    assert spec.tags["mesh/previous-major-of"] == "orders"
    assert spec.tags["mesh/sunset"] == spec.metadata["sunset"] == TOMORROW


def _asset(key: str) -> Any:
    from shared_resources.dagster_instance.asset_keys import asset_key

    return asset_key(key)


def test_who_reads_it_after_its_sunset_is_told_and_not_stopped(mesh: TinyMesh) -> None:
    two = serve(mesh, YESTERDAY)
    checked = CliRunner().invoke(check, ["--json"])
    found = [one for one in json.loads(checked.stdout)["findings"] if one["rule"] == "sunset"]
    (finding,) = found
    assert finding["file"].endswith("sums/product.py") and finding["line"] == 4
    assert f"whose sunset was {YESTERDAY}" in finding["message"]
    rows = json.loads(CliRunner().invoke(status, ["--json"]).stdout)
    health = {one["key"]: one["health"] for one in rows}
    assert str(Kind.SUNSET) in {one["kind"] for one in health["sales/sums"]["reasons"]}
    assert two.run(EARLIER).success and two.run("sales/sums").success


def test_it_retires_by_itself_when_nobody_reads_it_and_its_sunset_is_over(mesh: TinyMesh) -> None:
    two = serve(mesh, YESTERDAY)
    land_orders(two, [350.0])
    assert two.run(KEY).success and two.run(EARLIER).success
    folder = two.root / "domains/order/products/orders_v1"
    reader(two, "order/orders_v1")  # by its name, too
    assert tasks_of(two.environment, EARLIER, None, again=True)
    for file in (two.root / "domains/sales/products/sums").glob("*"):
        file.unlink()
    (two.root / "domains/sales/products/sums").rmdir()
    with pytest.raises(UpToDate, match="nobody reads it"):
        tasks_of(two.environment, EARLIER, None)
    count = len(two.versions(EARLIER))
    land_orders(two, [450.0])
    assert two.run(KEY).success
    two.run(EARLIER)
    assert len(two.versions(EARLIER)) == count == 2
    contract = read_contract_text(earlier_text(YESTERDAY), folder / "contract.odcs.yaml")
    later = datetime.now(UTC) + timedelta(days=3)
    (done,) = perform(two.environment, contract, Task.EXPIRE, now=later)
    assert done.details["versions_removed"] == [1] and len(two.versions(EARLIER)) == 1
    assert CliRunner().invoke(check, ["--static"]).exit_code == 0


def looked(mesh: TinyMesh, who: str, days: int = 0, by: str = "mesh read") -> None:
    environment = mesh.environment
    log = log_of(environment.home_of_readers, environment.shared_access_log)
    reading = reading_of(who, EARLIER, 1, "lake", ("amount",), by=by)
    log.begin(replace(reading, at=reading.at - timedelta(days=days)))


def test_it_waits_for_people_and_agents_who_read_it_lately_by_the_access_log(
    mesh: TinyMesh,
) -> None:
    two = serve(mesh, YESTERDAY)
    shutil.rmtree(two.root / "domains/sales")
    looked(two, "ana@example.com", days=LATELY.days - 1)
    looked(two, "agent:planner", days=3)
    said = "read lately, by the access log, by agent:planner, ana@example.com"
    rows = json.loads(CliRunner().invoke(status, ["--json"]).stdout)
    (row,) = (one for one in rows if one["key"] == EARLIER)
    assert row["previous_major"]["readers"] == []
    assert row["previous_major"]["read_lately"] == ["agent:planner", "ana@example.com"]
    for command in (status, check):
        assert said in CliRunner().invoke(command, []).stdout
    land_orders(two, [350.0])
    assert two.run(KEY).success
    assert tasks_of(two.environment, EARLIER, None)
    made = two.run(EARLIER)
    assert made.success and len(two.versions(EARLIER)) == 2
    [health] = [one for one in made.get_asset_check_evaluations() if one.check_name == HEALTH_CHECK]
    assert said in str(health.metadata["two majors"].value)  # in the UI


def test_who_read_it_long_ago_or_as_a_product_keeps_nothing_alive(mesh: TinyMesh) -> None:
    two = serve(mesh, YESTERDAY)
    shutil.rmtree(two.root / "domains/sales")
    looked(two, "ana@example.com", days=LATELY.days + 1)
    looked(two, "sales/sums", by="sales/sums")
    with pytest.raises(UpToDate, match="nobody reads it"):
        tasks_of(two.environment, EARLIER, None)
    made = two.definitions("order").resolve_asset_graph().get(_asset(EARLIER))
    assert not made.is_executable or "retired" in str(made.metadata)
    assert "nobody reads it" in CliRunner().invoke(status, []).stdout


def test_what_was_attested_of_a_major_version_is_verified_after_it_has_retired(
    mesh: TinyMesh,
) -> None:
    """While its folder stands, after housekeeping, and without it: what is published of it stays."""
    two = serve(mesh, YESTERDAY)
    land_orders(two, [350.0])
    assert two.run(KEY).success and two.run(EARLIER).success
    assert "no differences" in verified(EARLIER)
    two.product("sales/sums", contract_text("sales/sums", SUMS), NOTHING_READ)
    folder = two.root / "domains/order/products/orders_v1"
    contract = read_contract_text(earlier_text(YESTERDAY), folder / "contract.odcs.yaml")
    later = datetime.now(UTC) + timedelta(days=3)
    (done,) = perform(two.environment, contract, Task.EXPIRE, now=later)
    assert done.details["versions_removed"] == [1]
    for _ in range(2):
        # Its reader's version was made from one that has expired since.
        for key in (EARLIER, KEY, "sales/sums"):
            assert "no differences" in verified(key)
        shutil.rmtree(folder, ignore_errors=True)
    shown = CliRunner().invoke(evidence, ["order/orders_v0", "--verify"])
    assert shown.exception is not None and "orders_v0" in str(shown.exception)


NOTHING_READ = """
    import pandas as pd
    from shared_resources import data_product

    @data_product()
    def sums():
        return pd.DataFrame({"amount": [1.0]})
"""


def verified(key: str) -> str:
    done = CliRunner().invoke(evidence, [key, "--verify"])
    assert done.exit_code == 0, done.output or done.exception
    return done.output


WRONG = {
    "another name": ({"of": "order"}, "call it 'order_v1'"),
    "another version": ({"version": "3.0.0"}, "call it 'orders_v3'"),
    "no day": ({"sunset": "soon"}, "soon"),
    "another table": (
        {"derivedBy": "SELECT * FROM orders JOIN other USING (id)"},
        "something else",
    ),
    "a file": ({"derivedBy": "SELECT * FROM 'x.parquet'"}, "something else"),
    "two statements": ({"derivedBy": "SELECT * FROM orders; DROP TABLE orders"}, "not one SELECT"),
    "no SELECT": ({"derivedBy": "COPY orders TO 'x'"}, "not one SELECT"),
    "no SQL": ({"derivedBy": "SELECT FROM WHERE ("}, "no SQL"),
    "an unknown field": ({"until": "2030-01-01"}, "until"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_the_property_is_said_with_its_line(tmp_path: Any, wrong: str) -> None:
    fields, said = WRONG[wrong]
    with pytest.raises(InvalidFile) as refused:
        read_contract_text(earlier_text(**fields), tmp_path / "contract.odcs.yaml")
    found = "\n".join(f"{one} {one.remedy}" for one in refused.value.findings)
    assert said in found and all(one.line for one in refused.value.findings)


def test_a_sunset_that_comes_sooner_is_a_break(two: TinyMesh) -> None:
    two.product(EARLIER, earlier_text(YESTERDAY))
    refused = two.run(EARLIER)
    assert not refused.success and "it breaks sales/sums" in failures(refused)
