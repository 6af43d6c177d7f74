"""Column lineage of a dbt model, as dagster-dbt derives it from the compiled SQL.

Belongs here: handing dagster-dbt the columns that it needs, and its answer in product keys.
Does not belong here: showing lineage in Dagster (`locations/product_asset.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dagster import AssetKey
from dagster._core.definitions.metadata import TableMetadataSet
from dagster_dbt import DagsterDbtTranslator


class _ProductKeys(DagsterDbtTranslator):
    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return AssetKey([dbt_resource_props["source_name"], dbt_resource_props["name"]])
        return AssetKey([dbt_resource_props["fqn"][1], dbt_resource_props["name"]])


def column_lineage(
    manifest: Mapping[str, Any],
    model: Mapping[str, Any],
    upstream: Sequence[str],
    columns: Mapping[str, Mapping[str, str]],
    events: Sequence[Any],
    run: Path,
) -> dict[str, list[tuple[str, str]]]:
    """Each column of the model with the (product, column) pairs that it is made from.

    `columns` gives the columns and types of the model and its parents by relation. `events` are
    those of the build: dagster-dbt derives lineage from the event that says the model is done,
    given what dbt's own adapter would have to be asked for otherwise.
    """
    keys = _ProductKeys()
    own = _typed(columns[model["relation_name"]])
    parents = {
        relation: {"columns": _typed(known)}
        for relation, known in columns.items()
        if relation != model["relation_name"]
    }
    seen_through = {**model, "depends_on": {**model["depends_on"], "nodes": list(upstream)}}
    nodes = {**manifest["nodes"], model["unique_id"]: seen_through}
    for event in events:
        if not _finished(event, model["unique_id"]):
            continue
        informed = replace(event, event_history_metadata={"columns": own, "parents": parents})
        for made in informed.to_default_asset_events(
            {**manifest, "nodes": nodes}, keys, target_path=run / "target"
        ):
            lineage = TableMetadataSet.extract(made.metadata).column_lineage
            if lineage is not None:
                return {
                    column: sorted({("/".join(d.asset_key.path), d.column_name) for d in deps})
                    for column, deps in sorted(lineage.deps_by_column.items())
                }
    return {}


def _typed(columns: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"data_type": type_} for name, type_ in columns.items()}


def _finished(event: Any, unique_id: str) -> bool:
    return (
        bool(event.is_result_event)
        and event.raw_event["data"]["node_info"]["unique_id"] == unique_id
    )
