"""dbt on Snowflake: a schema of one run's own, pinned inputs in, the model's table out.

Belongs here: the generated profile, the scratch schema and its end, however the run ends, and
reading the result. Does not belong here: how an input gets into the schema
(`inputs.py`), what the model may reach while dbt runs it
(`data_products/dbt/confinement.py`), how dbt's process logs in (`sealed_login.py`).

The schema is transient, without time travel, and called `SCRATCH__<time>__<product and run>`: a
later run on the same machine removes it when its process is gone, and any run after a day.
Every view in it is called as its product, `"order/transactions"`, and writes the columns as
Snowflake reads a name without quotes, in upper case, so that a model's text is the same everywhere.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from shared_resources.data_products.dbt.on_snowflake.confinement import INPUTS
from shared_resources.data_products.dbt.on_snowflake.inputs import Warehouse, expose
from shared_resources.data_products.dbt.on_snowflake.sealed_login import sealed
from shared_resources.data_products.dbt.on_snowflake.types import integers_of, stream
from shared_resources.production.snowflake_login import SnowflakeLogin
from shared_resources.sql import quote_identifier
from shared_resources.stores.cloud_warehouse.session import SnowflakeProblem, SnowflakeSession
from shared_resources.stores.protocol import ORPHAN_AGE, Snapshot

_VARIABLE = "DBT_SNOWFLAKE_"
# What a model's names are made of. Who logs in, and how, is nothing that a model can render.
_PUBLIC = ("schema", "query_tag", "database", "warehouse")
# In upper case: the connector gives the current schema's name as one without quotes.
_SCRATCH = re.compile(r"SCRATCH__(\d{8}T\d{6})__\w+")
_STAMP = "%Y%m%dT%H%M%S"
_NOTE = "scratch_schema"
_LONGEST_LABEL = 120
# The database is an identifier as Snowflake has it; `order/baskets` is none.
_QUOTING = {"database": False, "schema": True, "identifier": True}


class SnowflakeTarget:
    """dbt-snowflake in the database of the warehouse, whose published versions models read there."""

    name = "snowflake"
    module = "shared_resources.data_products.dbt.on_snowflake.confinement"
    prepared: tuple[str, ...] = (
        "dbt.cli.main",
    )  # the connector brings Arrow, which starts a thread

    def __init__(self, login: SnowflakeLogin, warehouse: Warehouse | None) -> None:
        self._login = login
        self._warehouse = warehouse
        self._session = SnowflakeSession(login.connection)

    def profile(self) -> dict[str, Any]:
        """No file says who logs in where: dbt's process is told by another way than its profile.

        What a profile holds, a model can render (`{{ target.user }}`), and so it can each variable.
        """
        return {
            "type": "snowflake",
            "account": "mesh",
            "user": "mesh",
            **{name: f"{{{{ env_var('{_variable(name)}') }}}}" for name in _PUBLIC},
            "threads": 4,
            "connect_retries": 3,
            "client_session_keep_alive": False,
        }

    def settings(self) -> dict[str, Any]:
        return {"quoting": _QUOTING}

    def source(self, domain: str) -> dict[str, Any]:
        return {"schema": "{{ target.schema }}", "quoting": _QUOTING}

    def table(self, product: str) -> dict[str, Any]:
        return {"identifier": product}

    def parsing(self) -> Mapping[str, str]:
        """Anything will do: parsing connects to nothing, and keeps nothing of it but its hash."""
        return {**{_variable(name): "unknown" for name in _PUBLIC}, INPUTS: "[]"}

    @contextmanager
    def scratch(self, run: Path, inputs: Mapping[str, Snapshot]) -> Iterator[_Scratch]:
        """The run's schema, with a view of each input. It is dropped when the block ends."""
        schema = _schema_name(run)
        public = {
            "schema": schema,
            "query_tag": json.dumps({"application": "mesh", "dbt": run.name}),
            "database": self._login.database,
            "warehouse": self._login.warehouse,
        }
        variables = {_variable(name): text for name, text in public.items()}
        variables[INPUTS] = json.dumps(sorted(inputs))
        with self._session.tagged(dbt=run.name):
            self._remove_old()
            (run / _NOTE).write_text(schema, encoding="utf-8")
            try:
                self._session.execute(
                    f"CREATE TRANSIENT SCHEMA {quote_identifier(schema)} "
                    "DATA_RETENTION_TIME_IN_DAYS = 0"
                )
                for key, snapshot in inputs.items():
                    expose(self._session, self._warehouse, schema, snapshot, key, run)
                yield _Scratch(self._session, {**variables, **sealed(self._login.parameters())})
            finally:
                # What cannot be dropped now is dropped by a later run.
                with contextlib.suppress(SnowflakeProblem):
                    self._drop(schema)

    def remove_abandoned(self, run: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            schema = (run / _NOTE).read_text(encoding="utf-8")
            if _SCRATCH.fullmatch(schema):
                self._drop(schema)

    def _remove_old(self) -> None:
        """What runs of other machines left; of one that still goes on after a day there is none."""
        found = self._session.query("SHOW TERSE SCHEMAS LIKE 'SCRATCH%'")
        column = [name.lower() for name in found.columns].index("name")
        for name in (str(row[column]) for row in found.rows):
            made = _SCRATCH.fullmatch(name)
            if made is None:
                continue
            age = datetime.now(UTC) - datetime.strptime(made[1], _STAMP).replace(tzinfo=UTC)
            if age > ORPHAN_AGE:
                with contextlib.suppress(SnowflakeProblem):  # another role's: not ours to drop
                    self._drop(name)

    def _drop(self, schema: str) -> None:
        self._session.execute(f"DROP SCHEMA IF EXISTS {quote_identifier(schema)} CASCADE")


@dataclass(frozen=True)
class _Scratch:
    session: SnowflakeSession
    variables: Mapping[str, str]

    @contextmanager
    def opened(self) -> Iterator[_Built]:
        yield _Built(self.session)


@dataclass(frozen=True)
class _Built:
    session: SnowflakeSession

    def columns_of(self, relation: str) -> dict[str, str]:
        described = self.session.query(f"DESCRIBE TABLE {relation}")
        names = [name.lower() for name in described.columns]
        name, type_ = names.index("name"), names.index("type")
        return {str(row[name]): str(row[type_]) for row in described.rows}

    def read(self, relation: str, columns: tuple[str, ...]) -> pa.RecordBatchReader:
        types = self.columns_of(relation)
        whole = integers_of(self.session, relation, types)
        return stream(self.session, relation, types, whole, columns)


def _schema_name(run: Path) -> str:
    label = re.sub(r"[^A-Z0-9]+", "_", run.name.upper())
    # The end of the folder's name is what tells two runs apart.
    label = label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 9] + label[-9:]
    return f"SCRATCH__{datetime.now(UTC):{_STAMP}}__{label}"


def _variable(name: str) -> str:
    return _VARIABLE + name.upper()
