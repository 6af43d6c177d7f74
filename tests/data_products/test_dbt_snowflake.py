"""A dbt model built inside Snowflake: its scratch schema, its confinement, what failures say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from shared_resources.contracts.model import Contract, Severity
from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.dbt.messages import DbtModelFailed
from shared_resources.data_products.dbt.model import DbtModels, DbtOutcome
from shared_resources.data_products.dbt.on_snowflake.sealed_login import sealed, unsealed
from shared_resources.data_products.dbt.on_snowflake.target import SnowflakeTarget
from shared_resources.environment import Environment
from shared_resources.production.snowflake_login import SnowflakeLogin
from shared_resources.production.snowflake_settings import read_login
from shared_resources.stores.cloud_warehouse.session import SnowflakeSession
from shared_resources.stores.protocol import Snapshot
from shared_resources.wiring import LocalEnvironment
from tests.data_products.dbt_toy import (
    COLUMNS,
    DAILY,
    contract_file,
    published,
    published_in_database,
    toy,
    write,
    write_contract,
)
from tests.stand_ins import StandIns

SECRET = "planted-p4ssw0rd"
LINES = [
    (date(2026, 1, 1), 2.0, "red"),
    (date(2026, 1, 1), 3.0, "red"),
    (date(2026, 1, 2), 4.5, "green"),
]


@dataclass
class Shop:
    """The toy mesh with Snowflake under dbt, and one build of `shop/daily`."""

    environment: Environment
    login: SnowflakeLogin
    models: DbtModels
    contract: Contract
    inputs: dict[str, Snapshot]
    outcome: DbtOutcome

    def execute(self, statement: str) -> list[tuple]:
        return SnowflakeSession(self.login.connection).execute(statement).rows

    def schemas(self) -> list[str]:
        """The scratch schemas there are."""
        names = [str(row[1]) for row in self.execute("SHOW TERSE SCHEMAS")]
        return [name for name in names if name.startswith("SCRATCH__")]


def login_to(stand_ins: StandIns) -> SnowflakeLogin:
    problems: list[str] = []
    login = read_login(stand_ins.fresh(), problems)
    assert login is not None, problems
    return replace(login, password=SECRET)


def on_snowflake(environment: Environment, login: SnowflakeLogin) -> Environment:
    vars(environment)["dbt_target"] = SnowflakeTarget(login, None)
    return environment


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, stand_ins: StandIns) -> Shop:
    root = tmp_path_factory.mktemp("mesh")
    login = login_to(stand_ins)
    environment = on_snowflake(toy(root), login)
    # It is built as a table there: a view of what nobody audited might be granted to readers.
    write(root, "models/shop/daily.sql", "{{ config(materialized='view') }}" + DAILY)
    data = root / "data"
    data.mkdir()
    inputs: dict[str, Snapshot] = {
        "shop/lines": published(data, "shop/lines", LINES),
        "paint/colours": published_in_database(data, "paint/colours", [("red",), ("blue",)]),
    }
    models = DbtModels(environment)
    contract = read_contract(contract_file(root, "shop/daily"))
    outcome = models.build(contract, inputs, root / "staged", "run-1")
    return Shop(environment, login, models, contract, inputs, outcome)


def test_the_table_is_staged_as_its_contract_says(shop: Shop):
    (file,) = shop.outcome.files
    staged = pq.read_table(file.path)
    assert staged.schema.names == [column.name for column in shop.contract.columns]
    assert staged.schema.types == [column.type.arrow for column in shop.contract.columns]
    assert sorted(staged.to_pylist(), key=lambda row: row["day"]) == [
        {"day": date(2026, 1, 1), "lines": 2, "total": 5.0, "colour": "red"},
        {"day": date(2026, 1, 2), "lines": 1, "total": 4.5, "colour": "green"},
    ]


def test_tests_and_lineage_are_those_of_any_engine(shop: Shop):
    failed = {result.name for result in shop.outcome.tests if not result.passed}
    assert failed == {"dbt_accepted_values_colour", "dbt_relationships_colour"}
    severity = {result.name: result.severity for result in shop.outcome.tests}
    assert severity["dbt_accepted_values_colour"] is Severity.WARNING
    assert [r.rule.name for r in shop.outcome.results if r.refuses] == ["dbt_relationships_colour"]
    assert shop.outcome.column_lineage == {
        "colour": [("shop/lines", "colour")],
        "day": [("shop/lines", "day")],
        "lines": [],
        "total": [("shop/lines", "amount")],
    }


def test_nothing_is_left_in_snowflake_nor_on_the_disk(shop: Shop):
    assert shop.schemas() == []
    assert list((shop.environment.dbt / "runs").iterdir()) == []


def test_no_file_says_who_logs_in_where(shop: Shop):
    port = shop.login.port  # by itself five digits, which a digest may hold, too
    planted = (SECRET, shop.login.account, shop.login.database, f":{port}", f": {port}", f"={port}")
    kept = [file for file in (shop.environment.dbt / "projects").rglob("*") if file.is_file()]
    assert any(file.name == "profiles.yml" for file in kept)
    assert any(file.name == "partial_parse.msgpack" for file in kept)
    for file in kept:
        content = file.read_bytes()
        assert not [text for text in planted if text.encode() in content], file


def test_the_digest_follows_the_engine(shop: Shop):
    from shared_resources.data_products.dbt.composition import digest

    elsewhere = LocalEnvironment(shop.environment.root, shop.environment.home)
    assert digest(elsewhere, "shop") != digest(shop.environment, "shop")


@pytest.mark.slow
def test_what_dead_runs_left_is_removed(shop: Shop):
    runs = shop.environment.dbt / "runs"
    now = datetime.now(UTC)
    dead, live = f"SCRATCH__{now:%Y%m%dT%H%M%S}__DEAD", f"SCRATCH__{now:%Y%m%dT%H%M%S}__LIVE"
    old = f"SCRATCH__{now - timedelta(days=2):%Y%m%dT%H%M%S}__ELSEWHERE"
    mine = "SCRATCH__OF_SOMEBODY"
    for schema in (dead, live, old, mine):
        shop.execute(f"CREATE TRANSIENT SCHEMA {schema}")
    for name, schema in (("dead", dead), ("live", live)):
        (runs / name).mkdir()
        (runs / name / "scratch_schema").write_text(schema)
        (runs / f"{name}.lock").touch()
    with FileLock(runs / "live.lock"):
        shop.models.build(shop.contract, shop.inputs, shop.environment.root / "after", "run-2")
        assert sorted(shop.schemas()) == sorted([live, mine])
        assert sorted(file.name for file in runs.iterdir()) == ["live", "live.lock"]
    shop.environment.dbt_target.remove_abandoned(runs / "live")
    assert shop.schemas() == [mine]


@pytest.mark.slow
def test_parsing_asks_no_server(tmp_path: Path, stand_ins: StandIns, monkeypatch):
    """Definitions are loaded without a network: neither that of Snowflake nor any other."""
    login = replace(login_to(stand_ins), host="127.0.0.1", port=9)
    addresses = watch_sockets(tmp_path, monkeypatch)
    models = DbtModels(on_snowflake(toy(tmp_path / "root"), login))
    assert models.inputs("shop/daily") == ("paint/colours", "shop/lines")
    assert models.tests("shop/daily")
    assert addresses() == set()


@pytest.mark.slow
def test_a_build_talks_to_snowflake_alone(shop: Shop, tmp_path: Path, monkeypatch):
    addresses = watch_sockets(tmp_path, monkeypatch)
    folder = shop.environment.root / "watched"
    shop.models.build(shop.contract, shop.inputs, folder, "run-3")
    assert addresses() == {f"127.0.0.1:{shop.login.port}"}


def watch_sockets(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Every process that Python starts from now on notes whom it connects to or looks up."""
    noted = folder / "addresses"
    noted.touch()
    (folder / "sitecustomize.py").write_text(
        "import os, sys\n"
        "def note(event, given):\n"
        "    if event in ('socket.connect', 'socket.sendto'):\n"
        "        host, address = str(given[0].family), given[1]\n"
        "        if isinstance(address, tuple):\n"
        "            write(f'{address[0]}:{address[1]}')\n"
        "    elif event == 'socket.getaddrinfo' and given[0] not in ('127.0.0.1', None):\n"
        "        write(str(given[0]))\n"
        "def write(text):\n"
        f"    file = os.open({str(noted)!r}, os.O_WRONLY | os.O_APPEND)\n"
        "    os.write(file, (text + chr(10)).encode())\n"
        "    os.close(file)\n"
        "sys.addaudithook(note)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return lambda: set(noted.read_text().split())


# --- logging in ---------------------------------------------------------------------------------

WAYS = {
    "password": {"password": SECRET},
    "key": {"private_key_file": Path("key.p8"), "private_key_passphrase": SECRET},
    "oauth": {"authenticator": "OAUTH", "token": SECRET},
    "programmatic access token": {
        "authenticator": "programmatic_access_token",
        "token": SECRET,
    },
    "workload identity": {"authenticator": "WORKLOAD_IDENTITY"},
    "proxy": {
        "password": SECRET,
        "further": {"proxy_host": "proxy", "proxy_port": 3128, "proxy_password": SECRET},
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_log_in_reaches_the_connector_and_nothing_that_a_model_can_render(
    way: str, monkeypatch: pytest.MonkeyPatch
):
    login = SnowflakeLogin("org-account", "mesh", "MESH", "BUILD", role="WRITER", **WAYS[way])
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET}@proxy:3128")
    given = sealed(login.parameters())
    with monkeypatch.context() as process:
        for name in os.environ:
            process.delenv(name)
        for name, text in given.items():
            process.setenv(name, text)
        found = unsealed()
        assert dict(os.environ) == {}
    assert found.parameters == login.parameters()
    assert found.variables["HTTPS_PROXY"] == f"http://user:{SECRET}@proxy:3128"
    assert SECRET not in repr(found)
    target = SnowflakeTarget(login, None)
    shown = repr(target.profile()) + repr(target.parsing()) + repr(target)
    assert not [text for text in (SECRET, "org-account", "WRITER", "key.p8") if text in shown]


# --- models that break -------------------------------------------------------------------------

BROKEN = {
    "unknown_column": (
        "select\n    l.day,\n    l.amuont as total\nfrom {{ source('shop', 'lines') }} as l",
        r"models/shop/unknown_column\.sql:3: .*(?i:amuont)",
    ),
    "bad_syntax": (
        "select day\nfrom {{ source('shop', 'lines') }}\nwhere where 1 = 1",
        r"models/shop/bad_syntax\.sql:3: .*syntax error",
    ),
    "bad_cast": (
        "select cast(colour as integer) as total from {{ source('shop', 'lines') }}",
        r"models/shop/bad_cast\.sql:1: (?!.*red).*Could not convert string \(a value\)",
    ),
    "reads_another_product": (
        'select total\nfrom "shop"."daily"',
        r'reads_another_product\.sql: .*it reads "shop"\."daily", which is none of its inputs',
    ),
    "writes_a_stage": (
        '{{ config(post_hook="copy into @~/leak from (select 1)") }} select 1 as total',
        r"writes_a_stage\.sql: .*'COPY INTO @~/leak.*' is no query",
    ),
}


@pytest.fixture(scope="module")
def broken(
    tmp_path_factory: pytest.TempPathFactory, stand_ins: StandIns
) -> Iterator[tuple[Environment, DbtModels]]:
    root = tmp_path_factory.mktemp("broken")
    environment = on_snowflake(toy(root), login_to(stand_ins))
    for name, (sql, _) in BROKEN.items():
        write(root, f"models/shop/{name}.sql", sql)
        COLUMNS[f"shop/{name}"] = {"total": "number"}
        write_contract(root, f"shop/{name}", {"total": "number"})
    yield environment, DbtModels(environment)
    for name in BROKEN:
        del COLUMNS[f"shop/{name}"]


@pytest.mark.slow
@pytest.mark.xdist_group("broken models")
@pytest.mark.parametrize("name", BROKEN)
def test_a_model_that_does_not_run_says_where_and_why(
    broken: tuple[Environment, DbtModels], tmp_path: Path, name: str
):
    environment, models = broken
    contract = read_contract(contract_file(environment.root, f"shop/{name}"))
    inputs = {"shop/lines": published(tmp_path, "shop/lines", LINES)}
    with pytest.raises(DbtModelFailed) as failed:
        models.build(contract, inputs, tmp_path / "staged", "run-1")
    message = str(failed.value)
    assert re.search(BROKEN[name][1], message, re.DOTALL), message
    assert "Traceback" not in message
    assert SECRET not in message
    assert not list((tmp_path / "staged").glob("**/*.parquet"))
