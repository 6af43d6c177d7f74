"""What a production environment is configured with, and the clients that are made from it.

Belongs here: the settings of AWS, Snowflake and the state database, read from the ecosystem's own
variables. Does not belong here: what makes a setting wrong (`checks.py`,
`snowflake_settings.py`), what is stored there (`io_managers/`, `landing/`), and choosing between the
environments (`environment.py`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from shared_resources.production.patience import RUN, TICK, Patience, client_config

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from snowflake.connector import SnowflakeConnection

    from shared_resources.production.kafka.settings import KafkaSettings
    from shared_resources.production.snowflake_login import SnowflakeLogin


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
        return f"s3://{self.bucket}/{self.key(*parts)}".rstrip("/")

    def contains(self, other: S3Location) -> bool:
        """Whether every key of `other` is one of this location, too."""
        inside = not self.prefix or f"{other.prefix}/".startswith(f"{self.prefix}/")
        return self.bucket == other.bucket and inside


@dataclass(frozen=True)
class ProductionSettings:
    """Everything that production needs and the code cannot know. Its repr shows no secret."""

    lake: S3Location
    landing: S3Location
    quarantine: S3Location
    snowflake: SnowflakeLogin
    region: str
    glue_prefix: str = ""
    kms_key: str | None = None
    # The template of the queues' names, with {domain} and {product}; None: prefixes are listed.
    landing_queue: str | None = None
    database_url: str | None = field(default=None, repr=False)
    kafka: KafkaSettings | None = None
    embedded_log: bool = False  # topics lie below the home of this machine, which is the only one

    def s3_resource(self, patience: Patience = RUN) -> S3Resource:
        """dagster-aws's resource; credentials and endpoint are boto3's own."""
        from shared_resources.production.aws_resources import PatientS3Resource

        return PatientS3Resource(
            region_name=self.region,
            max_attempts=patience.attempts,
            connect_seconds=patience.connect,
            read_seconds=patience.read,
        )

    def s3(self, patience: Patience = RUN) -> S3Client:
        client: S3Client = self.s3_resource(patience).get_client()
        return client

    def glue(self) -> GlueClient:
        client: GlueClient = self._client("glue", RUN)
        return client

    def sqs(self) -> SQSClient:
        """Only sensors hear of new objects."""
        client: SQSClient = self._client("sqs", TICK)
        return client

    def lake_formation(self) -> Any:
        """For `mesh access plan` and `apply`; its types are in no package of ours."""
        return self._client("lakeformation", RUN)

    def sts(self) -> Any:
        """It says which account this is."""
        return self._client("sts", RUN)

    def _client(
        self, service: Literal["glue", "lakeformation", "sqs", "sts"], patience: Patience
    ) -> Any:
        """A client of a service that answers in JSON."""
        import boto3

        from shared_resources.production.aws_answers import hide_credentials, refuse_short_answers

        session = boto3.session.Session()
        hide_credentials(session)
        client = session.client(service, self.region, config=client_config(patience))
        refuse_short_answers(client)
        return client

    def encryption(self) -> dict[str, Any]:
        """The server-side encryption of an object that is put, or of an upload in parts."""
        if self.kms_key:
            return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key}
        return {"ServerSideEncryption": "AES256"}

    def snowflake_connection(
        self, **parameters: Any
    ) -> AbstractContextManager[SnowflakeConnection]:
        """An open connection for a `with` block; `parameters` are further ones of the connector."""
        return self.snowflake.connection(**parameters)
