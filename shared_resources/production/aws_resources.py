"""dagster-aws's resources, with the waiting and retrying that the mesh needs.

Belongs here: what dagster-aws's own classes cannot be configured with.
Does not belong here: settings (`settings.py`). Imported only where a client is made.
"""

from __future__ import annotations

from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from dagster_aws.s3 import S3Resource

from shared_resources.production.aws_answers import hide_credentials
from shared_resources.production.patience import RUN, Patience, client_config


class PatientS3Resource(S3Resource):
    """An S3 resource whose client has timeouts and connections enough for parallel parts.

    The plain one sets the retries only; ten connections are then shared by all threads, and each
    attempt to connect takes a minute to fail.
    """

    connect_seconds: int = RUN.connect
    read_seconds: int = RUN.read

    def get_client(self) -> Any:
        patience = Patience(self.max_attempts, self.connect_seconds, self.read_seconds)
        config = client_config(patience)
        if self.use_unsigned_session:
            config = config.merge(Config(signature_version=UNSIGNED))
        session = boto3.session.Session(
            profile_name=self.profile_name,
            region_name=self.region_name,
            aws_access_key_id=self.aws_access_key_id,
            aws_secret_access_key=self.aws_secret_access_key,
            aws_session_token=self.aws_session_token,
        )
        hide_credentials(session)
        return session.client(
            "s3",
            endpoint_url=self.endpoint_url,
            use_ssl=self.use_ssl,
            verify=self.verify,
            config=config,
        )
