"""Column lineage: which columns of which products each column of a model is made from.

Belongs here: asking sqlglot of the statement that dbt compiled, and its answers in product keys.
Does not belong here: what a run says of it (`locations/product_asset.py`).

dagster-dbt derives the same in the same way, but brings dbt itself into the process that asks, which
took two of the four seconds that the platform spent on a model beside dbt's own process.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)


def column_lineage(
    manifest: Mapping[str, Any],
    model: Mapping[str, Any],
    upstream: Sequence[str],
    columns: Mapping[str, Mapping[str, str]],
    run: Path,
) -> dict[str, list[tuple[str, str]]]:
    """Each column of the model with the (product, column) pairs that it is made from.

    `upstream` are the sources and models that hold what it reads, `columns` the columns and types of
    them and of the model itself by relation. Nothing when sqlglot does not understand the statement:
    the engine did, and no product is held back for its lineage.
    """
    file = run / "target" / "compiled" / model["package_name"] / model["original_file_path"]
    try:
        return _derived(file.read_text("utf-8"), manifest, model, upstream, columns)
    except Exception:  # noqa: BLE001 - what sqlglot does not expect ends in any of Python's errors
        _log.warning("no column lineage of %s", model["unique_id"], exc_info=True)
        return {}


def _derived(
    sql: str,
    manifest: Mapping[str, Any],
    model: Mapping[str, Any],
    upstream: Sequence[str],
    columns: Mapping[str, Mapping[str, str]],
) -> dict[str, list[tuple[str, str]]]:
    from sqlglot import MappingSchema, exp, parse_one, to_table
    from sqlglot.expressions import normalize_table_name
    from sqlglot.lineage import lineage
    from sqlglot.optimizer import optimize

    dialect = manifest["metadata"]["adapter_type"]
    schema = MappingSchema(dialect=dialect)
    for relation, types in columns.items():
        table = to_table(relation, dialect=dialect)
        schema.add_table(table, column_mapping=dict(types), dialect=dialect)
    products = {
        normalize_table_name(to_table(node["relation_name"], dialect=dialect), dialect=dialect): key
        for node, key in ((_node(manifest, one), _key(manifest, one)) for one in upstream)
    }
    optimized: Any = optimize(parse_one(sql, dialect=dialect), schema=schema, dialect=dialect)
    # As text: `lineage` cannot go through what is optimized already.
    text = optimized.sql(dialect=dialect)
    own = {name.lower() for name in columns[model["relation_name"]]}
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in own}
    for column in {name for name in optimized.named_selects if name.lower() in own}:
        made_from = set()
        for node in lineage(column, text, schema=schema, dialect=dialect).walk():
            read = None if node.downstream else node.expression.find(exp.Table)
            if read is None:
                continue
            if product := products.get(normalize_table_name(read, dialect=dialect)):
                made_from.add((product, exp.to_column(node.name).name.lower()))
        found[column.lower()] = sorted(made_from)
    return dict(sorted(found.items()))


def _node(manifest: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = manifest["sources"].get(key) or manifest["nodes"][key]
    return found


def _key(manifest: Mapping[str, Any], key: str) -> str:
    node = _node(manifest, key)
    if node["resource_type"] == "source" and (led := node.get("meta", {}).get("product")):
        return str(led)
    domain = node["source_name"] if node["resource_type"] == "source" else node["fqn"][1]
    return f"{domain}/{node['name']}"
