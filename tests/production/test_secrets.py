"""No secret is shown: planted ones are searched for in all that a mesh in production leaves behind.

Searched are standard output and error of every command with every logger at DEBUG, each file below
MESH_HOME (Dagster's logs of each step, dbt's own files), every row of every table of the database
(the whole event log), and the reprs of everything that holds a setting.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from shared_resources.environment import PROJECT_ROOT
from shared_resources.production.dagster_storage import with_driver
from shared_resources.wiring import LocalEnvironment
from tests.faults.kinds import Kind
from tests.faults.plans import NthRequest
from tests.faults.proxy import Proxy, running_proxy
from tests.production.test_clients import wrong_signatures
from tests.stand_ins import StandIns
from tests.stand_ins.postgres import PASSWORD, Postgres
from tests.tiny_mesh import TinyMesh, column, contract_text

SECRETS = {
    "aws secret key": "plantedAwsSecretKey",
    "aws session token": "plantedAwsSessionToken",
    "snowflake password": "plantedSnowflakePassword",
    "snowflake token": "plantedSnowflakeToken",
    "passphrase": "plantedPassphrase",
    "postgres password": PASSWORD,
}
# Each logger at its most talkative, in every process of the mesh.
_DEBUG = """
import logging
logging.basicConfig(level=logging.DEBUG, format="%(name)s %(message)s")
logging.getLogger().setLevel(logging.DEBUG)
"""
_MESH = "from shared_resources.cli.main import main; main()"
_REPRS = """
import pickle
from shared_resources.production.snowflake_resource import resource_of
from shared_resources.wiring import current
here = current()
login = here.settings.snowflake
shown = [here, here.settings, login, login.parameters(), here.state, here.state.engine, here.pins,
         here.settings.s3_resource(), resource_of(here.settings.snowflake), here.settings.s3(),
         here.stores, *here.stores.values(), here.landing_zone, here.quarantine, here.dbt_target]
for one in shown:
    print(repr(one), str(one), f"{one}")
with here.settings.snowflake_connection() as connection:
    print(repr(connection), connection)
"""
_PROJECT = """
name: toy
version: "1.0"
config-version: 2
profile: toy
models: {+materialized: table}
"""
_DAILY = """
select cast(amount as double) as amount, cast(count(*) as bigint) as lines
from {{ source('order', 'lines') }} group by amount
"""
_TOTALS = """
import polars as pl
from shared_resources import data_product

@data_product(lines="order/lines")
def totals(lines: pl.LazyFrame) -> pl.LazyFrame:
    return lines.select(pl.col("amount").sum())
