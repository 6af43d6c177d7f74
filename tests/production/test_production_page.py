"""docs/production.md: its policies allow what the mesh asks of AWS, and nothing that it does not.

Its JSON and its SQL are read, its table of variables is compared with the code, and a tiny mesh runs in
production with every request to AWS recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import pyarrow.parquet as pq
import pytest
import sqlglot
from sqlglot import exp

from shared_resources.branching.branches import create, drop
from shared_resources.dagster_instance import instance
from shared_resources.mesh import read_mesh
from shared_resources.production.checks import KNOWN
from shared_resources.production.snowflake_settings import VARIABLES
from shared_resources.wiring import ProductionEnvironment, current
from tests.architecture.tree import ROOT, modules
from tests.branching.shop import working_in
from tests.guarantees.orders import KEY, orders_product, orders_table
from tests.stand_ins import StandIns
from tests.stand_ins.servers import CREDENTIALS, environment
from tests.stores.test_snowflake_statements import NOT_EXECUTED_BY_THE_STAND_IN
from tests.tiny_mesh import TinyMesh

PAGE = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
ACCOUNT, REGION = "123456789012", CREDENTIALS["AWS_DEFAULT_REGION"]
LANDING, LAKE, QUARANTINE = "acme-mesh-landing", "acme-mesh-lake", "acme-mesh-quarantine"
QUEUE = "mesh-landing-order-orders"


def blocks(kind: str) -> dict[str, str]:
    """The page's blocks `<!-- kind: name -->`."""
    found = re.findall(rf"<!-- {kind}: ([\w-]+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    return dict(found)


# What a request needs: https://docs.aws.amazon.com/service-authorization/latest/reference/
# An operation that is not named here needs the action of its own name.
_ACTIONS = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
}


def action_of(service: str, operation: str) -> str:
    return _ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}")


def resources_of(action: str, asked: dict[str, Any]) -> set[str]:
    """The ARNs that a request is about."""
    if action.startswith("s3:"):
        bucket = f"arn:aws:s3:::{asked['Bucket']}"
        deleted = [entry["Key"] for entry in asked.get("Delete", {}).get("Objects", ())]
        keys = deleted or ([asked["Key"]] if "Key" in asked else [])
        return {f"{bucket}/{key}" for key in keys} or {bucket}
    if action.startswith("sqs:"):
        name = asked.get("QueueName") or asked["QueueUrl"].rsplit("/", 1)[-1]
        return {f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}
    glue = f"arn:aws:glue:{REGION}:{ACCOUNT}"
    database = asked.get("DatabaseName") or asked.get("DatabaseInput", asked).get("Name")
    table = asked.get("TableInput", {}).get("Name") or (
        asked.get("Name") if "DatabaseName" in asked else None
    )
    arns = {f"{glue}:catalog"}
    arns |= {f"{glue}:database/{database}"} if database else set()
    return arns | ({f"{glue}:table/{database}/{table}"} if table else set())


