"""The settings of production: one message with all that is wrong, found without the network."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from shared_resources.environment import EnvironmentProblem
from shared_resources.production import aws_settings
from shared_resources.production.checks import KNOWN, read_settings
from shared_resources.production.settings import S3Location
from shared_resources.wiring import LocalEnvironment, ProductionEnvironment, current
from tests.architecture.tree import ROOT, modules
from tests.distributions import install
from tests.stand_ins.servers import environment

PASSWORD = "planted-password"
GOOD = {
    "MESH_ENV": "production",
    "MESH_LAKE": "s3://acme-mesh/lake",
    "MESH_LANDING": "s3://acme-mesh/landing/",
    "MESH_QUARANTINE": "s3://acme-mesh-quarantine",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIAPLANTED",
    "AWS_SECRET_ACCESS_KEY": "planted-secret",
    "AWS_CONFIG_FILE": "/nonexistent/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
    "SNOWFLAKE_HOME": "/nonexistent",
    "SNOWFLAKE_ACCOUNT": "acme-main",
    "SNOWFLAKE_USER": "mesh",
    "SNOWFLAKE_PASSWORD": PASSWORD,
    "SNOWFLAKE_WAREHOUSE": "mesh",
    "SNOWFLAKE_DATABASE": "Mesh",
}
# None: the variable is not set.
Changes = Mapping[str, str | None]


def changed(changes: Changes) -> dict[str, str]:
    merged: dict[str, str | None] = {**GOOD, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def problems(changes: Changes) -> list[str]:
    with pytest.raises(EnvironmentProblem) as raised:
        read_settings(changed(changes))
    first, *lines = str(raised.value).splitlines()
    assert first.startswith("MESH_ENV=production cannot be used as it is set up")
    for secret in ("planted", "geheim"):
        assert secret not in str(raised.value).lower()
    return [line.strip() for line in lines]


def without(*names: str) -> dict[str, str | None]:
    return dict.fromkeys(names)


NO_PASSWORD = without("SNOWFLAKE_PASSWORD")


def test_good_settings_are_read() -> None:
    settings = read_settings(GOOD)
    assert settings.lake == S3Location("acme-mesh", "lake")
    assert settings.landing.url("a", "b") == "s3://acme-mesh/landing/a/b"
    assert settings.quarantine.key("x") == "x"
    assert settings.quarantine.url() == "s3://acme-mesh-quarantine"
    assert settings.region == "eu-central-1"
    assert (settings.snowflake.database, settings.snowflake.warehouse) == ("MESH", "MESH")
    assert settings.landing_queue is None and settings.database_url is None
    assert settings.encryption() == {"ServerSideEncryption": "AES256"}
    assert "planted" not in repr(settings).lower() + repr(settings.snowflake.parameters())


def test_nothing_set_is_one_message_with_everything() -> None:
    found = problems(without(*(name for name in GOOD if name != "MESH_ENV" and "HOME" not in name)))
    named = [line.split()[0] for line in found]
    assert named == [
        "MESH_LAKE",
        "MESH_LANDING",
        "MESH_QUARANTINE",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "SNOWFLAKE_ACCOUNT",
        "SNOWFLAKE_USER",
        "SNOWFLAKE_DATABASE",
        "SNOWFLAKE_WAREHOUSE",
        "SNOWFLAKE_PRIVATE_KEY_FILE",
    ]
    assert all("; set" in line for line in found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"MESH_LAKE": ""}, "MESH_LAKE is not set; set it to s3://bucket/prefix"),
        ({"MESH_LAKE": "acme/lake"}, "MESH_LAKE='acme/lake' is no s3:// address"),
        ({"MESH_LAKE": "s3://Acme/lake"}, "names no bucket that there can be ('Acme')"),
        ({"MESH_LAKE": "s3://10.0.0.1/lake"}, "names no bucket"),
        ({"MESH_LAKE": "s3://a..b/lake"}, "names no bucket"),
        ({"MESH_LAKE": "s3://ab/lake"}, "names no bucket"),
        ({"MESH_LAKE": "s3://acme/a//b"}, "has a prefix that not every reader can handle (at '')"),
        ({"MESH_LAKE": "s3://acme/../b"}, "(at '..')"),
        ({"MESH_LAKE": "s3://acme/a?b"}, "(at 'a?b')"),
        ({"MESH_LANDING": "s3://acme-mesh/lake/in"}, "lies within MESH_LAKE='s3://acme-mesh/lake'"),
        ({"MESH_LANDING": "s3://acme-mesh/lake"}, "give each a prefix or a bucket of its own"),
        ({"MESH_LAKE": "s3://acme-mesh-quarantine/x"}, "MESH_LAKE='s3://acme-mesh-quarantine/x' lies"),
        ({"MESH_GLUE_PREFIX": "Dev-"}, "MESH_GLUE_PREFIX='Dev-' cannot begin a Glue database"),
        ({"MESH_KMS_KEY": "my key"}, "MESH_KMS_KEY='my key' is no KMS key"),
        (without("AWS_DEFAULT_REGION"), "AWS_DEFAULT_REGION is not set"),
        ({"AWS_DEFAULT_REGION": "Frankfurt"}, "'Frankfurt' is no region of AWS"),
        (without("AWS_SECRET_ACCESS_KEY"), "AWS_SECRET_ACCESS_KEY is not set, but its counterpart is"),
        ({"AWS_PROFILE": "none"}, "AWS_PROFILE='none' is in neither /nonexistent/config nor"),
        (
            {"AWS_ENDPOINT_URL": "https://mesh:geheim@minio:9000"},
            "AWS_ENDPOINT_URL must hold no user or password",
        ),
        ({"AWS_ENDPOINT_URL_GLUE": "http://m:geheim"}, "AWS_ENDPOINT_URL_GLUE must hold no user"),
        ({"MESH_LAKE": "s3://AKIA12:geheim@acme/x"}, "MESH_LAKE=<not shown: it may hold a secret> names"),
        ({"MESH_LAKE": "s3://AKIA12:ge/geheim@acme"}, "names no bucket that there can be (<not shown"),
        ({"MESH_LAKE": "https://mesh:geheim@acme"}, "MESH_LAKE=<not shown: it may hold a secret> is no"),
        ({"MESH_LAKE": "s3://acme/a?secret_key=geheim"}, "(at <not shown: it may hold a secret>)"),
        ({"MESH_KMS_KEY": "https://u:geheim@kms"}, "MESH_KMS_KEY=<not shown"),
        ({"MESH_GLUE_PREFIX": "u:geheim"}, "MESH_GLUE_PREFIX=<not shown"),
        ({"MESH_LANDING_EVENTS": "sqs://u:geheim@h"}, "MESH_LANDING_EVENTS=<not shown"),
        ({"MESH_AUDIT_MEMORY": "u@geheim"}, "MESH_AUDIT_MEMORY=<not shown"),
        ({"AWS_DEFAULT_REGION": "https://u:geheim@eu"}, "AWS_DEFAULT_REGION=<not shown"),
        ({"AWS_PROFILE": "u:geheim@prod"}, "AWS_PROFILE=<not shown"),
        ({"SNOWFLAKE_ACCOUNT": "https://u:geheim@acme.snowflakecomputing.com"},
         "SNOWFLAKE_ACCOUNT=<not shown: it may hold a secret> is no account identifier"),
        ({"SNOWFLAKE_ROLE": "u:geheim"}, "SNOWFLAKE_ROLE=<not shown"),
        ({"SNOWFLAKE_PORT": "u:geheim@443"}, "SNOWFLAKE_PORT=<not shown"),
        ({"SNOWFLAKE_HOST": "u:geheim@acme"}, "SNOWFLAKE_HOST must hold no user or password"),
        ({"SNOWFLAKE_AUTHENTICATOR": "https://u:geheim@okta.com"},
         "SNOWFLAKE_AUTHENTICATOR must hold no user or password"),
        ({"SNOWFLAKE_DEFAULT_CONNECTION_NAME": "u:geheim"}, "NAME=<not shown"),
        (
            {**NO_PASSWORD, "SNOWFLAKE_PRIVATE_KEY_FILE": "-----BEGIN PRIVATE KEY-----geheim"},
            "SNOWFLAKE_PRIVATE_KEY_FILE: cannot read <not shown: it may hold a secret>: No such file",
        ),
        (
            {**NO_PASSWORD, "SNOWFLAKE_AUTHENTICATOR": "oauth",
             "SNOWFLAKE_TOKEN_FILE_PATH": "eyJgeheim"},
            "SNOWFLAKE_TOKEN_FILE_PATH: cannot read <not shown: it may hold a secret>",
        ),
        ({"MESH_COPIES_BYTES": "20GB"}, "MESH_COPIES_BYTES='20GB' is no number of bytes"),
        ({"MESH_AUDIT_SQL_SECONDS": "1m"}, "MESH_AUDIT_SQL_SECONDS='1m' is no number of seconds"),
        ({"MESH_AUDIT_MEMORY": "plenty"}, "MESH_AUDIT_MEMORY='plenty' is no amount of memory"),
        ({"MESH_AUDIT_MEMORY": "-5MB"}, "MESH_AUDIT_MEMORY='-5MB' is no amount of memory"),
        ({"AWS_ENDPOINT_URL": "minio:9000"}, "AWS_ENDPOINT_URL='minio:9000' is no http(s)"),
        (without("SNOWFLAKE_USER"), "SNOWFLAKE_USER is not set"),
        (
            {"SNOWFLAKE_ACCOUNT": "acme.snowflakecomputing.com"},
            "give the part before .snowflakecomputing.com alone",
        ),
        ({"SNOWFLAKE_DATABASE": 'a"; DROP'}, "is no unquoted identifier of Snowflake"),
        ({"SNOWFLAKE_ROLE": "1st"}, "SNOWFLAKE_ROLE='1st' is no unquoted identifier"),
        ({"SNOWFLAKE_PORT": "99999"}, "SNOWFLAKE_PORT='99999' is no port"),
        ({"SNOWFLAKE_PROTOCOL": "http"}, "would send the credentials unencrypted"),
        ({"SNOWFLAKE_PROTOCOL": "ftp"}, "SNOWFLAKE_PROTOCOL='ftp' is no protocol"),
        ({"SNOWFLAKE_TOKEN": "geheim"}, "SNOWFLAKE_PASSWORD and SNOWFLAKE_TOKEN are both set"),
        ({"SNOWFLAKE_AUTHENTICATOR": "magic"}, "SNOWFLAKE_AUTHENTICATOR='magic' is not known"),
        ({"SNOWFLAKE_AUTHENTICATOR": "oauth"}, "SNOWFLAKE_AUTHENTICATOR=oauth does not use it"),
        (
            {**NO_PASSWORD, "SNOWFLAKE_AUTHENTICATOR": "SNOWFLAKE_JWT"},
            "SNOWFLAKE_AUTHENTICATOR=snowflake_jwt needs SNOWFLAKE_PRIVATE_KEY_FILE",
        ),
        (
            {**NO_PASSWORD, "SNOWFLAKE_TOKEN": "geheim"},
            "SNOWFLAKE_TOKEN is set without SNOWFLAKE_AUTHENTICATOR",
        ),
        (
            {**NO_PASSWORD, "SNOWFLAKE_AUTHENTICATOR": "oauth", "SNOWFLAKE_TOKEN_FILE_PATH": "/no"},
            "SNOWFLAKE_TOKEN_FILE_PATH: cannot read /no",
        ),
        (
            {"SNOWFLAKE_PRIVATE_KEY_FILE_PWD": "geheim"},
            "is set without SNOWFLAKE_PRIVATE_KEY_FILE",
        ),
        (
            {**NO_PASSWORD, "SNOWFLAKE_PRIVATE_KEY_FILE": "/no/key.p8"},
            "SNOWFLAKE_PRIVATE_KEY_FILE: cannot read /no/key.p8: No such file",
        ),
        ({"SNOWFLAKE_DEFAULT_CONNECTION_NAME": "prod"}, "is no connection of connections.toml"),
        ({"MESH_DATABASE_URL": "mysql://u:geheim@h/d"}, "MESH_DATABASE_URL is no postgresql://"),
        ({"MESH_DATABASE_URL": "u:geheim"}, "MESH_DATABASE_URL is no postgresql:// address"),
        ({"MESH_DATABASE_URL": "postgresql://u:geheim@h"}, "MESH_DATABASE_URL names no database"),
        ({"MESH_DATABASE_URL": "postgresql://u:geheim@h:x/d"}, "MESH_DATABASE_URL cannot be parsed"),
        ({"MESH_LANDING_EVENTS": "kafka"}, "MESH_LANDING_EVENTS='kafka' is no way"),
        ({"MESH_LANDING_EVENTS": "sqs"}, "MESH_LANDING_QUEUE is not set, but MESH_LANDING_EVENTS=sqs"),
        ({"MESH_LANDING_QUEUE": "q-{domain}-{product}"}, "is set without MESH_LANDING_EVENTS"),
        (
            {"MESH_LANDING_EVENTS": "sqs", "MESH_LANDING_QUEUE": "landing"},
            "does not name a standard queue for each product",
        ),
        (
            {"MESH_LANDING_EVENTS": "sqs", "MESH_LANDING_QUEUE": "{domain}-{product}.fifo"},
            "does not name a standard queue",
        ),
        ({"MESH_QUARANTAINE": "x"}, "MESH_QUARANTAINE is no variable of the mesh; did you mean MESH_QUA"),
        ({"MESH_COLOUR": "x"}, "MESH_COLOUR is no variable of the mesh; unset it"),
    ],
)  # fmt: skip
def test_each_problem_is_one_line_that_says_what_to_do(changes: Changes, said: str) -> None:
    found = problems(changes)
    assert len(found) == 1, found
    assert said in found[0]


def test_several_problems_are_told_together() -> None:
    found = problems(
        {"MESH_LAKE": None, "AWS_DEFAULT_REGION": None, "SNOWFLAKE_USER": None, "MESH_KMS": "x"}
    )
    assert [line.split()[0] for line in found] == [
        "MESH_LAKE", "AWS_DEFAULT_REGION", "SNOWFLAKE_USER", "MESH_KMS",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"MESH_DATABASE_URL": "postgresql://mesh:geheim@db.internal:5432/mesh?sslmode=require"},
        {"MESH_DATABASE_URL": "postgresql+psycopg2:///mesh?host=/run/postgresql"},
        {"MESH_LANDING_EVENTS": "sqs", "MESH_LANDING_QUEUE": "mesh-{domain}-{product}"},
        {"MESH_LANDING_EVENTS": "listing", "MESH_LANDING_QUEUE": "mesh-{domain}-{product}"},
        {"MESH_KMS_KEY": "arn:aws:kms:eu-central-1:123456789012:key/0a1b"},
        {"MESH_SERVICE_HOST": "10.0.0.1", "MESH_PORT_80_TCP_ADDR": "10.0.0.1"},
        {"SNOWFLAKE_PROTOCOL": "http", "SNOWFLAKE_HOST": "127.0.0.1", "SNOWFLAKE_PORT": "8080"},
        {"SNOWFLAKE_AUTHENTICATOR": "https://acme.okta.com"},
        {"SNOWFLAKE_USER": "mesh@acme.com"},
        {"MESH_LAKE": "s3://acme-mesh/team@home/key=1"},
        {"AWS_ENDPOINT_URL": "http://[::1]:9000", "AWS_ENDPOINT_URL_S3": "https://minio:9000/s3"},
        {"SNOWFLAKE_PROTOCOL": "http", "SNOWFLAKE_HOST": "::1"},
        {**NO_PASSWORD, "SNOWFLAKE_AUTHENTICATOR": "OAUTH", "SNOWFLAKE_TOKEN": "geheim"},
        {**NO_PASSWORD, "SNOWFLAKE_AUTHENTICATOR": "workload_identity"},
        {"AWS_DEFAULT_REGION": None, "AWS_REGION": "us-gov-west-1"},
    ],
)
def test_other_good_settings(changes: Changes) -> None:
    assert "geheim" not in repr(read_settings(changed(changes)))


# -- where AWS's credentials come from --------------------------------------------------------------

NO_KEYS = without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


KEY_LINES = "\naws_access_key_id = a\naws_secret_access_key = b"


def aws_files(folder: Path, config: str, credentials: str = "") -> dict[str, str | None]:
    (folder / "config").write_text(config)
    (folder / "credentials").write_text(credentials)
    return {
        **NO_KEYS,
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
    }


@pytest.mark.parametrize(
    ("config", "credentials", "profile"),
    [
        ("[default]\nregion = eu-west-1\nrole_arn = arn:x\nsource_profile = base", "", None),
        ("[profile prod]\nregion = eu-west-1\nsso_session = acme\n", "", "prod"),
        ("[default]\nregion = eu-west-1", "[default]" + KEY_LINES, None),
        ("[profile prod]\nregion = eu-west-1", "[prod]" + KEY_LINES, "prod"),
    ],
)  # fmt: skip
def test_a_profile_gives_region_and_credentials(
    tmp_path: Path, config: str, credentials: str, profile: str | None
) -> None:
    variables = {**aws_files(tmp_path, config, credentials), "AWS_PROFILE": profile}
    assert read_settings(changed(variables)).region == "eu-west-1"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[default]\nregion = eu-west-1\n", "AWS_PROFILE is not set, nor another source of credentials"),
        ("[default]\nregion = eu-west-1\naws_access_key_id = planted", "without aws_secret_access_key"),
        ("region = eu-west-1 planted", "config cannot be read as AWS's configuration"),
    ],
)  # fmt: skip
def test_a_profile_that_gives_nothing(
    tmp_path: Path, config: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_settings, "_MACHINE", tmp_path / "none")
    assert said in problems(aws_files(tmp_path, config))[0]


def test_roles_of_containers_pods_and_instances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    somewhere = {**NO_KEYS, "AWS_REGION": "eu-west-1"}
    container = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"}
    read_settings(changed({**somewhere, **container}))
    (tmp_path / "token").touch()
    pod = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_ROLE_ARN": "arn:aws:x"}
    read_settings(changed({**somewhere, **pod}))
    assert "AWS_ROLE_ARN is not set" in problems({**somewhere, **pod, "AWS_ROLE_ARN": None})[0]
    gone = {**somewhere, **pod, "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/token"}
    assert "cannot read /no/token" in problems(gone)[0]
    monkeypatch.setattr(aws_settings, "_MACHINE", tmp_path / "vendor")
    assert "nor another source" in problems(somewhere)[0]
    (tmp_path / "vendor").write_text("Amazon EC2\n")
    read_settings(changed(somewhere))
    assert "nor another" in problems({**somewhere, "AWS_EC2_METADATA_DISABLED": "true"})[0]


# -- Snowflake's key pair and profiles --------------------------------------------------------------


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key as it is, and one with the passphrase `geheim`; a public key; a text."""
    folder = tmp_path_factory.mktemp("keys")
    key = rsa.generate_private_key(65537, 2048)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked = serialization.BestAvailableEncryption(b"geheim")
    (folder / "plain.p8").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    (folder / "locked.p8").write_bytes(key.private_bytes(pem, pkcs8, locked))
    (folder / "public.pub").write_bytes(
        key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    (folder / "text").write_text("planted, but no key")
    return folder


@pytest.mark.parametrize(
    ("file", "passphrase", "said"),
    [
        ("plain.p8", None, None),
        ("locked.p8", "geheim", None),
        ("locked.p8", None, "locked.p8 is encrypted; set SNOWFLAKE_PRIVATE_KEY_FILE_PWD"),
        ("locked.p8", "wrong", "SNOWFLAKE_PRIVATE_KEY_FILE_PWD does not open"),
        ("plain.p8", "geheim", "plain.p8 is not encrypted; unset SNOWFLAKE_PRIVATE_KEY_FILE_PWD"),
        ("public.pub", None, "public.pub holds no private key in PEM"),
        ("text", None, "text holds no private key in PEM"),
        (".", None, "cannot read"),
    ],
)
def test_a_private_key_is_opened_before_it_is_needed(
    keys: Path, file: str, passphrase: str | None, said: str | None
) -> None:
    variables = {
        **NO_PASSWORD,
        "SNOWFLAKE_PRIVATE_KEY_FILE": str(keys / file),
        "SNOWFLAKE_PRIVATE_KEY_FILE_PWD": passphrase,
    }
    if said is None:
        read = read_settings(changed(variables)).snowflake
        assert read.parameters()["private_key_file"] == str(keys / file)
        assert "geheim" not in repr(read) + repr(read.parameters())
    else:
        assert said in problems(variables)[0]


PROFILE = """
[prod]
account = "acme-main"
user = "mesh"
private_key_path = "KEY"
private_key_passphrase = "geheim"
database = "mesh"
warehouse = "mesh_wh"
proxy_host = "proxy.acme"

[other]
account = "acme-other"
"""


@pytest.mark.parametrize("file", ["connections.toml", "config.toml"])
def test_a_profile_of_snowflake_with_a_variable_before_it(
    keys: Path, tmp_path: Path, file: str
) -> None:
    text = PROFILE.replace("KEY", str(keys / "locked.p8"))
    if file == "config.toml":
        text = text.replace("[prod]", "[connections.prod]").replace(
            "[other]", "[connections.other]"
        )
    (tmp_path / file).write_text(text)
    variables = {
        **without(*(name for name in GOOD if name.startswith("SNOWFLAKE_"))),
        "SNOWFLAKE_HOME": str(tmp_path),
        "SNOWFLAKE_DEFAULT_CONNECTION_NAME": "prod",
        "SNOWFLAKE_WAREHOUSE": "big",
    }
    login = read_settings(changed(variables)).snowflake
    assert (login.account, login.warehouse, login.database) == ("acme-main", "BIG", "MESH")
    parameters = login.parameters()
    assert parameters["private_key_file_pwd"] == "geheim"
    assert parameters["proxy_host"] == "proxy.acme"
    assert "geheim" not in repr(login) + str(parameters)
    both = {**variables, "SNOWFLAKE_PASSWORD": "geheim"}
    assert "SNOWFLAKE_PASSWORD and SNOWFLAKE_PRIVATE_KEY_FILE are both set" in problems(both)[0]
    absent = {**variables, "SNOWFLAKE_DEFAULT_CONNECTION_NAME": "dev"}
    assert "(other, prod); add [dev] there" in problems(absent)[0]
    (tmp_path / file).write_text("[prod]\npassword = planted\n")
    assert "is no valid TOML" in problems(variables)[0]


# -- when it is checked -------------------------------------------------------------------------------


def test_every_variable_of_the_code_is_known() -> None:
    used = {
        name
        for module in modules("shared_resources")
        for name in re.findall(r"\bMESH_[A-Z_]*[A-Z]\b", (ROOT / module).read_text("utf-8"))
    }
    assert used - KNOWN == set(), "name it in KNOWN and in docs/production.md"


@pytest.mark.parametrize("words", ["status", "check", "run", "quarantine list",
                                   "versions order/baskets", "read order/baskets"])  # fmt: skip
def test_every_command_says_it_in_one_message(words: str, tmp_path: Path) -> None:
    variables = changed({"MESH_LAKE": None, "SNOWFLAKE_ACCOUNT": None, "MESH_HOME": str(tmp_path)})
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from shared_resources.cli.main import main; main()",
            *words.split(),
        ],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert "MESH_LAKE is not set" in done.stderr and "SNOWFLAKE_ACCOUNT is not set" in done.stderr
    assert PASSWORD not in done.stderr


