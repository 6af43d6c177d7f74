"""A small mesh with dbt models: the project that the dbt tests compose, run and break."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from shared_resources.environment import PROJECT_ROOT, Environment
from shared_resources.stores.protocol import Version
from shared_resources.wiring import LocalEnvironment
from tests.contract_factory import make_contract, make_version

PROJECT = """
name: toy
version: "1.0"
config-version: 2
profile: toy
models: {+materialized: table}
"""

# Those that tell the engines apart are the mesh's own.
MACROS = [
    PROJECT_ROOT / "dbt_project" / "macros" / name
    for name in ("schemas.sql", "materializations.sql")
]

DAILY = """
with lines as (

    select * from {{ source('shop', 'lines') }}

)

select
    day,
    cast(count(*) as bigint) as lines,
    cast(sum(amount) as double) as total,
    max(colour) as colour
from lines
group by day
"""

DAILY_TESTS = """
version: 2
models:
  - name: daily
    columns:
      - name: day
        data_tests:
          - not_null
          - unique
      - name: colour
        data_tests:
          - accepted_values:
              arguments: {values: [red, blue]}
              config: {severity: warn}
          - relationships:
              arguments: {to: "source('paint', 'colours')", field: colour}
"""

TOTALS_AGREE = """
select total from {{ ref('daily') }} where total < 0
"""

WEEKLY = """
select cast(min(day) as date) as first_day, cast(sum(total) as double) as total
from {{ source('shop', 'daily') }}
"""

COLUMNS = {
    "shop/lines": {"day": "date", "amount": "number", "colour": "string"},
    "shop/daily": {"day": "date", "lines": "integer", "total": "number", "colour": "string"},
    "paint/colours": {"colour": "string"},
    "paint/weekly": {"first_day": "date", "total": "number"},
}
_PHYSICAL = {"date": "DATE", "number": "DOUBLE", "integer": "BIGINT", "string": "VARCHAR"}


def toy(root: Path) -> Environment:
    """Two domains: shop has the model `daily`, paint has `weekly`, which reads shop's model."""
    environment = LocalEnvironment(root=root, home=root / ".mesh")
    write(root, "dbt_project.yml", PROJECT)
    for macros in MACROS:
        write(root, f"macros/{macros.name}", macros.read_text(encoding="utf-8"))
    write(root, "models/shop/daily.sql", DAILY)
    write(root, "models/shop/schema.yml", DAILY_TESTS)
    write(root, "tests/shop/totals_agree.sql", TOTALS_AGREE)
    write(root, "models/paint/weekly.sql", WEEKLY)
    for product, columns in COLUMNS.items():
        write_contract(root, product, columns)
    return environment


def write(root: Path, name: str, text: str) -> Path:
    file = root / "dbt_project" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def contract_file(root: Path, product: str) -> Path:
    domain, name = product.split("/")
    return root / "domains" / domain / "products" / name / "contract.odcs.yaml"


def write_contract(root: Path, product: str, columns: dict[str, str]) -> Path:
    domain, name = product.split("/")
    properties = [
        {
            "name": column,
            "logicalType": logical,
            "physicalType": _PHYSICAL[logical],
            "description": f"The {column} of {name}.",
            "classification": "internal",
        }
        for column, logical in columns.items()
    ]
    contract = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": f"{domain}-{name}",
        "name": name,
        "version": "1.0.0",
        "status": "active",
        "domain": domain,
        "description": {"purpose": f"Shows {name}, {{{{ braces }}}} and all."},
        "team": {"name": domain, "members": [{"username": "toy@example.com", "role": "owner"}]},
        "servers": [
            {
                "server": "lake",
                "type": "iceberg",
                "catalog": "mesh",
                "catalogUrl": "mesh://lake",
                "namespace": domain,
            }
        ],
        "slaProperties": [
            {"property": "latency", "value": 2, "unit": "d"},
            {"property": "retention", "value": 1, "unit": "y"},
        ],
        "schema": [
            {
                "name": name,
                "logicalType": "object",
                "description": f"Rows of {name}.",
                "properties": properties,
            }
        ],
    }
    file = contract_file(root, product)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")
    return file


def table(product: str, rows: list[tuple[object, ...]]) -> pa.Table:
    types = {"date": pa.date32(), "number": pa.float64(), "integer": pa.int64()}
    columns = COLUMNS[product]
    return pa.table(
        {
            name: pa.array([row[at] for row in rows], types.get(logical, pa.string()))
            for at, (name, logical) in enumerate(columns.items())
        }
    )


@dataclass(frozen=True)
class ParquetSnapshot:
    """A pinned version in Parquet files, as the lake has it."""

    product: str
    file: Path

    @property
    def version(self) -> Version:
        domain, name = self.product.split("/")
        rows = pq.read_metadata(self.file).num_rows
        return make_version(make_contract({"id": "int"}, domain=domain, name=name), rows=rows)

    @property
    def schema(self) -> pa.Schema:
        return pq.read_schema(self.file)

    def batches(self, columns=None, partitions=None) -> pa.RecordBatchReader:
        return pq.read_table(self.file, columns=columns).to_reader()

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        connection.execute(f"CREATE VIEW {name} AS FROM read_parquet(['{self.file}'])")

    def partitions(self) -> tuple[str, ...]:
        return ()

    def paths(self) -> tuple[Path, ...]:
        return (self.file,)


@dataclass(frozen=True)
class DatabaseSnapshot(ParquetSnapshot):
    """A pinned version in an attached database, as the warehouse has it."""

    @property
    def _content(self) -> pa.Table:
        with duckdb.connect(str(self.file), read_only=True) as connection:
            return connection.sql("FROM content").to_arrow_table()

    @property
    def version(self) -> Version:
        made = datetime(2026, 1, 1, tzinfo=UTC)
        return Version(self.product, "warehouse", 1, "s1", self._content.num_rows, made)

    @property
    def schema(self) -> pa.Schema:
        return self._content.schema

    def batches(self, columns=None, partitions=None) -> pa.RecordBatchReader:
        return self._content.to_reader()

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        alias = f"v_{self.product.replace('/', '_')}"
        connection.execute(f"ATTACH '{self.file}' AS {alias} (READ_ONLY)")
        connection.execute(f"CREATE TEMP VIEW {name} AS FROM {alias}.main.content")


@dataclass(frozen=True)
class MemorySnapshot(ParquetSnapshot):
    """A pinned version that only this process can read."""

    def register(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        connection.register(name, pq.read_table(self.file))


def published(folder: Path, product: str, rows: list[tuple[object, ...]]) -> ParquetSnapshot:
    file = folder / f"{product.replace('/', '.')}.parquet"
    pq.write_table(table(product, rows), file)
    return ParquetSnapshot(product, file)


def published_in_database(
    folder: Path, product: str, rows: list[tuple[object, ...]]
) -> DatabaseSnapshot:
    file = folder / f"{product.replace('/', '.')}.duckdb"
    content = table(product, rows)
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE content AS FROM content")
        assert content.num_rows >= 0
    return DatabaseSnapshot(product, file)