class Policy:
    def __init__(self, name: str) -> None:
        self.statements = json.loads(blocks("iam")[name])["Statement"]

    def allows(self, action: str, resource: str) -> bool:
        return any(
            statement["Effect"] == "Allow"
            and any(fnmatchcase(action, allowed) for allowed in statement["Action"])
            and any(fnmatchcase(resource, allowed) for allowed in statement["Resource"])
            for statement in self.statements
        )

    @property
    def actions(self) -> set[str]:
        return {action for statement in self.statements for action in statement["Action"]}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """Every request to AWS of this process: service, operation, parameters."""
    requests: list[tuple[str, str, dict[str, Any]]] = []
    send = botocore.client.BaseClient._make_api_call

    def record(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        requests.append((self.meta.service_model.service_name, operation, parameters))
        return send(self, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", record)
    return requests


@pytest.fixture
def as_on_the_page(
    stand_ins: StandIns, mesh: TinyMesh, tmp_path: Path
) -> Iterator[ProductionEnvironment]:
    """The page's buckets, queue and prefix, on the stand-ins."""
    names = {"MESH_LAKE": LAKE, "MESH_LANDING": LANDING, "MESH_QUARANTINE": QUARANTINE}
    variables = {
        **stand_ins.fresh(),
        **{name: f"s3://{bucket}" for name, bucket in names.items()},
        "MESH_GLUE_PREFIX": "mesh_",
        "MESH_LANDING_EVENTS": "sqs",
        "MESH_LANDING_QUEUE": "mesh-landing-{domain}-{product}",
        "MESH_HOME": str(tmp_path / "production"),
    }
    with environment(variables):
        made = current()
        assert isinstance(made, ProductionEnvironment)
        for bucket in names.values():
            made.settings.s3().create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        made.settings.sqs().create_queue(QueueName=QUEUE)
        yield made
        for bucket in names.values():
            everything = boto3.resource("s3", REGION, endpoint_url=stand_ins.aws_url)
            everything.Bucket(bucket).objects.delete()
            everything.Bucket(bucket).delete()


@pytest.mark.slow
def test_the_mesh_is_allowed_what_it_asks_and_no_more(
    as_on_the_page: ProductionEnvironment,
    mesh: TinyMesh,
    tmp_path: Path,
    asked: list[tuple[str, str, dict[str, Any]]],
) -> None:
    here = TinyMesh(as_on_the_page, mesh.instance)
    orders_product(here)
    for amounts in ([1.0, 2.0], [3.0], [4.0, -1.0]):
        _land(as_on_the_page, tmp_path, amounts)
        done = here.run(KEY)
        assert done.success is (min(amounts) > 0)
    assert len(here.versions(KEY)) == 2
    assert here.rows(KEY, 1) and len(as_on_the_page.quarantine.list()) == 1
    _keep_house(as_on_the_page)
    _hear(as_on_the_page)
    _work_in_a_branch(here, tmp_path)

    policy = Policy("mesh")
    needed = set()
    for service, operation, parameters in asked:
        if (service, operation) == ("s3", "PutObject") and parameters["Bucket"] == LANDING:
            continue  # the source system's, see below
        action = action_of(service, operation)
        needed.add(action)
        for resource in resources_of(action, parameters):
            assert policy.allows(action, resource), f"{action} on {resource} is not allowed"
    named = {action for action in policy.actions if not action.startswith("kms:")}
    needed |= {action_of(*each) for each in in_the_code()} - (Policy("erasing").actions - named)
    assert named == needed, "the policy's actions are those that are needed"


def test_who_erases_is_allowed_what_that_asks_and_no_more(
    as_on_the_page: ProductionEnvironment,
    tmp_path: Path,
    asked: list[tuple[str, str, dict[str, Any]]],
) -> None:
    zone, s3 = as_on_the_page.landing_zone, boto3.client("s3")
    status = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=LANDING, VersioningConfiguration=status)
    file = tmp_path / "rows.csv"
    for rows in ("a,1\nb,2\n", "a,1\nb,2\nc,3\n"):
        file.write_text(rows)
        zone.put("order/orders/rows.csv", file)
    landed = zone.head("order/orders/rows.csv")
    assert landed is not None
    del asked[:]
    file.write_text("a,1\n")
    assert zone.replace(landed, file) is not None
    mesh, erasing, needed = Policy("mesh"), Policy("erasing"), set()
    for service, operation, parameters in asked:
        action = action_of(service, operation)
        action += "Version" if action == "s3:DeleteObject" and "VersionId" in parameters else ""
        for resource in resources_of(action, parameters):
            if not mesh.allows(action, resource):
                assert erasing.allows(action, resource), f"{action} on {resource} is not allowed"
                needed.add(action)
    (left,) = s3.list_object_versions(Bucket=LANDING)["Versions"]
    s3.delete_object(Bucket=LANDING, Key=left["Key"], VersionId=left["VersionId"])
    # What a large upload that fails asks for, too.
    assert erasing.actions - {"s3:AbortMultipartUpload"} == needed


def test_the_mesh_deletes_tables_of_branches_and_no_other() -> None:
    glue, mesh = f"arn:aws:glue:{REGION}:{ACCOUNT}", Policy("mesh")
    for action, kind, name in (
        ("glue:DeleteTable", "table", "/orders"),
        ("glue:DeleteDatabase", "database", ""),
    ):
        assert mesh.allows(action, f"{glue}:{kind}/mesh_order__branch_try_out{name}")
        assert not mesh.allows(action, f"{glue}:{kind}/mesh_order{name}")


def test_the_mesh_counts_dead_letters_and_takes_none_away() -> None:
    """They are a person's to look at."""
    (told,) = (text for text in blocks("json").values() if "deadLetterTargetArn" in text)
    arn, mesh = json.loads(told)["deadLetterTargetArn"], Policy("mesh")
    for operation in ("GetQueueUrl", "GetQueueAttributes"):
        assert mesh.allows(f"sqs:{operation}", arn)
    for operation in ("ReceiveMessage", "DeleteMessage"):
        assert not mesh.allows(f"sqs:{operation}", arn)


def _land(production: ProductionEnvironment, tmp_path: Path, amounts: list[float | None]) -> None:
    file = tmp_path / "extract.parquet"
    pq.write_table(orders_table(amounts), file)
    source = Policy("source")
    assert source.allows("s3:PutObject", f"arn:aws:s3:::{LANDING}/order/transactions/x.parquet")
    assert not source.allows("s3:PutObject", f"arn:aws:s3:::{LANDING}/{KEY}/x.parquet")
    place = production.settings.landing
    production.settings.s3().put_object(
        Bucket=place.bucket, Key=place.key(KEY, "extract.parquet"), Body=file.read_bytes()
    )


def _keep_house(production: ProductionEnvironment) -> None:
    """What the scheduled jobs do."""
    (product,) = read_mesh(production.root).products
    for store in production.stores_of(product.contract):
        store.compact(product.contract)
        store.expire(product.contract, datetime.now(UTC) - timedelta(days=1))
        store.remove_orphans(KEY, timedelta(0))
    production.quarantine.expire(KEY, datetime.now(UTC))


def _work_in_a_branch(mesh: TinyMesh, tmp_path: Path) -> None:
    """A branch that has a version of its own, and is dropped."""
    production = mesh.environment
    assert isinstance(production, ProductionEnvironment)
    create(production, "try-out", "a test")
    _land(production, tmp_path, [5.0])
    with working_in(mesh, "try-out") as inside:
        assert inside.run(KEY).success
    assert drop(production, "try-out", [KEY]) == (KEY,)


def _hear(production: ProductionEnvironment) -> None:
    """What the sensor asks of the queue."""
    sqs = production.settings.sqs()
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])


