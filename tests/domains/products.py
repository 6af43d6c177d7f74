"""The example's products in tests: their contracts, frames audited against them, the source.

Belongs here: what several tests of the example need. Does not belong here: tests.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq

from domains.source_systems.source import TABLES, table_path
from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import read_contract
from shared_resources.contracts.types import arrow_schema
from shared_resources.environment import PROJECT_ROOT
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.report import AuditReport
from shared_resources.stores.protocol import StagedBatch, StagedFile

DOMAINS = PROJECT_ROOT / "domains"
CONTRACT_FILES = tuple(sorted(DOMAINS.glob("*/products/*/contract.odcs.yaml")))
KEYS = tuple(f"{file.parents[2].name}/{file.parent.name}" for file in CONTRACT_FILES)


def folder_of(key: str) -> Path:
    domain, product = key.split("/")
    return DOMAINS / domain / "products" / product


def contract_of(key: str) -> Contract:
    return read_contract(folder_of(key) / "contract.odcs.yaml")


def audited(key: str, frame: pl.DataFrame, folder: Path) -> AuditReport:
    """The contract's rules on the frame, all but those that look into other products."""
    contract = contract_of(key)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "part-00000.parquet"
    schema = arrow_schema(tuple((c.name, c.type) for c in contract.columns))
    pq.write_table(frame.to_arrow().select(schema.names).cast(schema), path)
    return audited_file(key, path)


def audited_file(key: str, path: Path) -> AuditReport:
    """`audited`, for a Parquet file."""
    contract = contract_of(key)
    staged = StagedFile(path, "", pq.ParquetFile(path).metadata.num_rows)
    batch = StagedBatch(contract.key, "test", path.parent, (staged,))
    rules = [r for r in contract.rules if r.kind not in ("relationship", "partition")]
    return audit(StagedData(batch), contract, rules=rules, folder=folder_of(key))


def refused_by(report: AuditReport) -> set[str]:
    """The names of the rules that keep the batch from being published."""
    return {result.rule.name for result in report.refusals}


def source_connection() -> duckdb.DuckDBPyConnection:
    """A connection on which every table of the data package is a view of its own name."""
    connection = duckdb.connect()
    for name in TABLES:
        connection.read_parquet(str(table_path(name))).create_view(name)
    return connection