"""


@dataclass(frozen=True)
class Planted:
    """A mesh of three products in production, in whose settings secrets are planted."""

    root: Path
    home: Path
    variables: Mapping[str, str]
    database: str
    secrets: Mapping[str, str]

    def mesh(self, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return self.python(_MESH, *words, **changes)

    def python(self, code: str, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env={**self.variables, **changes},
            capture_output=True,
            text=True,
            timeout=600,
            cwd=self.root,
        )
        self.must_not_show(f"mesh {' '.join(words)}: stdout", done.stdout)
        self.must_not_show(f"mesh {' '.join(words)}: stderr", done.stderr)
        return done

    def must_not_show(self, where: str, text: str) -> None:
        for name, secret in self.secrets.items():
            at = text.find(secret)
            assert at < 0, f"the {name} is in {where}: {text[max(0, at - 600) : at + 100]}"

    def must_have_left_nothing(self) -> None:
        files = [path for path in self.home.rglob("*") if path.is_file()]
        for path in [*files, *(path for path in self.root.rglob("*") if path.is_file())]:
            self.must_not_show(str(path), path.read_bytes().decode("utf-8", errors="replace"))
        rows = 0
        engine = sa.create_engine(with_driver(self.database))
        tables = sa.MetaData()
        tables.reflect(engine)
        with engine.connect() as connection:
            for table in tables.sorted_tables:
                for row in connection.execute(sa.select(table)):
                    rows += 1
                    self.must_not_show(f"table {table.name}", str(tuple(row)))
        engine.dispose()
        assert rows > 50, "the event log was not searched"


@pytest.fixture(scope="module")
def proxy(stand_ins: StandIns) -> Iterator[Proxy]:
    with running_proxy(stand_ins) as running:
        yield running


def _key(file: Path) -> str:
    """Write an encrypted private key; return a line of what only its passphrase opens."""
    key = rsa.generate_private_key(65537, 2048)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked = serialization.BestAvailableEncryption(SECRETS["passphrase"].encode())
    file.write_bytes(key.private_bytes(pem, pkcs8, locked))
    plain = key.private_bytes(serialization.Encoding.DER, pkcs8, serialization.NoEncryption())
    return base64.b64encode(plain).decode()[200:260]


@pytest.fixture
def planted(
    stand_ins: StandIns, proxy: Proxy, postgres: Postgres, tmp_path: Path
) -> Iterator[Planted]:
    root, home = tmp_path / "mesh", tmp_path / "home"
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "sitecustomize.py").write_text(_DEBUG)
    secrets = {**SECRETS, "private key": _key(tmp_path / "key.p8")}
    database = postgres.fresh()
    variables = {
        **stand_ins.fresh(),
        **proxy.endpoints,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{tmp_path / 'hooks'}:{PROJECT_ROOT}",
        "HOME": str(tmp_path),
        "MESH_ROOT": str(root),
        "MESH_HOME": str(home),
        "MESH_DATABASE_URL": database,
        "AWS_SECRET_ACCESS_KEY": SECRETS["aws secret key"],
        "AWS_SESSION_TOKEN": SECRETS["aws session token"],
        "SNOWFLAKE_PRIVATE_KEY_FILE": str(tmp_path / "key.p8"),
        "SNOWFLAKE_PRIVATE_KEY_FILE_PWD": SECRETS["passphrase"],
    }
    variables.pop("SNOWFLAKE_PASSWORD")
    _write_mesh(root, home)
    yield Planted(root, home, variables, database, secrets)


def _write_mesh(root: Path, home: Path) -> None:
    mesh = TinyMesh(LocalEnvironment(root, home), None)  # type: ignore[arg-type]
    amount = column("amount", "DOUBLE", required=True, logicalTypeOptions={"minimum": 0})
    both = ("lake", "warehouse")
    landing = {
        "prefix": "order/lines",
        "format": "parquet",
        "mode": "replace",
        "object": "*.parquet",
    }
    lines = contract_text("order/lines", [amount], servers=both, properties={"landing": landing})
    mesh.product("order/lines", lines)
    mesh.product("order/totals", contract_text("order/totals", [amount], servers=both), _TOTALS)
    counted = [amount, column("lines", "BIGINT")]
    mesh.product("order/daily", contract_text("order/daily", counted, servers=("warehouse",)))
    project = root / "dbt_project"
    (project / "models" / "order").mkdir(parents=True)
    (project / "macros").mkdir()
    (project / "dbt_project.yml").write_text(_PROJECT)
    macros = PROJECT_ROOT / "dbt_project" / "macros"
    (project / "macros" / "schemas.sql").write_text((macros / "schemas.sql").read_text())
    (project / "models" / "order" / "daily.sql").write_text(_DAILY)
    (root / "workspace.yaml").write_text(
        "load_from:\n  - python_module:\n      module_name: domains.order.definitions\n"
        "      location_name: order\n"
    )


def _land(planted: Planted, amounts: list[float]) -> None:
    """As a source system would: over its own connection."""
    file = planted.root.parent / "extract.parquet"
    pq.write_table(pa.table({"amount": pa.array(amounts, pa.float64())}), file)
    code = (
        "import sys; from pathlib import Path; from shared_resources.wiring import current;"
        "current().landing_zone.put('order/lines/extract.parquet', Path(sys.argv[1]))"
    )
    done = planted.python(code, str(file))
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.begins_early
def test_nothing_secret_is_shown_by_runs_that_succeed_and_runs_that_fail(
    planted: Planted, proxy: Proxy
) -> None:
    _land(planted, [1.0, 2.0, 2.0])
    done = planted.mesh("run", "--json")
    assert done.returncode == 0, done.stderr[-6000:]
    _land(planted, [1.0, -2.0])
    assert planted.mesh("run", "order/lines").returncode == 1, "a rule was broken"
    for words in ("status --json", "versions order/lines", "read order/totals --as order", "check --json",
                  "quarantine list --json", "quarantine list"):  # fmt: skip
        done = planted.mesh(*words.split())
        standing = words == "status --json"  # of the refusal
        assert done.returncode == int(standing), (words, done.stderr[-3000:])

    # The other ways to log in, refused by Snowflake; AWS's refused; nobody answers.
    no_key = {"SNOWFLAKE_PRIVATE_KEY_FILE": "", "SNOWFLAKE_PRIVATE_KEY_FILE_PWD": ""}
    password = {**no_key, "SNOWFLAKE_PASSWORD": SECRETS["snowflake password"]}
    token = {
        **no_key,
        "SNOWFLAKE_AUTHENTICATOR": "oauth",
        "SNOWFLAKE_TOKEN": SECRETS["snowflake token"],
    }
    _land(planted, [3.0])
    refused = [
        ("snowflake:login-request", "run", password),
        ("snowflake:login-request", "status --json", token),
        ("s3:*", "run order/lines", password),
        ("glue:*", "read order/lines --as order", token),
    ]
    for service, words, login in refused:
        plan = NthRequest(Kind.EXPIRED, 1, service, times=10**9)
        with proxy.following(plan):
            assert planted.mesh(*words.split(), **login).returncode == 1
        assert plan.reached
    # AWS answers with the request that it would have signed, the token in it.
    with wrong_signatures() as server:
        done = planted.mesh("run", "order/lines", AWS_ENDPOINT_URL_GLUE=server.url)
        assert done.returncode == 1 and "InvalidSignatureException" in done.stderr + done.stdout
    assert server.asked
    wrong = planted.variables["MESH_DATABASE_URL"].replace("?host=", "?host=/nowhere")
    done = planted.mesh("run", MESH_DATABASE_URL=wrong)
    assert done.returncode == 1 and "does not answer" in done.stderr

    done = planted.mesh("run", "--json", **token)
    assert done.returncode == 0, done.stderr[-6000:]
    logins: list[dict[str, str]] = [{}, password, token]
    for login in logins:
        done = planted.python(_REPRS, **login)
        assert done.returncode == 0, done.stderr[-3000:]
    planted.must_have_left_nothing()