def in_the_code() -> set[tuple[str, str]]:
    """The operations of S3, Glue and SQS that the code names, whether or not a test reaches them."""
    methods = {
        method: (service, operation)
        for service in ("glue", "s3", "sqs")
        for method, operation in boto3.client(
            service, REGION, aws_access_key_id="a", aws_secret_access_key="b"
        ).meta.method_to_api_mapping.items()
    }
    found = set()
    for module in modules("shared_resources"):
        text = (ROOT / module).read_text("utf-8")
        if "Client" not in text and "boto" not in text:
            continue
        for method, each in methods.items():
            if re.search(rf"(client|glue|sqs|s3)\.{method}\(|paginator\(\"{method}\"", text):
                found.add(each)
    return found


@pytest.mark.parametrize("kind", ["json", "iam"])
def test_its_json_is_json_and_names_what_the_page_names(kind: str) -> None:
    assert blocks(kind)
    for text in blocks(kind).values():
        json.loads(text)
        for bucket in re.findall(r"arn:aws:s3:::([\w-]+)", text):
            assert bucket in (LAKE, LANDING, QUARANTINE)


def test_readers_see_no_rejected_row_and_change_nothing() -> None:
    reader = Policy("reader")
    assert not any(re.search(r":(Put|Delete|Create|Update)", action) for action in reader.actions)
    assert reader.allows("s3:GetObject", f"arn:aws:s3:::{LAKE}/order/orders/data/x.parquet")
    for bucket in (LANDING, QUARANTINE):
        assert not reader.allows("s3:GetObject", f"arn:aws:s3:::{bucket}/x")


# sqlglot's Snowflake dialect takes these as text; the page says so.
_UNKNOWN_TO_SQLGLOT = (
    "CREATE ROLE",
    "CREATE WAREHOUSE",
    "CREATE USER",
    "CREATE EXTERNAL VOLUME",
    "CREATE CATALOG INTEGRATION",
    "GRANT ROLE",
    "GRANT DATABASE ROLE",
    "GRANT OWNERSHIP ON SCHEMA",
    "GRANT SELECT ON FUTURE",
)


def test_its_sql_is_snowflakes() -> None:
    assert blocks("sql").keys() == {"setup", "agreements", "user", "lake"}
    for sql in blocks("sql").values():
        for statement in sqlglot.parse(sql, read="snowflake"):
            assert statement is not None
            if isinstance(statement, exp.Command):
                text = " ".join(f"{statement.this} {statement.expression}".split())
                assert text.startswith(_UNKNOWN_TO_SQLGLOT), text


def test_it_lists_what_the_stand_in_takes_and_does_not_do() -> None:
    section = PAGE.split("## What the stand-ins cannot execute")[1]
    for name in NOT_EXECUTED_BY_THE_STAND_IN:
        assert f"`{name}`" in section


def test_its_table_names_every_variable() -> None:
    table = PAGE.split("## 7. Variables")[1].split("\n## ")[0]
    named = set(re.findall(r"`((?:MESH|SNOWFLAKE)_[A-Z_]+)`", table))
    assert named == KNOWN | VARIABLES


def test_its_storage_section_is_the_one_that_is_written() -> None:
    assert instance._ON_POSTGRES in PAGE


def test_it_names_files_that_there_are() -> None:
    for path in re.findall(r"`((?:tests|docs|shared_resources)/[\w/.]+)`", PAGE):
        assert (ROOT / path).exists(), path
