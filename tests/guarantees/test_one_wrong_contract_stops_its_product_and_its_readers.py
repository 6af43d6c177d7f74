"""One wrong contract stops its product and the products that read it, and no other product."""

from __future__ import annotations

from inspect import cleandoc

import dagster as dg
import pytest
from click.testing import CliRunner

from shared_resources.cli.commands.check import check
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.governance.stopped import ProductStopped, makeable
from shared_resources.mesh import read_mesh
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

COLUMNS = (column("id"),)
MADE = """
    import pandas as pd
    from shared_resources import data_product

    @data_product({inputs})
    def {name}({parameters}):
        return pd.DataFrame({{"id": [1]}})
"""
UNDESCRIBED = ("description: The id.", "description: ''")


def made(mesh: TinyMesh, key: str, reads: str = "") -> None:
    parameter = reads.replace("/", "_")
    code = MADE.format(
        name=key.split("/")[1],
        inputs=f'{parameter}="{reads}"' if reads else "",
        parameters=parameter,
    )
    mesh.product(key, contract_text(key, COLUMNS), code)


def spoil(mesh: TinyMesh, key: str, kind: str) -> str:
    """Make the product's files wrong; returns what must be said of it."""
    domain, name = key.split("/")
    folder = mesh.root / "domains" / domain / "products" / name
    contract = folder / "contract.odcs.yaml"
    match kind:
        case "a policy is broken":
            contract.write_text(contract.read_text().replace(*UNDESCRIBED))
            return "[described]"
        case "it is no contract":
            contract.write_text("kind: [")
            return "contract.odcs.yaml"
        case "there is no contract":
            contract.unlink()
            return "the product's folder has no contract"
        case "its name is another's":
            contract.write_text(contract.read_text().replace("name: bad", "name: good"))
            return "[in_its_own_folder]"
    raise AssertionError(kind)


@pytest.mark.parametrize(
    "kind",
    ["a policy is broken", "it is no contract", "there is no contract", "its name is another's"],
)
def test_the_product_and_its_readers_refuse_and_the_others_go_on(mesh: TinyMesh, kind: str) -> None:
    for key, reads in {
        "order/bad": "",
        "order/reader": "order/bad",
        "order/good": "",
        "sales/reader": "order/bad",
        "sales/good": "order/good",
    }.items():
        made(mesh, key, reads)
    assert all(mesh.run(key).success for key in ("order/bad", "order/good"))
    said = spoil(mesh, "order/bad", kind)
    # Every product is there, with its place in the graph.
    for domain in ("order", "sales"):
        graph = mesh.definitions(domain).resolve_asset_graph()
        assert {"reader", "good"} <= {key.path[1] for key in graph.materializable_asset_keys}
        assert graph.get(asset_key(f"{domain}/reader")).parent_keys == {asset_key("order/bad")}
    for key in ("order/bad", "order/reader", "sales/reader"):
        result = mesh.run(key)
        assert not result.success
        assert said in failures(result) and "order/bad is stopped by" in failures(result)
    assert mesh.run("order/good").success and mesh.run("sales/good").success
    assert len(mesh.versions("order/bad")) == 1, "readers keep what was published"
    outcome = CliRunner().invoke(check)
    assert outcome.exit_code == 1 and said in outcome.output


def test_a_stopped_product_is_not_replayed(mesh: TinyMesh) -> None:
    made(mesh, "order/bad")
    spoil(mesh, "order/bad", "a policy is broken")
    with pytest.raises(ProductStopped, match="order/bad is stopped by 1 finding"):
        makeable(read_mesh(mesh.root), "order/bad")


def test_code_that_cannot_be_used_stops_its_product_alone(mesh: TinyMesh) -> None:
    made(mesh, "order/good")
    code = "1 / 0\n" + cleandoc(MADE.format(name="bad", inputs="", parameters=""))
    mesh.product("order/bad", contract_text("order/bad", COLUMNS), code)
    assert "ZeroDivisionError" in failures(mesh.run("order/bad"))
    assert mesh.run("order/good").success


