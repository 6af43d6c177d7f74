"""Starting and stopping the stand-ins, and the variables that lead a process to them.

Belongs here: processes, free ports, buckets, databases. Does not belong here: what the servers do.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

STARTING_SECONDS = 60
_ROOT = Path(__file__).resolve().parents[2]
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "stand-in",
    "AWS_SECRET_ACCESS_KEY": "stand-in-secret",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


# One for all, so that what it hides is the same wherever it is compared.
MASKING_KEY = "of the stand-ins, and of nobody who has a secret"


@dataclass(frozen=True)
class StandIns:
    """Running servers. `fresh()` gives a bucket and a database of its own."""

    aws_port: int
    snowflake_port: int

    @property
    def aws_url(self) -> str:
        return f"http://127.0.0.1:{self.aws_port}"

    def fresh(self) -> dict[str, str]:
        """The variables of a production environment that nothing was published to yet."""
        name = f"mesh-{uuid.uuid4().hex[:12]}"
        s3 = boto3.client(
            "s3",
            endpoint_url=self.aws_url,
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        where = {"LocationConstraint": CREDENTIALS["AWS_DEFAULT_REGION"]}
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)  # type: ignore[typeddict-item]
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return {
            **self.endpoints,
            **CREDENTIALS,
            "MESH_ENV": "production",
            "MESH_LOG": "embedded",
            "MESH_SERVING": "embedded",
            "MESH_LAKE": f"s3://{name}/lake",
            "MESH_LANDING": f"s3://{name}/landing",
            "MESH_QUARANTINE": f"s3://{name}/quarantine",
            # Namespaces of Glue belong to the account: tests that share it must not share them.
            "MESH_GLUE_PREFIX": name.replace("-", "_") + "_",
            "MESH_MASKING_KEY": MASKING_KEY,
            "SNOWFLAKE_ACCOUNT": "standin",
            "SNOWFLAKE_USER": "mesh",
            "SNOWFLAKE_PASSWORD": "stand-in-password",
            "SNOWFLAKE_WAREHOUSE": "MESH",
            "SNOWFLAKE_DATABASE": name.replace("-", "_").upper(),
        }

    @property
    def endpoints(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.aws_url,
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_PORT": str(self.snowflake_port),
            "SNOWFLAKE_PROTOCOL": "http",
        }


@contextmanager
def running_stand_ins() -> Iterator[StandIns]:
    """Both servers, in processes of their own, for as long as the block lasts."""
    with ExitStack() as stack:
        aws = stack.enter_context(_server("tests.stand_ins.aws"))
        snowflake = stack.enter_context(_server("tests.stand_ins.snowflake"))
        for port in (aws, snowflake):
            _wait_for(port)
        yield StandIns(aws, snowflake)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set the variables in this process for as long as the block lasts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _server(module: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", module, str(port)]
    process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        process.stdin.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    end = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing answered on port {port} within {STARTING_SECONDS} s")
