"""Dagster's storage on Postgres, as `dagster.yaml` names it (see `dagster_instance/instance.py`).

Belongs here: the URL's driver. Does not belong here: the mesh's own tables (`state/database.py`).
Imported by every process of Dagster in production, so it imports nothing else of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage


class MeshPostgresStorage(DagsterPostgresStorage):
    """dagster-postgres over its own driver.

    It installs psycopg2 and leaves the choice to SQLAlchemy, which since 2.1 takes psycopg for
    `postgresql://`: then nothing opens.
    """

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> MeshPostgresStorage:
        return cls(postgres_url=with_driver(config_value["postgres_url"]), inst_data=inst_data)


def with_driver(url: str) -> str:
    """The URL of a Postgres database with the driver that is installed, unless it names one."""
    parsed = sa.make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg2")
    return parsed.render_as_string(hide_password=False)
