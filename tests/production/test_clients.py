"""The clients of production: patient, encrypted, and without a secret in what they show."""

from __future__ import annotations

import contextlib
import json
import logging
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import dagster as dg
import pytest
from botocore.exceptions import ClientError
from snowflake.connector import SnowflakeConnection

from shared_resources.production.patience import CONNECTIONS, RUN, TICK
from shared_resources.production.snowflake_resource import resource_of
from shared_resources.production.wire_logs import keep_wire_logs_off
from shared_resources.wiring import ProductionEnvironment
from tests.stand_ins.servers import environment


def test_every_client_of_aws_waits_and_tries_again(production: ProductionEnvironment) -> None:
    settings = production.settings
    clients = (
        (settings.s3(), RUN),
        (settings.glue(), RUN),
        (settings.s3(TICK), TICK),
        (settings.sqs(), TICK),
    )
    for client, patience in clients:
        config = client.meta.config
        assert config.retries["mode"] == "standard"  # botocore's waits have jitter
        assert config.retries["total_max_attempts"] == patience.attempts
        assert (config.connect_timeout, config.read_timeout) == (patience.connect, patience.read)
        assert config.max_pool_connections == CONNECTIONS
        assert client.meta.region_name == settings.region


def test_its_region_is_aws_region_where_boto3_would_not_look(
    production: ProductionEnvironment,
) -> None:
    with environment({"AWS_DEFAULT_REGION": "", "AWS_REGION": "eu-west-3"}):
        from shared_resources.wiring import current

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
    resource = resource_of(production.settings.snowflake)
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


# -- what is said of a wrong signature ----------------------------------------------------------------

TOKEN, KEY_ID = "IQoJb3JpZ2luplanted/session+token==", "ASIAPLANTEDKEY"


class _WrongSignature(BaseHTTPRequestHandler):
    """AWS's answer to a wrong signature: with the whole request that it would have signed."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = "".join(f"{name.lower()}:{value}\n" for name, value in self.headers.items())
        canonical = f"{self.command}\n{self.path}\n\n{headers}"
        message = (
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method.\n\nThe Canonical String for this request "
            f"should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n'AWS4...'"
        )
        code, of_bytes = "SignatureDoesNotMatch", canonical.encode().hex(" ")
        authorization = self.headers.get("Authorization", "")
        key = authorization.partition("Credential=")[2].partition("/")[0]
        fields = (
            f"<Code>{code}</Code><Message>{{}}</Message><AWSAccessKeyId>{key}</AWSAccessKeyId>"
            f"<CanonicalRequest>{escape(canonical)}</CanonicalRequest><CanonicalRequestBytes>"
            f"{of_bytes}</CanonicalRequestBytes><Token-0>"
            f"{self.headers.get('X-Amz-Security-Token')}</Token-0>"
        )
        if self.headers.get("X-Amz-Target"):  # Glue and SQS
            answer = json.dumps({"__type": "InvalidSignatureException", "message": message})
        elif body.startswith(b"Action="):  # STS
            error = f"<Error><Type>Sender</Type>{fields.format(escape(message))}</Error>"
            answer = f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"
        else:  # S3; a message that names what it refuses
            said = f"{authorization} {self.headers.get('X-Amz-Security-Token')} is not valid"
            answer = f"<Error>{fields.format(escape(said))}</Error>"
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response_only(403)
        self.send_header("Content-Length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    do_GET = do_PUT = do_DELETE = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Refusing(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def wrong_signatures() -> Iterator[_Refusing]:
    """A server to which every signature is wrong, as long as the block lasts."""
    with _Refusing(("127.0.0.1", 0), _WrongSignature) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


_CALLS: dict[str, Callable[[ProductionEnvironment], object]] = {
    "s3": lambda here: here.settings.s3().list_buckets(),
    "s3 of dagster-aws": lambda here: here.settings.s3_resource().get_client().list_buckets(),
    "glue": lambda here: here.settings.glue().get_databases(),
    "sqs": lambda here: here.settings.sqs().list_queues(),
}


@pytest.mark.parametrize("role", [False, True], ids=["its own credentials", "a role to assume"])
@pytest.mark.parametrize("service", _CALLS)
def test_an_error_of_aws_repeats_neither_token_nor_key(
    production: ProductionEnvironment, service: str, role: bool, tmp_path: Path
) -> None:
    """A role is asked for by a client that botocore makes itself."""
    credentials = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SESSION_TOKEN": TOKEN}
    profile = (
        f"[profile base]\naws_access_key_id={KEY_ID}\naws_secret_access_key=x\n"
        f"aws_session_token={TOKEN}\n[profile role]\nrole_arn=arn:aws:iam::123456789012:role/r\n"
        "source_profile=base\n"
    )
    (tmp_path / "config").write_text(profile)
    if role:
        credentials = {
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_PROFILE": "role",
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
        }
    with wrong_signatures() as server:
        variables = {"AWS_ENDPOINT_URL": server.url, **credentials}
        with environment(variables), pytest.raises(ClientError) as raised:
            _CALLS[service](production)
    assert len(server.asked) == 1
    error = raised.value
    shown = [str(error), repr(error), repr(error.response), repr(pickle.loads(pickle.dumps(error)))]
    for secret in (TOKEN, KEY_ID, TOKEN.encode().hex(" ")):
        assert secret not in "".join(shown)
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert (error.operation_name == "AssumeRole") is role
    assert "signature you provided" in str(error) or "is not valid" in str(error)


# -- what is logged -----------------------------------------------------------------------------------


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """No level is set, but the root's; afterwards they are what they were."""
    names = (None, "boto3", "botocore", "s3transfer", "snowflake.connector", "urllib3")
    for logger in map(logging.getLogger, names):
        monkeypatch.setattr(logger, "level", logger.level)
        logger.setLevel(logging.NOTSET if logger.name != "root" else logging.WARNING)


