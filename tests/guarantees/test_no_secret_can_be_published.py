"""Code of a domain is handed no secret of the platform, so that it has none to publish.

Secrets are planted in every variable that the platform or its libraries read, and in some that
nobody knows; each way that a domain's code has to look at variables is tried.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from shared_resources.confinement.variables import (
    PASSED,
    RUNS_DOMAIN_CODE,
    problem_with,
    seen_by_domain,
)
from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.dbt import process as dbt_process
from shared_resources.data_products.dbt.forking.asking import serving
from shared_resources.data_products.dbt.model import DbtModels
from shared_resources.data_products.dbt.on_snowflake.target import SnowflakeTarget
from shared_resources.environment import Environment
from shared_resources.production.checks import KNOWN
from shared_resources.production.kafka.settings import VARIABLES as OF_KAFKA
from shared_resources.production.snowflake_settings import VARIABLES, read_login
from shared_resources.streams.decoding.registry import VARIABLES as OF_THE_REGISTRY
from tests.data_products.dbt_toy import COLUMNS, contract_file, toy, write, write_contract
from tests.mesh_files import DOMAIN
from tests.stand_ins import StandIns

SECRET = "plantedSecret"
# Of the platform, of the libraries under it, of the machine, and of nobody in particular.
PLANTED = {
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "SNOWFLAKE_PASSWORD", "SNOWFLAKE_TOKEN"),
    *("SNOWFLAKE_PRIVATE_KEY_FILE_PWD", "MESH_DATABASE_URL", "DAGSTER_CLOUD_API_TOKEN"),
    *("DAGSTER_HOME", "DBT_ENV_SECRET_GIT", "DBT_SNOWFLAKE_PASSWORD", "DBT_ENV_CUSTOM_ENV_X"),
    *("PGPASSWORD", "DATABASE_URL", "HTTPS_PROXY", "https_proxy", "GITHUB_TOKEN", "SLACK_HOOK"),
    *("motherduck_token", "KUBERNETES_TOKEN", "ANY_OTHER"),
}
# Whatever a model can look at in dbt's context, put into one text.
_EVERYTHING = """
{% set seen = [] %}
{% for name in NAMES %}{% do seen.append(env_var(name, '')) %}{% endfor %}
{% do seen.append(target | string) %}
{% for key in target %}{% do seen.append(target[key] | string) %}{% endfor %}
{% do seen.append(flags | string) %}{% do seen.append(modules | string) %}
{% do seen.append(dbt_metadata_envs | string) %}{% do seen.append(invocation_args_dict | string) %}
{% do seen.append(var.__self__ | string) %}{% do seen.append(config | string) %}
{% do seen.append(model | string) %}{% do seen.append(adapter | string) %}
{% do seen.append(adapter.config | string) %}{% do seen.append(api | string) %}
{% do seen.append(context | string) %}{% do seen.append(builtins | string) %}
{% do seen.append(local_md5 | string) %}{% do seen.append(graph | string) %}
select cast('x{{ seen | join('|') | replace("'", '') }}' as varchar) as note
"""


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in PLANTED:
        monkeypatch.setenv(name, f"{SECRET}-{name}")
    yield


def leaking(root: Path) -> Environment:
    """The toy mesh with a model that publishes whatever it can look at."""
    environment = toy(root)
    refused = {name for name in PLANTED if name.startswith("DBT_ENV_SECRET_")}  # by dbt itself
    names = sorted({*PLANTED, "RATE"} - refused)
    write(root, "models/shop/leak.sql", _EVERYTHING.replace("NAMES", repr(names)))
    write_contract(root, "shop/leak", {"note": "string"})
    COLUMNS["shop/leak"] = {"note": "string"}
    return environment


def published_text(environment: Environment, folder: Path) -> str:
    contract = read_contract(contract_file(environment.root, "shop/leak"))
    outcome = DbtModels(environment).build(contract, {}, folder, "run-1")
    notes = duckdb.sql(f"SELECT note FROM '{outcome.files[0].path}'").fetchall()
    assert len(notes) == 1 and "schema" in notes[0][0], "the model saw its target"
    return str(notes[0][0])


def must_hold_no_secret(folder: Path, text: str, secrets: tuple[str, ...]) -> None:
    for file in (path for path in folder.rglob("*") if path.is_file()):
        text += file.read_bytes().decode(errors="replace")
    for secret in secrets:
        at = text.find(secret)
        assert at < 0, text[max(0, at - 200) : at + 100]


HOW = ["own", pytest.param("served", marks=pytest.mark.slow)]


@contextmanager
def run_by(how: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """dbt in a process of its own, or a child of its server, which is started with what is planted."""
    if how == "own":
        yield
        return
    with serving() as channel:
        if channel is not None:
            monkeypatch.delattr(dbt_process, "_Own")
        yield


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("how", HOW)
def test_a_model_on_duckdb_can_publish_no_variable_but_those_that_its_domain_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    environment = leaking(tmp_path / "mesh")
    named = "environment: [RATE, AWS_SECRET_ACCESS_KEY]\n"
    (environment.domains / "shop" / "domain.yaml").write_text(DOMAIN.format(name="shop") + named)
    monkeypatch.setenv("RATE", "its own")
    with run_by(how, monkeypatch):
        text = published_text(environment, tmp_path / "staged")
    must_hold_no_secret(tmp_path, text, (SECRET,))
    assert "its own" in text


@pytest.mark.slow
@pytest.mark.parametrize("how", HOW)
def test_a_model_on_snowflake_can_publish_no_login(
    tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    given = stand_ins.fresh()
    given |= {"SNOWFLAKE_PASSWORD": f"{SECRET}Password", "SNOWFLAKE_USER": "planted_user"}
    login = read_login(given, [])
    assert login is not None
    for name in PLANTED:
        if not name.upper().endswith("PROXY"):
            monkeypatch.setenv(name, f"{SECRET}-{name}")
    environment = leaking(tmp_path / "mesh")
    vars(environment)["dbt_target"] = SnowflakeTarget(login, None)
    with run_by(how, monkeypatch):
        text = published_text(environment, tmp_path / "staged")
    must_hold_no_secret(tmp_path, text, (SECRET, "planted_user"))


@pytest.mark.slow
def test_a_model_is_compiled_anew_when_a_variable_that_it_sees_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = toy(tmp_path / "mesh")
    named = "environment: [RATE]\n"
    (environment.domains / "shop" / "domain.yaml").write_text(DOMAIN.format(name="shop") + named)
    write(
        environment.root,
        "models/shop/rate.sql",
        "select '{{ env_var('RATE', 'none') }}' as note",
    )
    write_contract(environment.root, "shop/rate", {"note": "string"})
    contract = read_contract(contract_file(environment.root, "shop/rate"))
    for rate in ("seven", "eight"):
        monkeypatch.setenv("RATE", rate)
        built = DbtModels(environment).build(contract, {}, tmp_path / rate, "run-1")
        assert duckdb.sql(f"SELECT note FROM '{built.files[0].path}'").fetchall() == [(rate,)]


@pytest.mark.parametrize(
    "name",
    sorted(
        (KNOWN | VARIABLES | OF_KAFKA | OF_THE_REGISTRY | PLANTED) - {"SLACK_HOOK", "ANY_OTHER"}
    ),
)
def test_no_variable_of_the_platform_is_passed(name: str) -> None:
    assert name not in PASSED
    own = ("GITHUB_TOKEN", "KUBERNETES_TOKEN", "motherduck_token")
    if name not in own:  # those a domain may have of its own
        assert problem_with(name)
        assert name not in seen_by_domain([name], {name: SECRET})


def test_every_variable_that_is_passed_is_one_of_a_process_not_of_a_login() -> None:
    assert [n for n in PASSED if re.search(r"TOKEN|SECRET|PASS|KEY|PROXY|_URL|CRED", n)] == []


def test_what_a_child_process_sees_is_a_part_of_what_there_is() -> None:
    seen = seen_by_domain()
    assert seen.pop(RUNS_DOMAIN_CODE)
    assert seen["PATH"] == os.environ["PATH"]
    assert seen.items() <= os.environ.items()
