"""Models that dbt's server makes: the same as those of a dbt of their own, whatever becomes of it."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.dbt import process as dbt_process
from shared_resources.data_products.dbt.forking import prepared
from shared_resources.data_products.dbt.forking.asking import serving
from shared_resources.data_products.dbt.model import DbtModelFailed, DbtModels, DbtOutcome
from shared_resources.data_products.dbt.on_duckdb import DuckDBTarget
from shared_resources.data_products.dbt.on_snowflake.target import SnowflakeTarget
from shared_resources.environment import Environment
from shared_resources.stores.protocol import Snapshot
from tests.data_products.dbt_toy import contract_file, published, toy, write, write_contract
from tests.data_products.test_dbt_server import children, is_running, server_of, wait_until
from tests.mesh_files import DOMAIN

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="there is a server on Linux alone"),
]

# Takes as long as it is let, in the engine.
ENDLESS = (
    "select sum(a.range * b.range) % 7 + 0.5 as total "
    "from range(10000000) as a, range(10000000) as b"
)
# What was there before would be added to.
STEPWISE = "{{ config(materialized='incremental') }} select 1.5 as total"
SLOW_TEST = "select 1 from range(100000) as a, range(30000) as b where a.range * b.range = -1"


@dataclass
class Shop:
    environment: Environment
    inputs: Mapping[str, Snapshot]

    def contract(self, product: str) -> Contract:
        return read_contract(contract_file(self.environment.root, product))

    def build(self, product: str, label: str) -> DbtOutcome:
        folder = self.environment.root / f"staged-{label}"
        models = DbtModels(self.environment)
        return models.build(self.contract(product), self.inputs, folder, label)

    def add(self, name: str, sql: str) -> None:
        write(self.environment.root, f"models/shop/{name}.sql", sql)
        write_contract(self.environment.root, f"shop/{name}", {"total": "number"})


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    environment = toy(tmp_path / "mesh")
    data = tmp_path / "data"
    data.mkdir()
    day = date(2026, 1, 1)
    lines = published(data, "shop/lines", [(day, 1.5, "red"), (day, 2.0, "mauve")])
    colours = published(data, "paint/colours", [("red",), ("blue",)])
    yield Shop(environment, {"shop/lines": lines, "paint/colours": colours})


@pytest.fixture
def no_other_dbt(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a process of its own was started")

    monkeypatch.setattr(dbt_process, "_Own", refuse)


def rows(outcome: DbtOutcome) -> list[dict[str, object]]:
    (file,) = outcome.files
    return sorted(pq.read_table(file.path).to_pylist(), key=str)


def test_a_served_model_is_the_same(shop: Shop, request: pytest.FixtureRequest) -> None:
    own = shop.build("shop/daily", "own")
    manifest = DbtModels(shop.environment).manifest("shop")
    for project in (shop.environment.dbt / "projects").glob("shop-*"):
        project.rename(project.with_name(f".{project.name}"))
    request.getfixturevalue("no_other_dbt")
    with serving():
        served = shop.build("shop/daily", "served")
        again = shop.build("shop/daily", "again")
        parsed = DbtModels(shop.environment).manifest("shop")
    assert rows(served) == rows(again) == rows(own)
    assert served.results == own.results
    assert served.tests == own.tests
    assert served.column_lineage == own.column_lineage
    assert without_times(parsed) == without_times(manifest)
    assert list((shop.environment.dbt / "runs").iterdir()) == []


def without_times(manifest: object) -> object:
    """The manifest without when and in which folder and process it was made."""
    if isinstance(manifest, dict):
        skipped = {"created_at", "metadata", "root_path"}
        return {k: without_times(v) for k, v in sorted(manifest.items()) if k not in skipped}
    if isinstance(manifest, list):
        return [without_times(one) for one in manifest]
    return manifest


@pytest.mark.usefixtures("no_other_dbt")
def test_a_models_error_reads_as_it_did(shop: Shop) -> None:
    shop.add("wrong", "select day,\n       amuont as total\nfrom {{ source('shop', 'lines') }}")
    shop.add("torn", "select {{ no_such_macro() }} as total")
    with serving():
        with pytest.raises(DbtModelFailed, match=r"models/shop/wrong\.sql:2: .*amuont"):
            shop.build("shop/wrong", "wrong")
        with pytest.raises(DbtModelFailed, match=r"torn\.sql.*\n?.*'no_such_macro' is undefined"):
            shop.build("shop/torn", "torn")


@pytest.mark.usefixtures("no_other_dbt")
def test_a_served_model_sees_what_its_domain_names_and_when_it_runs(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two domains, one server: what one may see is not there for the other."""
    told = "select '{{ env_var('RATE', 'none') }} {{ run_started_at.isoformat() }}' as note"
    for domain in ("shop", "paint"):
        write(shop.environment.root, f"models/{domain}/told.sql", told)
        write_contract(shop.environment.root, f"{domain}/told", {"note": "string"})
    file = shop.environment.domains / "shop" / "domain.yaml"
    file.write_text(DOMAIN.format(name="shop") + "environment: [RATE]\n")
    monkeypatch.setenv("RATE", "seven")
    notes = []
    with serving():
        for product in ("shop/told", "paint/told", "shop/told"):
            built = shop.build(product, f"{product[:2]}{len(notes)}")
            notes.append(str(rows(built)[0]["note"]).split(" "))
    assert [rate for rate, _ in notes] == ["seven", "none", "seven"]
    started = [at for _, at in notes]
    assert started == sorted({*started})