def test_who_logs_everything_gets_no_requests_unless_they_are_named(levels: None) -> None:
    logging.getLogger("snowflake.connector").setLevel(logging.DEBUG)
    logging.getLogger().setLevel(logging.DEBUG)
    keep_wire_logs_off()
    assert not logging.getLogger("botocore.auth").isEnabledFor(logging.DEBUG)
    assert logging.getLogger("botocore.auth").isEnabledFor(logging.INFO)
    assert logging.getLogger("snowflake.connector.network").isEnabledFor(logging.DEBUG)


def test_who_logs_everything_later_gets_no_requests_either(levels: None) -> None:
    keep_wire_logs_off()
    assert not logging.getLogger("botocore.credentials").isEnabledFor(logging.INFO), "as before"
    logging.getLogger().setLevel(logging.DEBUG)
    for name in ("boto3", "botocore.auth", "s3transfer", "snowflake.connector.network", "urllib3"):
        assert not logging.getLogger(name).isEnabledFor(logging.DEBUG), name


@pytest.mark.parametrize("first", [True, False], ids=["DEBUG first", "the client first"])
def test_a_request_that_is_signed_is_not_logged(
    production: ProductionEnvironment, levels: None, caplog: pytest.LogCaptureFixture, first: bool
) -> None:
    if first:
        logging.getLogger().setLevel(logging.DEBUG)
    with wrong_signatures() as server:
        variables = {"AWS_ENDPOINT_URL": server.url, "AWS_SESSION_TOKEN": TOKEN}
        with environment(variables):
            client = production.settings.glue()
            logging.getLogger().setLevel(logging.DEBUG)
            logging.getLogger("mesh").debug("everything is logged")
            with pytest.raises(ClientError):
                client.get_databases()
    assert "everything is logged" in caplog.text
    assert TOKEN not in caplog.text


def test_the_embedded_mesh_imports_none_of_them() -> None:
    code = (
        "import sys; from shared_resources.wiring import current; e = current();"
        "e.state, e.pins, e.quarantine, e.landing_zone;"
        "clients = {'boto3', 'snowflake.connector', 'shared_resources.production.settings'};"
        "print(clients & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
