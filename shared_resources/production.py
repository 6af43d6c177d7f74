"""What a production environment is configured with, read from the ecosystem's own variables.

Belongs here: reading and checking the settings of AWS, Snowflake and the state database, and the
clients that are made from them. Does not belong here: what is stored there (`io_managers/`,
`landing/`), and choosing between the environments (`environment.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True)
class S3Location:
    """`s3://bucket/prefix`; the prefix has no slash at its ends and may be empty."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> S3Location:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        return cls(bucket, prefix.strip("/"))

    def key(self, *parts: str) -> str:
        return "/".join(part for part in (self.prefix, *parts) if part)

    def url(self, *parts: str) -> str:
        return f"s3://{self.bucket}/{self.key(*parts)}"


@dataclass(frozen=True)
class ProductionSettings:
    """Everything that production needs and the code cannot know. Its repr shows no secret."""

    lake: S3Location
    landing: S3Location
    quarantine: S3Location
    glue_prefix: str = ""
    kms_key: str | None = None
    events: str | None = None
    database_url: str | None = field(default=None, repr=False)
    snowflake: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> ProductionSettings:
        """Raises `EnvironmentProblem` with all that is missing or wrong."""
        snowflake = {
            name.removeprefix("SNOWFLAKE_").lower(): value
            for name, value in variables.items()
            if name.startswith("SNOWFLAKE_")
        }
        return cls(
            lake=S3Location.parse(variables["MESH_LAKE"]),
            landing=S3Location.parse(variables["MESH_LANDING"]),
            quarantine=S3Location.parse(variables["MESH_QUARANTINE"]),
            glue_prefix=variables.get("MESH_GLUE_PREFIX", ""),
            kms_key=variables.get("MESH_KMS_KEY"),
            events=variables.get("MESH_LANDING_QUEUE"),
            database_url=variables.get("MESH_DATABASE_URL"),
            snowflake=snowflake,
        )

    def s3(self) -> S3Client:
        """A client that retries with jitter; credentials, region and endpoint are boto3's own."""
        from dagster_aws.s3 import S3Resource

        client: S3Client = S3Resource(max_attempts=8).get_client()
        return client

    def glue(self) -> GlueClient:
        import boto3
        from botocore.config import Config

        return boto3.client("glue", config=Config(retries={"mode": "standard", "max_attempts": 8}))

    def sqs(self) -> SQSClient:
        import boto3
        from botocore.config import Config

        return boto3.client("sqs", config=Config(retries={"mode": "standard", "max_attempts": 8}))