def test_two_models_are_served_at_once(shop: Shop) -> None:
    outcomes: dict[int, DbtOutcome] = {}

    def build(number: int) -> None:
        outcomes[number] = shop.build("shop/daily", f"parallel-{number}")

    with serving():
        threads = [threading.Thread(target=build, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert rows(outcomes[0]) == rows(outcomes[1])


def test_a_model_is_made_again_where_its_server_was_killed(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """From the beginning: what an incremental model finds of itself it would add to."""
    shop.add("stepwise", STEPWISE)
    write(shop.environment.root, "tests/shop/slow.sql", f"{SLOW_TEST} -- {{{{ ref('stepwise') }}}}")
    made: list[DbtOutcome] = []
    with serving(), caplog.at_level(logging.WARNING):
        DbtModels(shop.environment).manifest("shop")
        server = server_of(os.getpid())
        builds = threading.Thread(target=lambda: made.append(shop.build("shop/stepwise", "killed")))
        builds.start()
        # The model is there, and its test is being asked.
        runs = shop.environment.dbt / "runs"
        wait_until(lambda: any(runs.glob("*/target/run/**/slow.sql")), "a test that runs")
        (child,) = children(server) or (0,)
        os.kill(server, signal.SIGKILL)
        builds.join()
        assert not is_running(child)
    assert [rows(one) for one in made] == [[{"total": 1.5}]]
    assert "from now on dbt runs in processes of its own" in caplog.text


def test_a_killed_asker_leaves_no_model_running(shop: Shop) -> None:
    shop.add("endless", ENDLESS)
    code = f"""
import sys
from pathlib import Path
from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.dbt.forking.asking import serving
from shared_resources.data_products.dbt.model import DbtModels
from shared_resources.wiring import LocalEnvironment
environment = LocalEnvironment(root=Path({str(shop.environment.root)!r}), home=Path({str(shop.environment.home)!r}))
contract = read_contract(Path({str(contract_file(shop.environment.root, "shop/endless"))!r}))
with serving():
    DbtModels(environment).build(contract, {{}}, Path({str(shop.environment.root / "staged")!r}), "endless")
"""  # noqa: E501
    asks = subprocess.Popen([sys.executable, "-c", code])
    runs = shop.environment.dbt / "runs"
    wait_until(lambda: any(runs.glob("*/target/run/**/endless.sql")), "a model that runs")
    server = server_of(asks.pid)
    (child,) = children(server)
    asks.kill()
    asks.wait()
    for one in (server, child):
        wait_until(lambda: not is_running(one), "its end")  # noqa: B023 - asked at once
    # The next run on this machine clears up.
    shop.build("shop/daily", "after")
    assert list(runs.iterdir()) == []


@pytest.mark.parametrize("target", [DuckDBTarget, SnowflakeTarget])
def test_what_is_prepared_starts_no_thread(target: type[DuckDBTarget | SnowflakeTarget]) -> None:
    code = f"""
import os
from shared_resources.data_products.dbt.forking.prepared import Prepared, threads
ready = Prepared()
ready.prepare({(*target.prepared, "dbt.task.build")!r}, True)
print(threads(), flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize("name", [*prepared._BY_EVERY_COMMAND, *prepared._BY_PARSING])
def test_this_dbt_has_the_classes_whose_schemas_are_prepared(name: str) -> None:
    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    assert found.json_schema()["type"] == "object"
