"""The clients of production: patient, encrypted, and without a secret in what they show."""

from __future__ import annotations

import logging
import subprocess
import sys

import dagster as dg
import pytest
from snowflake.connector import SnowflakeConnection

from shared_resources.environment import ProductionEnvironment
from shared_resources.production.settings import ATTEMPTS, CONNECTIONS, READ_SECONDS
from shared_resources.production.wire_logs import keep_wire_logs_off
from tests.stand_ins.servers import environment


def test_every_client_of_aws_waits_and_tries_again(production: ProductionEnvironment) -> None:
    settings = production.settings
    for client in (settings.s3(), settings.glue(), settings.sqs()):
        config = client.meta.config
        assert config.retries["mode"] == "standard"  # botocore's waits have jitter
        assert config.retries["total_max_attempts"] == ATTEMPTS
        assert (config.read_timeout, config.max_pool_connections) == (READ_SECONDS, CONNECTIONS)
        assert client.meta.region_name == settings.region


def test_its_region_is_aws_region_where_boto3_would_not_look(
    production: ProductionEnvironment,
) -> None:
    with environment({"AWS_DEFAULT_REGION": "", "AWS_REGION": "eu-west-3"}):
        from shared_resources.environment import current

        here = current()
        assert isinstance(here, ProductionEnvironment)
        assert here.settings.s3().meta.region_name == "eu-west-3"


def test_a_connection_to_snowflake_is_closed_after_an_error(
    production: ProductionEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    monkeypatch.setattr(SnowflakeConnection, "close", lambda self: closed.append(self))
    with pytest.raises(KeyError), production.settings.snowflake_connection() as connection:
        assert connection.cursor().execute("SELECT 1").fetchall() == [(1,)]
        raise KeyError
    assert closed == [connection]


@pytest.mark.slow
def test_the_resource_of_dagster_snowflake_opens_the_same(
    production: ProductionEnvironment,
) -> None:
    resource = production.settings.snowflake_resource()
    login = production.settings.snowflake
    assert login.password is not None
    assert login.password not in repr(resource) + str(resource.model_dump())
    seen = []

    @dg.op
    def ask(snowflake: dg.ResourceParam[object]) -> None:
        with snowflake.get_connection() as connection:  # type: ignore[attr-defined]
            cursor = connection.cursor()
            seen.append(cursor.execute("SELECT current_database()").fetchall())

    @dg.job(resource_defs={"snowflake": resource})
    def asking() -> None:
        ask()

    assert asking.execute_in_process().success
    assert seen == [[(login.database,)]]
    arguments = dict(resource._connection_args)
    assert arguments.pop("application")
    assert arguments == dict(login.parameters())


def test_who_logs_everything_gets_no_requests_unless_they_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    botocore, snowflake = logging.getLogger("botocore"), logging.getLogger("snowflake.connector")
    for logger in (botocore, snowflake, logging.getLogger()):
        monkeypatch.setattr(logger, "level", logger.level)
    botocore.setLevel(logging.NOTSET)
    snowflake.setLevel(logging.DEBUG)
    logging.getLogger().setLevel(logging.WARNING)
    keep_wire_logs_off()
    assert botocore.level == logging.NOTSET, "nothing was to be logged"
    logging.getLogger().setLevel(logging.DEBUG)
    keep_wire_logs_off()
    assert not logging.getLogger("botocore.auth").isEnabledFor(logging.DEBUG)
    assert logging.getLogger("snowflake.connector.network").isEnabledFor(logging.DEBUG)


def test_the_embedded_mesh_imports_none_of_them() -> None:
    code = (
        "import sys; from shared_resources.environment import current; e = current();"
        "e.state, e.pins, e.quarantine, e.landing_zone;"
        "clients = {'boto3', 'snowflake.connector', 'shared_resources.production.settings'};"
        "print(clients & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
