"""dagster-snowflake's resource with the mesh's login.

Belongs here: keeping secrets out of the resource's configuration, which Dagster's UI and its repr show.
Does not belong here: settings (`snowflake_settings.py`). Imported only where the resource is made:
dagster-snowflake imports Snowpark, which takes 5 s and 160 MB.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from dagster_snowflake import SnowflakeResource

from shared_resources.production.checks import read_settings
from shared_resources.production.snowflake_login import (
    LOGIN_SECONDS,
    NETWORK_SECONDS,
    SnowflakeLogin,
)


class MeshSnowflakeResource(SnowflakeResource):
    """Its fields are public. What proves who logs in is read from the environment on connecting."""

    @property
    def _connection_args(self) -> Mapping[str, Any]:
        # Dagster makes a copy of a resource from its fields, so that nothing else can be kept in it.
        login = read_settings(os.environ).snowflake
        return login.parameters({"application": super()._connection_args["application"]})


def resource_of(login: SnowflakeLogin) -> SnowflakeResource:
    """The resource, for assets that are not data products; its configuration holds no secret."""
    return MeshSnowflakeResource(
        account=login.account,
        user=login.user,
        database=login.database,
        warehouse=login.warehouse,
        role=login.role,
        # dagster-snowflake refuses a resource with neither a secret nor this.
        authenticator=login.authenticator or "snowflake",
        login_timeout=LOGIN_SECONDS,
        network_timeout=NETWORK_SECONDS,
    )
