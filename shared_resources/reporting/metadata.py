"""Outcomes in Dagster's words: metadata of a materialization, results of checks.

Belongs here: turning reports, versions and audited batches into Dagster metadata.
Does not belong here: the evidence that is committed with a version (`data_products/auditing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.metadata import normalize_metadata

from shared_resources.contracts.model import Severity
from shared_resources.contracts.numbers import as_json
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.data_products.batch import AuditedBatch
from shared_resources.evidence.keys import ATTESTATION
from shared_resources.evidence.lineage import ColumnLineage
from shared_resources.evidence.terms import HeldAgreement
from shared_resources.governance.audit.report import AuditReport, RuleResult
from shared_resources.stores.protocol import Version

PARTITION_ROWS = "dagster/partition_row_count"


def version_metadata(
    batch: Mapping[str, Any], versions: Sequence[Version]
) -> dict[str, dg.MetadataValue[Any]]:
    """What the UI shows of a published version: of its batch (`batch_metadata`), and of itself."""
    leading = versions[0]
    of_version: dict[str, Any] = {
        "dagster/row_count": leading.rows,
        "version": leading.number,
        "published to": ", ".join(f"{v.store} v{v.number} ({v.snapshot})" for v in versions),
    }
    if attested := leading.properties.get(ATTESTATION):
        of_version["attestation"] = attested  # `mesh evidence PRODUCT --verify` compares by it
    return {**batch, **normalize_metadata(of_version)}


def stream_metadata(version: Version) -> dict[str, dg.MetadataValue[Any]]:
    """What the UI shows of how far into its topic a version of a stream goes."""
    position = version.evidence.stream
    if position is None:
        return {}
    metadata: dict[str, Any] = {
        "topic": position.topic,
        "offsets": dg.MetadataValue.json({str(p): at for p, at in position.positions.items()}),
        "messages": position.messages,
        "messages rejected": position.rejected,
        "messages without a value": position.tombstones,
    }
    if position.engine:
        metadata["decoded by"] = f"{position.engine}, every message compared with the log's"
    if position.left_out.fields:
        metadata["fields left out"] = position.left_out.told
    if position.skipped:
        metadata["messages skipped"] = dg.MetadataValue.json(
            [vars(one) for one in position.skipped]
        )
    return dict(normalize_metadata(metadata))


def batch_metadata(audited: AuditedBatch) -> dict[str, dg.MetadataValue[Any]]:
    """What the UI will show of the batch, in Dagster's types. To be had before it is published:

    what fails afterwards is a failed run of a version that readers see.
    """
    metadata: dict[str, Any] = {
        "contract version": audited.attempt.contract.version,
        "rows quarantined": sum(entry.rows for entry in audited.quarantined),
    }
    if audited.attempt.inputs:
        metadata["inputs"] = dg.MetadataValue.json(
            {pin.product: str(pin) for pin in audited.attempt.pins}
        )
    if audited.terms is not None and audited.terms.agreements:
        metadata["agreements"] = dg.MetadataValue.json(
            {one.product: in_words(one) for one in audited.terms.agreements}
        )
    if audited.quarantined:
        metadata["quarantine"] = ", ".join(entry.id for entry in audited.quarantined)
    if audited.lineage is not None:
        metadata["dagster/column_lineage"] = column_lineage(audited.lineage)
        metadata["column lineage"] = audited.lineage.how.value
        # The open-source UI draws none of Dagster's own metadata about it.
        metadata["columns are made from"] = dg.MetadataValue.json(
            {
                column: ", ".join(f"{product}.{name}" for product, name in sources) or "no product"
                for column, sources in audited.lineage.columns.items()
            }
        )
    return dict(normalize_metadata({**audited.metadata, **metadata}))


def in_words(agreement: HeldAgreement) -> str:
    """What an agreement said when something was made by it: `mesh access explain` says the rest."""
    if not agreement.roles:
        return "open to everybody"
    until = f", until {agreement.until}" if agreement.until else ""
    return (
        f"{agreement.consumer} as {', '.join(agreement.roles)}, for {agreement.purpose}{until}; "
        f"approved by {agreement.approver}, agreement {agreement.id}"
    )


def rows_of_days(audited: AuditedBatch) -> dict[str, int]:
    """How many rows each partition of what may be published has."""
    assert audited.staged is not None
    rows = dict.fromkeys(audited.staged.partitions, 0)
    for file in audited.staged.files:
        rows[file.partition] += file.rows
    return rows


def column_lineage(lineage: ColumnLineage) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(asset_key=asset_key(product), column_name=name)
                for product, name in sources
            ]
            for column, sources in lineage.columns.items()
        }
    )


def check_results(report: AuditReport) -> list[dg.AssetCheckResult]:
    """One result a rule, with its clause, threshold, counts, percentage and masked sample."""
    key = asset_key(report.product)
    return [
        dg.AssetCheckResult(
            asset_key=key,
            check_name=result.rule.name,
            passed=result.passed,
            severity=(
                dg.AssetCheckSeverity.ERROR
                if result.rule.severity is Severity.BLOCKING
                else dg.AssetCheckSeverity.WARN
            ),
            description=result.message,
            metadata=_result_metadata(result),
        )
        for result in report.results
    ]


def _result_metadata(result: RuleResult) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "clause": result.rule.clause,
        "threshold": str(result.rule.threshold),
        "rows checked": result.rows_checked,
        "measured": as_json(result.measured),
    }
    if result.rows_failed is not None:
        metadata["rows failed"] = result.rows_failed
        metadata["percent failed"] = round(result.percent_failed, 4)
    if result.rule.reason:
        metadata["reason"] = result.rule.reason
    if result.sample:
        metadata["failing rows"] = _sample_table(result)
    return metadata


def _sample_table(result: RuleResult) -> dg.TableMetadataValue:
    names = list(result.sample[0])
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({name: _cell(row.get(name)) for name in names}) for row in result.sample
        ],
        schema=dg.TableSchema(columns=[dg.TableColumn(name=name) for name in names]),
    )


def _cell(value: object) -> str | int | float | bool | None:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def refusal_message(audited: AuditedBatch) -> str:
    """Why a batch was refused, for people: every broken rule, and where the rows are."""
    lines = [f"{result.rule.name}: {result.message}" for result in audited.report.refusals]
    where = ", ".join(entry.id for entry in audited.quarantined)
    refused = [partition for partition in audited.refused if partition]
    of = f" for {', '.join(refused[:5])}{' ...' if len(refused) > 5 else ''}" if refused else ""
    return (
        f"{audited.attempt.definition.key}{of} was refused and nothing of it published; readers keep the "
        f"last good version.\n" + "\n".join(lines) + f"\nWhat was refused is in quarantine: {where}"
    )
