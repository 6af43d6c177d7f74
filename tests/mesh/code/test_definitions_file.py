"""A location is what `build_domain` gives: in its text, when it loads, and in `mesh run`."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from shared_resources.governance.catalogue import PolicyViolation
from shared_resources.locations.additions import NotAdded
from shared_resources.locations.location import build_domain
from shared_resources.mesh import read_mesh
from shared_resources.mesh.locations import location_findings
from shared_resources.wiring import ProductionEnvironment
from tests.mesh_files import write_domain
from tests.tiny_mesh import TinyMesh, column, contract_text

GOOD = {
    "bare": "defs = build_domain(__file__)",
    "selections": "s = dg.AssetSelection.assets('a') | dg.AssetSelection.all()\n"
    "defs = build_domain(__file__)",
    "a job": "@dg.op\ndef o(): ...\n@dg.job\ndef j(): o()\ndefs = build_domain(__file__, jobs=[j])",
    "a sensor": "@dg.sensor(job_name='x')\ndef s(): ...\ndefs = build_domain(__file__, sensors=[s])",
    "an asset job": "j = dg.define_asset_job('j', dg.AssetSelection.groups('shop'))\n"
    "defs = build_domain(__file__, jobs=[j], schedules=[dg.ScheduleDefinition(job=j, "
    "cron_schedule='0 1 * * *')], resources={'mail': 'x'})",
}
BAD = {
    "nothing": "x = 1",
    "by hand": "defs = dg.Definitions()",
    "by hand, renamed": "import dagster as d\ndefs = d.Definitions(assets=[])",
    "from import": "from dagster import Definitions as D\ndefs = D()",
    "merged": "defs = dg.Definitions.merge(build_domain(__file__), dg.Definitions())",
    "twice": "build_domain(__file__)\ndefs = build_domain(__file__)",
    "another name": "other = build_domain(__file__)",
    "another file": "defs = build_domain('domains/order/definitions.py')",
    "overrides": "defs = build_domain(__file__, resource_overrides={'lake': 1})",
    "by stars": "defs = build_domain(__file__, **{'resource_overrides': {}})",
    "an asset": "@dg.asset(key=['shop', 'lines'])\ndef a(): ...\ndefs = build_domain(__file__)",
    "a multi asset": "@dg.multi_asset(specs=[])\ndef a(): ...\ndefs = build_domain(__file__)",
    "a check": "@dg.asset_check(asset='a')\ndef a(): ...\ndefs = build_domain(__file__)",
    "an event": "defs = build_domain(__file__)\ndef f(c): c.log_event(dg.AssetMaterialization('a'))",
    "bound again, annotated": "defs = build_domain(__file__)\ndefs: object = 1",
    "bound again, in a tuple": "defs = build_domain(__file__)\n(defs, x) = (1, 2)",
    "bound again, by a walrus": "defs = build_domain(__file__)\nprint(defs := 1)",
    "bound again, by a loop": "defs = build_domain(__file__)\nfor defs in [1]: pass",
    "bound again, if": "defs = build_domain(__file__)\nif True:\n    defs = 1",
    "bound again, by import": "defs = build_domain(__file__)\nfrom .more import defs",
    "bound again, as a function": "defs = build_domain(__file__)\ndef defs(): ...",
    "bound again, globally": "defs = build_domain(__file__)\ndef f():\n    global defs",
    "bound again, by its dictionary": "defs = build_domain(__file__)\nglobals()['defs'] = 1",
    "bound again, from outside": "import sys\ndefs = build_domain(__file__)\n"
    "sys.modules[__name__].defs = 1",
    "another builder": "def build_domain(f): ...\ndefs = build_domain(__file__)",
    "another builder, imported": "from more import build_domain\ndefs = build_domain(__file__)",
    "an asset, starred": "from dagster import *\n@asset\ndef a(): ...\n"
    "defs = build_domain(__file__)",
    "an asset, from within": "import dagster\n@dagster._core.definitions.decorators.asset\n"
    "def a(): ...\ndefs = build_domain(__file__)",
    "an asset, by its name": "a = getattr(dg, 'asset')\ndefs = build_domain(__file__)",
    "an asset, of a module's other name": "d = dg\na = d.asset\ndefs = build_domain(__file__)",
    "an asset, of an imported module": "from importlib import import_module\n"
    "a = import_module('dagster').asset\ndefs = build_domain(__file__)",
    "an asset, of a module imported so": "d = __import__('dagster')\na = d.asset\n"
    "defs = build_domain(__file__)",
    "code of a test": "from domains.shop.test_more import a\ndefs = build_domain(__file__)",
    "an IO manager": "defs = build_domain(__file__)\nclass M(dg.ConfigurableIOManager): ...",
    "an IO manager of a library": "from dagster_aws.s3 import S3PickleIOManager as S\n"
    "defs = build_domain(__file__, resources={'lake': S()})",
}
HEAD = "import dagster as dg\nfrom shared_resources import build_domain\n"


@pytest.mark.parametrize("kind", [*GOOD, *BAD])
def test_mesh_check_reads_what_a_location_is(tmp_path: Path, kind: str) -> None:
    file = write_domain(tmp_path, "shop") / "definitions.py"
    file.write_text(HEAD + {**GOOD, **BAD}[kind] + "\n")
    found = [f for f in location_findings(read_mesh(tmp_path)) if f.file == file]
    assert bool(found) == (kind in BAD), found
    assert all(f.line for f in found)
    assert all("build_domain" in f.remedy + f.message for f in found if "test" not in f.message)


def test_what_a_helper_module_makes_is_found_and_a_test_is_none(tmp_path: Path) -> None:
    folder = write_domain(tmp_path, "shop")
    text = "import dagster as dg\n\n@dg.asset\ndef lines(): ...\n"
    (folder / "test_jobs.py").write_text(text)
    assert list(location_findings(read_mesh(tmp_path))) == []
    (folder / "more.py").write_text(text)
    (found,) = location_findings(read_mesh(tmp_path))
    assert (found.file.name, found.line) == ("more.py", 3)


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    landing = {"prefix": "shop/lines", "format": "csv", "mode": "replace", "object": "*.csv"}
    contract = contract_text("shop/lines", [column("n")], properties={"landing": landing})
    mesh.product("shop/lines", contract)
    return mesh


def file_of(mesh: TinyMesh) -> str:
    return str(mesh.root / "domains" / "shop" / "definitions.py")


@dg.op
def nothing() -> None: ...


@dg.job
def own_job() -> None:
    nothing()


@dg.asset(key=["order", "transactions"])
def stray() -> None: ...


def test_a_domains_own_jobs_stand_beside_the_platforms(shop: TinyMesh) -> None:
    asked = dg.SensorDefinition(name="own_sensor", job=own_job, evaluation_fn=lambda _: None)
    own = build_domain(file_of(shop), jobs=[own_job], sensors=[asked], resources={"mail": "x"})
    plain = build_domain(file_of(shop))
    names = {job.name for job in own.jobs or []}
    assert names - {job.name for job in plain.jobs or []} == {"own_job"}
    assert len(list(own.sensors or [])) == len(list(plain.sensors or [])) + 1
    keys = own.resolve_asset_graph().get_all_asset_keys()
    assert keys == plain.resolve_asset_graph().get_all_asset_keys()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"jobs": [stray]}, "jobs= holds a AssetsDefinition"),
        ({"sensors": [own_job]}, "sensors= holds a JobDefinition"),
        ({"resources": {"lake": object()}}, "resources= replaces lake"),
        ({"resources": {"warehouse": object()}}, "resources= replaces warehouse"),
    ],
)
def test_what_takes_the_platforms_place_is_refused_when_it_loads(
    shop: TinyMesh, given: dict, words: str
) -> None:
    with pytest.raises(NotAdded, match=words):
        build_domain(file_of(shop), **given)


def test_a_job_that_brings_assets_is_refused(shop: TinyMesh) -> None:
    location = dg.Definitions(assets=[stray], jobs=[dg.define_asset_job("hidden")])
    hidden = location.resolve_job_def("hidden")
    with pytest.raises(NotAdded, match="hidden makes order/transactions"):
        build_domain(file_of(shop), jobs=[hidden])
    with pytest.raises(NotAdded, match="hidden makes order/transactions"):
        build_domain(
            file_of(shop), schedules=[dg.ScheduleDefinition(job=hidden, cron_schedule="0 0 * * *")]
        )


def test_a_location_that_is_more_than_build_domain_does_not_load(shop: TinyMesh) -> None:
    Path(file_of(shop)).write_text(HEAD + BAD["an asset"] + "\n")
    with pytest.raises(PolicyViolation, match=r"definitions\.py:3: .*dagster\.asset"):
        build_domain(file_of(shop))


def test_overrides_are_for_tests(
    shop: TinyMesh, production: ProductionEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_ROOT", str(shop.root))
    with pytest.raises(NotAdded, match="resource_overrides is for tests"):
        build_domain(file_of(shop), resource_overrides={"lake": object()})