def test_a_wrong_landing_product_has_no_sensor_that_asks_for_runs(mesh: TinyMesh) -> None:
    for name in ("bad", "good"):
        landing = {"prefix": f"order/{name}", "format": "csv", "object": "*.csv"}
        key = f"order/{name}"
        mesh.product(key, contract_text(key, COLUMNS, properties={"landing": landing}))
    spoil(mesh, "order/bad", "a policy is broken")
    sensor = mesh.definitions("order").resolve_sensor_def("order_landing")
    assert isinstance(sensor.asset_selection, dg.AssetSelection)
    assert str(sensor.asset_selection) == str(
        dg.AssetSelection.assets(dg.AssetKey(["order", "good"]))
    )


NAMES = ("bad copy", "Bad", "größe", "bad.bak", "re-turns")


def test_products_whose_names_dagster_does_not_take_stop_no_other(mesh: TinyMesh) -> None:
    made(mesh, "order/good")
    for name in NAMES:
        mesh.product(f"order/{name}", contract_text("order/good", COLUMNS))
    mesh.product("order/bad name", "kind: [")
    assert mesh.run("order/good").success
    graph = mesh.definitions("order").resolve_asset_graph()
    assert {"good", *NAMES, "bad name"} <= {k.path[1] for k in graph.materializable_asset_keys}


@pytest.mark.parametrize("reads", ["", "/", "good", "order/good/more", "order/ good", "Order/Good"])
def test_an_input_that_is_no_product_stops_its_reader_alone(mesh: TinyMesh, reads: str) -> None:
    made(mesh, "order/good")
    code = MADE.format(name="bad", inputs=f'given="{reads}"', parameters="given")
    mesh.product("order/bad", contract_text("order/bad", COLUMNS), code)
    refused = mesh.run("order/bad")
    assert not refused.success and f"names {reads!r}" in failures(refused)
    assert mesh.run("order/good").success


def test_a_circle_stops_the_products_in_it_alone(mesh: TinyMesh) -> None:
    for key, reads in {
        "order/good": "",
        "order/itself": "order/itself",
        "order/one": "order/two",
        "order/two": "order/one",
        "order/here": "sales/there",
        "sales/there": "order/here",
        "sales/reader": "order/good",
    }.items():
        made(mesh, key, reads)
    assert mesh.run("order/good").success and mesh.run("sales/reader").success
    for key in ("order/itself", "order/one", "order/two", "order/here", "sales/there"):
        refused = mesh.run(key)
        assert not refused.success and key in failures(refused)


def test_a_circle_that_the_files_do_not_show_stops_the_products_in_it_alone(mesh: TinyMesh) -> None:
    made(mesh, "order/good")
    for name, read in (("one", "two"), ("two", "one")):
        code = MADE.format(name=name, inputs=f"**{{'given': 'order/{read}'}}", parameters="given")
        mesh.product(f"order/{name}", contract_text(f"order/{name}", COLUMNS), code)
    assert mesh.run("order/good").success
    assert "order/one -> order/two -> order/one" in failures(mesh.run("order/one"))


def test_code_that_ends_its_process_stops_its_product_alone(mesh: TinyMesh) -> None:
    made(mesh, "order/good")
    code = "import sys\n\nsys.exit(0)\n"
    mesh.product("order/bad", contract_text("order/bad", COLUMNS), code)
    code += cleandoc(MADE.format(name="bad", inputs="", parameters=""))
    mesh.product("order/bad", contract_text("order/bad", COLUMNS), code)
    assert "product.py:3" in failures(mesh.run("order/bad"))
    assert mesh.run("order/good").success


def test_what_a_contract_may_say_dagster_takes(mesh: TinyMesh) -> None:
    owner = "order-data@shop.internal"
    mesh.domain("order", owner=owner, owners=[owner, "Order Team"])
    for name, owned in (("good", owner), ("team", "Order Team")):
        made(mesh, f"order/{name}")
        file = mesh.root / "domains" / "order" / "products" / name / "contract.odcs.yaml"
        tags = ["x" * 100, "a b", "contract-version", "ä/y"]
        text = file.read_text().replace("order@example.com", owned)
        file.write_text(text.replace("1.0.0", "1.0.0-" + "a" * 90) + f"tags: {tags}\n")
        result = mesh.run(f"order/{name}")
        assert result.success, failures(result)