def test_a_location_does_not_load_with_wrong_settings(tmp_path: Path) -> None:
    variables = changed({"MESH_LAKE": None, "MESH_HOME": str(tmp_path)})
    done = _python("import domains.product.definitions", variables)
    assert done.returncode == 1
    assert "EnvironmentProblem: MESH_ENV=production cannot be used" in done.stderr
    assert "MESH_LAKE is not set" in done.stderr and PASSWORD not in done.stderr


_NO_NETWORK = """
import socket
def refuse(*args, **kwargs):
    raise AssertionError(f"a definition reached for the network: {args}")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
import domains.product.definitions
import sys
print(sorted({"boto3", "snowflake.connector", "dagster_snowflake"} & set(sys.modules)))
"""


def test_a_location_loads_without_the_network_or_its_clients(tmp_path: Path) -> None:
    done = _python(_NO_NETWORK, changed({"MESH_HOME": str(tmp_path)}))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]", "they are imported when they are needed"


_NOT_INSTALLED = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    NAMES = ("boto3", "botocore", "snowflake", "dagster_aws", "dagster_snowflake", "dagster_postgres",
             "cryptography", "dbt.adapters.snowflake")
    def find_spec(self, name, path=None, target=None):
        if name in self.NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


def test_without_the_extra_production_says_so_and_the_embedded_mesh_works(tmp_path: Path) -> None:
    home = {"MESH_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    local = _python(_NOT_INSTALLED + "import domains.product.definitions", home)
    assert local.returncode == 0, local.stderr
    key = {**NO_PASSWORD, "SNOWFLAKE_PRIVATE_KEY_FILE": __file__, "MESH_LAKE": None}
    code = "from shared_resources.wiring import current; current()"
    done = _python(_NOT_INSTALLED + code, changed({**home, **key}))
    assert (
        "the packages of production are not installed (boto3, cryptography, dagster_aws"
        in done.stderr
    )
    assert "dagster-data-mesh[production]" in done.stderr and "MESH_LAKE is not set" in done.stderr


def _python(code: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip


def test_an_unknown_environment_is_said() -> None:
    with environment({"MESH_ENV": "staging"}), pytest.raises(EnvironmentProblem, match="'staging'"):
        current()
    with environment({"MESH_ENV": "local"}):
        assert type(current()) is LocalEnvironment


OFFICES = """
from shared_resources.wiring import ProductionEnvironment, LocalEnvironment, OtherEnvironment


class Offices(LocalEnvironment):
    pass


OFFICES = OtherEnvironment("offices", lambda root, home, _: Offices(root, home))
"""


def test_an_environment_of_another_distribution_is_chosen_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = "offices = offices_environment:OFFICES"
    site = install(tmp_path / "site", "offices_environment", OFFICES, environments=point)
    monkeypatch.syspath_prepend(site)
    with environment({"MESH_ENV": "offices", "MESH_HOME": str(tmp_path)}):
        chosen = current()
    assert (type(chosen).__name__, chosen.home) == ("Offices", tmp_path)
    with (
        environment({"MESH_ENV": "staging"}),
        pytest.raises(EnvironmentProblem, match="to 'production' or to 'offices'"),
    ):
        current()


def test_an_environment_goes_to_another_process_without_what_it_has_opened() -> None:
    with environment(GOOD):
        here = current()
        opened = (here.stores, here.landing_zone, here.quarantine, here.state)
        there = pickle.loads(pickle.dumps(here))
    assert there == here and all(opened)
    assert vars(there).keys() == {"root", "home", "settings"}


def test_the_log_of_production_is_kafka_where_it_is_set_and_else_the_variable_is_named(
    tmp_path,
) -> None:
    with pytest.raises(
        EnvironmentProblem, match="KAFKA_BOOTSTRAP_SERVERS is not set; set it to the"
    ):
        _ = ProductionEnvironment(tmp_path, tmp_path / "home", read_settings(GOOD)).log
    settings = read_settings(changed({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}))
    log = ProductionEnvironment(tmp_path, tmp_path / "home", settings).log
    assert str(log) == "Kafka at 127.0.0.1:9"


def test_a_local_mesh_reads_kafka_when_it_is_told_to_and_never_by_kafkas_variables_alone(
    tmp_path,
) -> None:
    brokers = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    local = {"MESH_ENV": "local", "MESH_HOME": str(tmp_path)}
    with environment({**local, **brokers}):
        assert str(tmp_path) in str(current().log)
    with environment({**local, **brokers, "MESH_LOG": "kafka"}):
        assert str(current().log) == "Kafka at 127.0.0.1:9"
    with (
        environment({**local, "MESH_LOG": "kafka"}),
        pytest.raises(EnvironmentProblem, match="KAFKA_BOOTSTRAP_SERVERS is not set, but MESH_LOG"),
    ):
        _ = current().log
    with (
        environment({**local, "MESH_LOG": "rabbit"}),
        pytest.raises(EnvironmentProblem, match="MESH_LOG='rabbit' is no log; set it to embedded"),
    ):
        _ = current().log


def test_production_on_one_machine_may_keep_its_topics_there(tmp_path) -> None:
    given = {"MESH_LOG": "embedded", "KAFKA_BOOTSTRAP_SERVERS": "one:9092"}
    settings = read_settings(changed(given))
    assert settings.kafka is None
    log = ProductionEnvironment(tmp_path, tmp_path / "home", settings).log
    assert str(tmp_path / "home") in str(log)
    assert any("MESH_LOG='Kafka' is no log" in line for line in problems({"MESH_LOG": "Kafka"}))


def test_kafkas_variables_are_checked_with_the_others() -> None:
    told = problems({"KAFKA_BOOTSTRAP_SERVERS": "one", "MESH_LAKE": None})
    assert any("'one' is no broker" in line for line in told)
    assert any("MESH_LAKE" in line for line in told)


def test_what_kafka_needs_and_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared_resources.production.kafka.settings._installed", lambda name: False)
    given = {
        "KAFKA_BOOTSTRAP_SERVERS": "one:9098",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "AWS_MSK_IAM",
    }
    client, signer = problems(given)
    assert "pip install 'dagster-data-mesh[streams]'" in client
    assert "pip install aws-msk-iam-sasl-signer-python" in signer
