"""Column lineage: declared, observed by running a function on changed samples, in evidence and UI."""

from __future__ import annotations

import dagster as dg
import pytest

from shared_resources.evidence.lineage import How
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, column, contract_text, custom

LINES = [
    column("line_id", required=True, primaryKey=True, primaryKeyPosition=1),
    column("household", "BIGINT"),
    column("email", "VARCHAR", classification="restricted"),
    column("amount", "BIGINT"),
    column("constant", "BIGINT"),
]
SPENT = [
    column("household", required=True, primaryKey=True, primaryKeyPosition=1),
    column("total", "BIGINT"),
    column("host", "VARCHAR"),
    column("tag", "VARCHAR"),
]
CODE = """
    import polars as pl
    from shared_resources import data_product

    @data_product(lines="order/lines")
    def spent(lines: pl.DataFrame) -> pl.DataFrame:
        return (
            lines.group_by("household")
            .agg(
                pl.col("amount").sum().alias("total"),
                pl.col("email").sort().first().str.split("@").list.last().alias("host"),
            )
            .with_columns(tag=pl.lit("spent"))
            .sort("household")
        )
"""
ROWS = "\n".join(
    f"{n},{n % 3},p{n}@{'a' if n % 2 else 'b'}{n}.example.com,{n * n},7" for n in range(1, 31)
)


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    landing = {"prefix": "order/lines", "format": "csv", "mode": "replace", "object": "*.csv"}
    text = contract_text("order/lines", LINES, properties={"landing": landing})
    mesh.product("order/lines", text)
    mesh.land("order/lines/1.csv", f"line_id,household,email,amount,constant\n{ROWS}\n")
    mesh.product("order/spent", contract_text("order/spent", SPENT), CODE)
    assert mesh.run("order/lines").success
    return mesh


def declared(*, host: list[str], **fields: object) -> str:
    """The contract of order/spent with the origin of `host` declared."""
    columns = [dict(one) for one in SPENT]
    columns[2] = {**columns[2], "transformSourceObjects": host, **fields}
    return contract_text("order/spent", columns)


def test_what_a_function_makes_of_each_column_is_observed_and_said_to_be_no_proof(
    shop: TinyMesh,
) -> None:
    told = call("lineage", "order/spent", "--observe", "--json")
    assert told.code == 0, told
    found = {one["column"]: one["made from"] for one in told.json["columns"]}
    assert {one["how"] for one in told.json["columns"]} == {"observed"}
    assert found == {
        "household": ["order/lines.household"],
        "total": ["order/lines.amount"],
        "host": ["order/lines.email"],
        "tag": [],
    }
    assert told.json["observed"]["proven"] is False
    assert told.json["observed"]["rows_by"] == {"order/lines.household": ["host", "total"]}
    assert call("lineage", "order/spent", "--observe", "--json").json == told.json
    assert "may be made from it all the same" in call("lineage", "order/spent", "--observe").out


def test_what_was_observed_is_in_the_evidence_and_the_ui_of_the_next_version(
    shop: TinyMesh,
) -> None:
    assert shop.run("order/spent").success
    assert shop.versions("order/spent")[-1].evidence.lineage is None, "nobody asked for it"
    assert call("lineage", "order/spent", "--observe").code == 0
    result = shop.run("order/spent")
    lineage = shop.versions("order/spent")[-1].evidence.lineage
    assert lineage is not None and lineage.how is How.OBSERVED
    assert lineage.columns["host"] == (("order/lines", "email"),)
    (event,) = result.asset_materializations_for_node("order__spent")
    shown = event.metadata["dagster/column_lineage"].value
    assert shown.deps_by_column["host"][0].asset_key == dg.AssetKey(["order", "lines"])
    assert event.metadata["column lineage"].value == "observed"
    said = event.metadata["columns are made from"].value
    assert said["total"] == "order/lines.amount"
    # An internal column was seen to be made from a restricted one: said of what is published.
    found = call("check", "--json").json["findings"]
    assert [one["rule"] for one in found] == ["classification_kept"]
    assert (
        "'host' is internal and made from email of order/lines, which is restricted"
        in (found[0]["message"])
    )


def test_a_declared_lineage_stops_a_column_that_loses_its_classification(shop: TinyMesh) -> None:
    shop.product("order/spent", declared(host=["order/lines.email"]), CODE)
    assert [one["rule"] for one in call("check", "--json").json["findings"]] == [
        "classification_kept"
    ]
    hashed = custom(anonymisation={"method": "keyedHash"})
    text = declared(host=["order/lines.email"], customProperties=hashed)
    shop.product("order/spent", text, CODE)
    assert call("check").code == 0
    assert shop.run("order/spent").success
    lineage = shop.versions("order/spent")[-1].evidence.lineage
    assert lineage is not None and lineage.how is How.DECLARED
    told = call("lineage", "order/spent", "--observe")
    assert told.code == 0, told
    assert "keyedHash" in told.out


def test_what_is_seen_and_not_declared_is_said(shop: TinyMesh) -> None:
    shop.product("order/spent", declared(host=["order/lines.household"]), CODE)
    told = call("lineage", "order/spent", "--observe", "--json")
    assert told.code == 1
    (host,) = (one for one in told.json["columns"] if one["column"] == "host")
    assert host["not declared"] == ["order/lines.email"]
    assert host["not seen"] == ["order/lines.household"]


def test_groups_that_are_too_small_are_never_readable(shop: TinyMesh) -> None:
    columns = [*SPENT, column("lines", "BIGINT")]
    groups = {"method": "aggregation", "minimumGroup": 12, "groupSize": "lines"}
    columns[1] = {**columns[1], "customProperties": custom(anonymisation=groups)}
    code = CODE.replace(
        '.alias("total"),', '.alias("total"), pl.len().cast(pl.Int64).alias("lines"),'
    )
    shop.product("order/spent", contract_text("order/spent", columns), code)
    assert not shop.run("order/spent").success
    groups["minimumGroup"] = 10
    columns[1] = {**columns[1], "customProperties": custom(anonymisation=groups)}
    shop.product("order/spent", contract_text("order/spent", columns), code)
    assert shop.run("order/spent").success
    evidence = shop.versions("order/spent")[-1].evidence
    assert evidence.outcome("minimum_group_total").passed  # type: ignore[union-attr]


def test_nothing_can_be_observed_of_an_ingest(shop: TinyMesh) -> None:
    call("lineage", "order/lines", "--observe").refused("made by no function")


def test_a_function_that_is_never_the_same_shows_nothing(shop: TinyMesh) -> None:
    code = CODE.replace('pl.lit("spent")', "pl.lit(__import__('uuid').uuid4().hex)")
    shop.product("order/spent", contract_text("order/spent", SPENT), code)
    told = call("lineage", "order/spent", "--observe", "--json")
    assert told.json["observed"]["unsteady"] == ["tag"]
