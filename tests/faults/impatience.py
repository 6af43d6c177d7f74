"""Clients that give up after seconds where production's give up after minutes; nothing else changes.

Belongs here: shorter timeouts, fewer and faster retries, in this process. Does not belong here:
faults.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.config import Config
from botocore.retries.standard import ExponentialBackoff

from shared_resources.production import aws_resources
from shared_resources.production import settings as production
from shared_resources.production.snowflake_login import Parameters, SnowflakeLogin

AWS_ATTEMPTS = 3
# Long enough for the answers of stand-ins on a busy machine.
AWS_READ_SECONDS = 4
BACKOFF_SECONDS = 0.05
# The first is a socket's, the others are of a request with all its retries.
SNOWFLAKE = {"socket_timeout": 5, "network_timeout": 6, "login_timeout": 6}


@contextmanager
def impatient_clients() -> Iterator[None]:
    """What is opened while the block lasts gives up quickly."""
    patient, parameters = production.client_config, SnowflakeLogin.parameters

    def client_config(*_: Any) -> Config:
        quick = Config(
            retries={"mode": "standard", "total_max_attempts": AWS_ATTEMPTS},
            connect_timeout=AWS_READ_SECONDS,
            read_timeout=AWS_READ_SECONDS,
        )
        return patient().merge(quick)

    def quick_parameters(self: SnowflakeLogin, *further: Any) -> Parameters:
        backoff: Any = lambda: itertools.repeat(BACKOFF_SECONDS)  # noqa: E731
        return Parameters({**parameters(self, *further), **SNOWFLAKE, "backoff_policy": backoff})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(production, "client_config", client_config)
        patch.setattr(aws_resources, "client_config", client_config)
        patch.setattr(SnowflakeLogin, "parameters", quick_parameters)
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: BACKOFF_SECONDS)
        yield
