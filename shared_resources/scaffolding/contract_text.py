"""The text of a new product's contract.

Belongs here: what it promises to begin with.
Does not belong here: which product it is (`new_product.py`).

A product of landed files begins with two columns, to be replaced by those of the files; one that reads
another begins with the columns of its first input, which it promises again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from shared_resources.contracts.file_formats import all_formats
from shared_resources.contracts.model import Column, Contract
from shared_resources.contracts.reading.logical_types import PHYSICAL_TYPES

if TYPE_CHECKING:
    from shared_resources.scaffolding.new_product import NewProduct

_SCHEMA = (
    "# yaml-language-server: $schema=../../../../docs/reference/schemas/contract.schema.json\n"
)
_LANDED: tuple[Mapping[str, Any], ...] = (
    {
        "name": "row_id",
        "logicalType": "integer",
        "physicalType": "BIGINT",
        "description": "What tells one row from the others.",
        "classification": "internal",
        "required": True,
        "primaryKey": True,
        "primaryKeyPosition": 1,
    },
    {
        "name": "remark",
        "logicalType": "string",
        "physicalType": "VARCHAR",
        "description": "To be replaced, with row_id, by the columns of the files.",
        "classification": "internal",
    },
)


def contract_text(product: NewProduct, owner: str, inputs: Sequence[Contract]) -> str:
    """YAML that the mesh's checks have nothing against."""
    columns = (
        [dict(one) for one in _LANDED] if not inputs else list(map(_column, inputs[0].columns))
    )
    contract: dict[str, Any] = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": f"{product.domain}-{product.name}".replace("_", "-"),
        "name": product.name,
        "version": "1.0.0",
        "status": "active",
        "domain": product.domain,
        "description": {"purpose": product.description},
        "team": {"name": product.domain, "members": [{"username": owner, "role": "owner"}]},
        "servers": [{"server": "lake", "type": "custom"}],
        "slaProperties": [
            {"property": "latency", "value": 2, "unit": "d"},
            {"property": "retention", "value": 1, "unit": "y"},
        ],
        "schema": [
            {
                "name": product.name,
                "logicalType": "object",
                "description": product.description,
                "properties": columns,
            }
        ],
    }
    if not inputs:
        contract["customProperties"] = [_landing(product)]
    text = yaml.safe_dump(contract, sort_keys=False, allow_unicode=True, width=100)
    return _SCHEMA + text


def _landing(product: NewProduct) -> dict[str, Any]:
    endings = all_formats()[product.format].endings
    place = {
        "prefix": f"{product.domain}/{product.name}",
        "format": product.format,
        "mode": "replace",
        "object": f"*{endings[0]}",
    }
    return {"property": "landing", "vendor": "mesh", "value": place}


def _column(column: Column) -> dict[str, Any]:
    physical = str(column.type)
    name = physical.partition("(")[0]
    logical = next(one for one, names in PHYSICAL_TYPES.items() if name in names)
    said: dict[str, Any] = {
        "name": column.name,
        "logicalType": logical,
        "physicalType": physical,
        "description": column.description or f"As {column.name} of what it is made of.",
    }
    if column.classification is not None:
        said["classification"] = column.classification.value
    if column.required:
        said["required"] = True
    if column.unique:
        said["unique"] = True
    if column.primary_key_position is not None:
        said |= {"primaryKey": True, "primaryKeyPosition": column.primary_key_position}
    return said
