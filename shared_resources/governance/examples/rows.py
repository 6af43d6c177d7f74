"""The rows of an example, audited as those of a batch are.

Belongs here: staging them, and asking rules of them.
Does not belong here: the audit (`governance/audit/`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.types import arrow_schema
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.report import AuditReport
from shared_resources.parquet import write_parquet
from shared_resources.stores.protocol import UNPARTITIONED, StagedBatch, StagedFile


def audited(
    contract: Contract, rules: Sequence[Rule], rows: Sequence[Mapping[str, Any]]
) -> AuditReport:
    """What the rules say of the rows. Columns that a row does not name are null."""
    schema = arrow_schema(tuple((column.name, column.type) for column in contract.columns))
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    with tempfile.TemporaryDirectory(prefix="mesh-example-") as folder:
        path = Path(folder) / "rows.parquet"
        write_parquet(path, schema, table.to_batches())
        file = StagedFile(path, UNPARTITIONED, table.num_rows)
        batch = StagedBatch(contract.key, "example", Path(folder), (file,), (UNPARTITIONED,))
        return audit(StagedData(batch), contract, rules=rules)
