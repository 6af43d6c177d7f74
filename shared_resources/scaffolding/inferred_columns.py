"""What was inferred from data, as the fields of a contract.

Belongs here: columns and custom properties.
Does not belong here: what is inferred (`inference/`), the text of a contract (`contract_text.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared_resources.contracts.reading.logical_types import PHYSICAL_TYPES
from shared_resources.contracts.types import ColumnType
from shared_resources.inference.inferred import Inferred, InferredColumn


def column_type(type_: ColumnType) -> dict[str, Any]:
    """The fields that say a column's type."""
    physical = str(type_)
    name = physical.partition("(")[0]
    logical = next(one for one, names in PHYSICAL_TYPES.items() if name in names)
    return {"logicalType": logical, "physicalType": physical}


def inferred_column(column: InferredColumn, of: Inferred) -> dict[str, Any]:
    """The fields of a column."""
    said: dict[str, Any] = {"name": column.name, **column_type(column.type)}
    if of.landing is not None and column.landed_as != column.name:
        said["physicalName"] = column.landed_as
    said["description"] = f"{column.landed_as.strip() or column.name}, to be described."
    said["classification"] = column.classification.value
    if column.name in of.key:
        said |= {"primaryKey": True, "primaryKeyPosition": of.key.index(column.name) + 1}
    if column.required:
        said["required"] = True
    if column.unique:
        said["unique"] = True
    if column.options:
        said["logicalTypeOptions"] = dict(column.options)
    if column.enumeration:
        said["enum"] = [{"value": value} for value in column.enumeration]
    if column.to_confirm:
        said["customProperties"] = [_to_confirm(column.to_confirm)]
    return said


def inferred_properties(inferred: Inferred) -> list[dict[str, Any]]:
    """The product's custom properties but its landing."""
    found = []
    if inferred.partitions is not None:
        found.append({"property": "partitions", "vendor": "mesh", "value": inferred.partitions})
    if inferred.to_confirm:
        found.append(_to_confirm(inferred.to_confirm))
    return found


def _to_confirm(said: Sequence[str]) -> dict[str, Any]:
    return {"property": "toConfirm", "vendor": "mesh", "value": [*said]}
