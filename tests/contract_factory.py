"""Contracts, evidence and staged batches for tests of what stands behind the contract reader.

Belongs here: `make_contract`, `make_evidence`, `let_through`, `make_version`, `stage`, the
type shorthands.
Does not belong here: tests, or YAML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.contracts.model import (
    Classification,
    Column,
    Contract,
    Operator,
    Rule,
    Server,
    Threshold,
    Unit,
)
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.evidence.record import CheckOutcome, Evidence
from shared_resources.governance.audit.report import AuditReport, RuleResult
from shared_resources.stores.cleared import clear
from shared_resources.stores.protocol import Cleared, StagedBatch, StagedFile, Version
from shared_resources.stores.staging.fingerprints import fingerprints
from shared_resources.stores.versions import stamp, version_of

TYPES = {
    "text": ColumnType(Family.STRING),
    "int": ColumnType(Family.INTEGER),
    "int32": ColumnType(Family.INTEGER, width=32),
    "float": ColumnType(Family.FLOAT),
    "float32": ColumnType(Family.FLOAT, width=32),
    "decimal": ColumnType(Family.DECIMAL, precision=12, scale=2),
    "bool": ColumnType(Family.BOOLEAN),
    "date": ColumnType(Family.DATE),
    "timestamp": ColumnType(Family.TIMESTAMP),
    "timestamp_tz": ColumnType(Family.TIMESTAMP_TZ),
}


def make_column(name: str, type_: str | ColumnType = "int", **fields: Any) -> Column:
    """A column, described and internal unless `fields` say otherwise."""
    return Column(
        name=name,
        type=TYPES[type_] if isinstance(type_, str) else type_,
        description=fields.pop("description", f"The {name}."),
        classification=fields.pop("classification", Classification.INTERNAL),
        **fields,
    )


def make_rule(kind: str, *columns: str, name: str = "", **fields: Any) -> Rule:
    """A rule; `arguments` may be given as keywords that are no field of `Rule`."""
    known = {key: fields.pop(key) for key in list(fields) if key in Rule.__dataclass_fields__}
    arguments = {**known.pop("arguments", {}), **fields}
    name = name or "_".join((kind, *columns))
    known.setdefault("clause", f"schema.{name}")
    return Rule(name=name, kind=kind, columns=columns, arguments=arguments, **known)


def at_most(bound: float, unit: Unit = Unit.ROWS) -> Threshold:
    return Threshold(Operator.LESS_OR_EQUAL, (bound,), unit)


def make_contract(
    columns: Iterable[Column] | Mapping[str, str] = (),
    rules: Iterable[Rule] | None = None,
    **fields: Any,
) -> Contract:
    """A contract of the product `order/lines`. `columns` may be given as {name: type}.

    Without `rules` it has COLUMNS and NOT_EMPTY.
    """
    if isinstance(columns, Mapping):
        columns = [make_column(name, type_) for name, type_ in columns.items()]
    if rules is None:
        rules = [make_rule("columns"), make_rule("not_empty")]
    given: dict[str, Any] = {
        "path": Path("domains/order/products/lines/contract.odcs.yaml"),
        "digest": "0" * 64,
        "id": "order-lines",
        "domain": "order",
        "name": "lines",
        "version": "1.0.0",
        "status": "active",
        "description": "Lines of orders.",
        "owner": "orders@example.com",
        "servers": (Server.LAKE,),
        **fields,
    }
    return Contract(columns=tuple(columns), rules=tuple(rules), **given)


def make_evidence(contract: Contract, **fields: Any) -> Evidence:
    """What an audit in which every rule of the contract passed would leave."""
    given: dict[str, Any] = {
        "run_id": "run-1",
        "contract_version": contract.version,
        "contract_digest": contract.digest,
        "checks": tuple(CheckOutcome(r.name, True, r.severity, 0) for r in contract.rules),
        **fields,
    }
    return Evidence(**given)


def let_through(
    contract: Contract, staged: StagedBatch, *, on_top_of: int | None = None, **evidence: Any
) -> Cleared:
    """The batch as an audit clears it in which every rule of the contract passed."""
    proof = make_evidence(contract, **{"partitions": staged.partitions, **evidence})
    return clear(staged, proof, fingerprints(staged.files), on_top_of)


def make_version(
    contract: Contract, number: int = 1, batch_id: str = "", *, rows: int = 1, **evidence: Any
) -> Version:
    """A version as a store would tell of it, stamped as every store does."""
    stamped = stamp(
        make_evidence(contract, **evidence), number, batch_id or f"b{number}", rows, None
    )
    return version_of(contract.key, "lake", f"snapshot-{number}", stamped)


def table(contract: Contract, **values: Sequence[Any]) -> pa.Table:
    """An Arrow table of the contract's types."""
    return pa.table(
        {
            column.name: pa.array(values[column.name], column.type.arrow)
            for column in contract.columns
        }
    )


def stage(
    folder: Path,
    *tables: pa.Table,
    partitions: Sequence[str] = ("",),
    batch_id: str = "batch-1",
    product: str = "order/lines",
    **fields: Any,
) -> StagedBatch:
    """Write each table as one file of a staged batch; with `partitions`, one a partition."""
    files = []
    for number, rows in enumerate(tables):
        partition = partitions[number] if len(partitions) > 1 else partitions[0]
        into = folder / f"partition={partition}" if partition else folder
        into.mkdir(parents=True, exist_ok=True)
        path = into / f"part-{number:05d}.parquet"
        pq.write_table(rows, path, compression="zstd")
        files.append(StagedFile(path, partition, rows.num_rows))
    return StagedBatch(
        product=product,
        batch_id=batch_id,
        folder=folder,
        files=tuple(files),
        partitions=tuple(partitions),
        **fields,
    )


def audit_rows(folder: Path, contract: Contract, **values: Sequence[Any]) -> AuditReport:
    """Stage one file of these values and audit it."""
    from shared_resources.governance.audit.audit import audit
    from shared_resources.governance.audit.engine.staged_data import StagedData

    return audit(StagedData(stage(folder, table(contract, **values))), contract)


def failing(report: AuditReport, rule: str) -> int | None:
    """How many rows the rule of that name found failing."""
    return result_of(report, rule).rows_failed


def result_of(report: AuditReport, rule: str) -> RuleResult:
    (found,) = [result for result in report.results if result.rule.name == rule]
    return found
