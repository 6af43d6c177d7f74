"""The proxy itself: each fault is what the real clients take it for, and is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import snowflake.connector
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from shared_resources.production.aws_answers import refuse_short_answers
from tests.faults.kinds import Kind
from tests.faults.plans import AtRandom, NthRequest
from tests.faults.proxy import HOLDING_SECONDS, Proxy
from tests.faults.requests import Request, Service
from tests.stand_ins import StandIns
from tests.stand_ins.servers import CREDENTIALS, environment

BODY = bytes(range(256)) * 64


@pytest.fixture
def bucket(stand_ins: StandIns, proxy: Proxy) -> Iterator[str]:
    variables = stand_ins.fresh()
    with environment(CREDENTIALS | proxy.endpoints):
        yield variables["MESH_LAKE"].removeprefix("s3://").partition("/")[0]


def client(service: str, attempts: int = 1, patience: float = 60) -> Any:
    """A client that waits *patience* seconds: only one whose answer is held back may be short."""
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    return boto3.client(service, config=Config(retries=retries, read_timeout=patience))  # type: ignore[call-overload]


def code(refused: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    said = refused.value.response
    return said["Error"]["Code"], said["ResponseMetadata"]["HTTPStatusCode"]


def test_without_a_plan_everything_passes_unchanged(proxy: Proxy, bucket: str) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="a/b", Body=BODY)
    read = s3.get_object(Bucket=bucket, Key="a/b")
    assert read["Body"].read() == BODY
    assert s3.head_object(Bucket=bucket, Key="a/b")["ContentLength"] == len(BODY)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    s3.delete_object(Bucket=bucket, Key="a/b")
    assert not proxy.injected
    assert proxy.requests == [
        "s3:PutObject",
        "s3:GetObject",
        "s3:HeadObject",
        "s3:ListObjectsV2",
        "s3:DeleteObject",
    ]


def test_a_multipart_upload_passes_part_by_part(proxy: Proxy, bucket: str) -> None:
    s3 = client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    where = {"Bucket": bucket, "Key": "big", "UploadId": upload}
    tag = s3.upload_part(PartNumber=1, Body=BODY, **where)["ETag"]
    s3.complete_multipart_upload(
        MultipartUpload={"Parts": [{"ETag": tag, "PartNumber": 1}]}, **where
    )
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == BODY
    assert proxy.requests[:3] == [
        "s3:CreateMultipartUpload",
        "s3:UploadPart",
        "s3:CompleteMultipartUpload",
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.INTERNAL_ERROR, ("InternalError", 500)),
        (Kind.SLOW_DOWN, ("SlowDown", 503)),
        (Kind.EXPIRED, ("ExpiredToken", 400)),
    ],
)
def test_s3_refuses_in_its_own_words(
    proxy: Proxy, bucket: str, kind: Kind, expected: tuple[str, int]
) -> None:
    with proxy.following(NthRequest(kind, 1)), pytest.raises(ClientError) as refused:
        client("s3").put_object(Bucket=bucket, Key="k", Body=BODY)
    assert code(refused) == expected
    assert "Contents" not in client("s3").list_objects_v2(Bucket=bucket)
    assert [(i.kind, i.operation) for i in proxy.injected] == [(kind, "s3:PutObject")]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.INTERNAL_ERROR, ("InternalServiceException", 500)),
        (Kind.SLOW_DOWN, ("ThrottlingException", 400)),
        (Kind.EXPIRED, ("ExpiredTokenException", 400)),
    ],
)
def test_glue_refuses_in_its_own_words(
    proxy: Proxy, bucket: str, kind: Kind, expected: tuple[str, int]
) -> None:
    plan = NthRequest(kind, 1, "glue:*")
    with proxy.following(plan), pytest.raises(ClientError) as refused:
        client("glue").create_database(DatabaseInput={"Name": bucket})
    assert code(refused) == expected
    client("glue").create_database(DatabaseInput={"Name": bucket})  # nothing was made before


def test_sqs_refuses_in_its_own_words(proxy: Proxy, bucket: str) -> None:
    with proxy.following(NthRequest(Kind.SLOW_DOWN, 1)), pytest.raises(ClientError) as refused:
        client("sqs").create_queue(QueueName=bucket)
    assert code(refused) == ("ServiceUnavailable", 503)
    assert proxy.requests == ["sqs:CreateQueue"]


@pytest.mark.parametrize("kind", [Kind.CUT_BEFORE, Kind.CUT_UPLOAD])
def test_a_connection_cut_before_the_server_saw_the_request_changes_nothing(
    proxy: Proxy, bucket: str, kind: Kind
) -> None:
    with proxy.following(NthRequest(kind, 1)), pytest.raises(HTTPClientError):
        client("s3").put_object(Bucket=bucket, Key="k", Body=BODY * 64)
    assert "Contents" not in client("s3").list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize(
    ("kind", "error"),
    [(Kind.CUT_AFTER, ConnectionClosedError), (Kind.HELD_BACK, ReadTimeoutError)],
)
def test_a_lost_answer_leaves_the_work_done(
    proxy: Proxy, bucket: str, kind: Kind, error: type[Exception]
) -> None:
    impatient = client("s3", patience=HOLDING_SECONDS / 3)
    with proxy.following(NthRequest(kind, 1)), pytest.raises(error):
        impatient.put_object(Bucket=bucket, Key="k", Body=BODY)
    assert client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == BODY


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Kind.CUT_ANSWER, ResponseStreamingError),
        (Kind.SHORT_ANSWER, (IncompleteReadError, ResponseStreamingError)),
        (Kind.TRUNCATED_ANSWER, FlexibleChecksumError),
        (Kind.FLIPPED_ANSWER, FlexibleChecksumError),
    ],
)
def test_a_spoiled_body_is_told_from_a_whole_one(
    proxy: Proxy, bucket: str, kind: Kind, error: Any
) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, ChecksumAlgorithm="CRC32")
    with proxy.following(NthRequest(kind, 1, "s3:GetObject")), pytest.raises(error):
        s3.get_object(Bucket=bucket, Key="k")["Body"].read()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY


def test_half_an_answer_of_glue_is_asked_for_again(proxy: Proxy, bucket: str) -> None:
    """botocore alone takes it for the description of a table without a name."""
    glue = client("glue", attempts=3)
    glue.create_database(DatabaseInput={"Name": bucket})
    plan = NthRequest(Kind.SHORT_ANSWER, 1, "glue:GetDatabase")
    with proxy.following(plan):
        assert "Database" not in glue.get_database(Name=bucket)
    refuse_short_answers(glue)
    with proxy.following(NthRequest(Kind.SHORT_ANSWER, 1, "glue:GetDatabase", times=2)):
        assert glue.get_database(Name=bucket)["Database"]["Name"] == bucket
    with (
        proxy.following(NthRequest(Kind.SHORT_ANSWER, 1, "glue:GetDatabase", times=9)),
        pytest.raises(ClientError, match="ShortAnswer"),
    ):
        glue.get_database(Name=bucket)


def test_an_upload_that_was_altered_on_the_way_is_refused(proxy: Proxy, bucket: str) -> None:
    plan = NthRequest(Kind.FLIPPED_UPLOAD, 1)
    with proxy.following(plan), pytest.raises(ClientError) as refused:
        client("s3").put_object(Bucket=bucket, Key="k", Body=BODY)
    assert code(refused) == ("BadDigest", 400)
    assert "Contents" not in client("s3").list_objects_v2(Bucket=bucket)


def test_a_client_that_retries_gets_through(proxy: Proxy, bucket: str) -> None:
    with proxy.following(NthRequest(Kind.SLOW_DOWN, 1, times=2)):
        client("s3", attempts=4).put_object(Bucket=bucket, Key="k", Body=BODY)
    assert proxy.requests == ["s3:PutObject"] * 3
    assert len(proxy.injected) == 2


def request(operation: str = "GetObject") -> Request:
    headers = {"x-amz-target": f"AWSGlue.{operation}"}
    return Request(Service.GLUE, "POST", "/", headers, b"{}")


def test_the_same_seed_makes_the_same_faults() -> None:
    def choices(seed: int) -> list[Kind | None]:
        plan = AtRandom(seed, 0.1)
        return [plan.choose(request()) for _ in range(500)]

    assert choices(1) == choices(1)
    assert choices(1) != choices(2)
    assert 25 <= sum(kind is not None for kind in choices(1)) <= 250


# ---------------------------------------------------------------- Snowflake


@pytest.fixture
def warehouse(stand_ins: StandIns, proxy: Proxy) -> Iterator[dict[str, Any]]:
    """What to connect with, through the proxy, to a schema of its own."""
    name = stand_ins.fresh()["SNOWFLAKE_DATABASE"]
    yield {
        "account": "standin",
        "user": "mesh",
        "password": "stand-in-password",
        "host": "127.0.0.1",
        "port": proxy.snowflake_port,
        "protocol": "http",
        "database": name,
        "schema": "PUBLIC",
        "network_timeout": 120,
        "login_timeout": 60,
        "socket_timeout": 60,
    }


def rows(connection: Any, table: str) -> list[tuple[Any, ...]]:
    return list(connection.cursor().execute(f"SELECT * FROM {table} ORDER BY 1").fetchall())


def test_uploads_to_stages_go_through_the_proxy(
    proxy: Proxy, warehouse: dict[str, Any], tmp_path: Any
) -> None:
    (tmp_path / "rows.csv").write_text("1\n2\n")
    with snowflake.connector.connect(**warehouse) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE t (a INT)")
        cursor.execute("CREATE STAGE s")
        with proxy.following(NthRequest(Kind.SLOW_DOWN, 1, "snowflake:upload")):
            cursor.execute(f"PUT file://{tmp_path}/rows.csv @s")
        cursor.execute("COPY INTO t FROM @s FILE_FORMAT = (TYPE = CSV)")
        assert rows(connection, "t") == [(1,), (2,)]
    assert proxy.requests.count("snowflake:upload") == 2
    assert {"snowflake:CREATE TABLE", "snowflake:PUT", "snowflake:COPY"} <= set(proxy.requests)


@pytest.mark.parametrize("kind", [Kind.CUT_ANSWER, Kind.SHORT_ANSWER])
def test_the_connector_does_not_try_again_after_half_an_answer(
    proxy: Proxy, warehouse: dict[str, Any], kind: Kind
) -> None:
    """And what it raises is none of its own errors: a store has to know that."""
    with snowflake.connector.connect(**warehouse) as connection:
        connection.cursor().execute("CREATE TABLE t (a INT)")
        with proxy.following(NthRequest(kind, 1, "snowflake:INSERT")), pytest.raises(OSError):
            connection.cursor().execute("INSERT INTO t VALUES (1)")
        assert rows(connection, "t") == [(1,)]


@pytest.mark.parametrize("kind", [Kind.CUT_AFTER, Kind.HELD_BACK])
def test_a_statement_that_is_sent_again_is_executed_once(
    proxy: Proxy, warehouse: dict[str, Any], kind: Kind
) -> None:
    impatient = warehouse | {"socket_timeout": HOLDING_SECONDS / 3}
    with snowflake.connector.connect(**impatient) as connection:
        connection.cursor().execute("CREATE TABLE t (a INT)")
        with proxy.following(NthRequest(kind, 1, "snowflake:INSERT")):
            connection.cursor().execute("INSERT INTO t VALUES (1)")
        assert rows(connection, "t") == [(1,)]
    assert proxy.requests.count("snowflake:INSERT") == 2


@pytest.mark.parametrize("kind", [Kind.INTERNAL_ERROR, Kind.SLOW_DOWN, Kind.CUT_BEFORE])
def test_the_connector_retries_what_snowflake_did_not_do(
    proxy: Proxy, warehouse: dict[str, Any], kind: Kind
) -> None:
    with snowflake.connector.connect(**warehouse) as connection:
        connection.cursor().execute("CREATE TABLE t (a INT)")
        with proxy.following(NthRequest(kind, 1, "snowflake:INSERT")):
            connection.cursor().execute("INSERT INTO t VALUES (1)")
        assert rows(connection, "t") == [(1,)]


def test_an_expired_session_stays_expired_and_a_new_one_works(
    proxy: Proxy, warehouse: dict[str, Any]
) -> None:
    with snowflake.connector.connect(**warehouse) as connection:
        connection.cursor().execute("CREATE TABLE t (a INT)")
        with (
            proxy.following(NthRequest(Kind.EXPIRED, 1, "snowflake:INSERT")),
            pytest.raises(snowflake.connector.errors.Error, match="390114"),
        ):
            connection.cursor().execute("INSERT INTO t VALUES (1)")
        with pytest.raises(snowflake.connector.errors.Error, match="390114"):
            rows(connection, "t")
    with snowflake.connector.connect(**warehouse) as connection:
        assert rows(connection, "t") == []


def test_what_a_vanished_client_left_open_is_rolled_back(
    proxy: Proxy, warehouse: dict[str, Any]
) -> None:
    vanished = snowflake.connector.connect(**warehouse)
    vanished.cursor().execute("CREATE TABLE t (a INT)")
    vanished.cursor().execute("INSERT INTO t VALUES (1)")
    vanished.cursor().execute("BEGIN")
    vanished.cursor().execute("UPDATE t SET a = 2")
    proxy.end_sessions()
    with snowflake.connector.connect(**warehouse) as connection:
        connection.cursor().execute("UPDATE t SET a = a + 10")
        assert rows(connection, "t") == [(11,)]
