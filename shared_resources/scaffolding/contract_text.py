"""The text of a new product's contract.

Belongs here: what it promises to begin with.
Does not belong here: which product it is (`new_product.py`).

A product of what lies outside of the mesh begins with two columns, to be replaced; one that reads another
begins with the columns of its first input, which it promises again, a model's with what it predicts. Of
what was inferred from data it begins with that, each column behind the evidence for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import TYPE_CHECKING, Any

import yaml

from shared_resources.contracts.file_formats import all_formats
from shared_resources.contracts.model import Classification, Column, Contract
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.scaffolding.beginnings import Beginning
from shared_resources.scaffolding.inferred_columns import (
    column_type,
    inferred_column,
    inferred_properties,
)
from shared_resources.scaffolding.machine_learning import learned, predicted_columns
from shared_resources.scaffolding.stream import stream_properties

if TYPE_CHECKING:
    from shared_resources.scaffolding.new_product import NewProduct

_SCHEMA = (
    "# yaml-language-server: $schema=../../../../docs/reference/schemas/contract.schema.json\n"
)
# YAML takes these for ends of lines, which do not come back as they were.
_LINE_ENDS = ("\x85", "\u2028", "\u2029", "\ufeff")
# Who may have the role is for agreements to say: without one nobody outside of the domain reads it.
READER = "reader"
# Of what lies outside of the mesh and was not looked at.
LANDED = (
    Column(
        name="row_id",
        type=ColumnType(Family.INTEGER),
        description="What tells one row from the others.",
        classification=Classification.INTERNAL,
        required=True,
        primary_key_position=1,
    ),
    Column(
        name="remark",
        type=ColumnType(Family.STRING),
        description="To be replaced, with row_id, by the columns of what it is made of.",
        classification=Classification.INTERNAL,
    ),
)


def contract_text(product: NewProduct, owner: str, inputs: Sequence[Contract]) -> str:
    """YAML that the mesh's checks have nothing against, but what is to be confirmed of it."""
    inferred = product.inferred
    contract: dict[str, Any] = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": f"{product.domain}-{product.name}".replace("_", "-"),
        "name": product.name,
        "version": "0.1.0",
        "status": "active",
        "domain": product.domain,
        "description": {"purpose": product.description},
        "team": {"name": product.domain, "members": [{"username": owner, "role": "owner"}]},
        "servers": [{"server": "lake", "type": "custom"}],
        "slaProperties": [
            {"property": "latency", "value": 2, "unit": "d"},
            {"property": "retention", "value": 1, "unit": "y"},
        ],
    }
    own = [] if inferred is None else inferred_properties(inferred)
    if product.kind is Beginning.INGEST:
        own.insert(0, {"property": "landing", "vendor": "mesh", "value": _landing(product)})
    if product.kind is Beginning.STREAM:
        own[:0] = stream_properties(product.topic, inferred)
    if own:
        contract["customProperties"] = own
    contract["roles"] = [{"role": READER, "description": "Every column."}]
    table = {"name": product.name, "logicalType": "object", "description": product.description}
    contract["schema"] = [table]
    evidence = () if inferred is None else inferred.evidence
    text = _SCHEMA + "".join(map(_comment, evidence)) + _dumped(contract) + "  properties:\n"
    return text + indent("".join(_columns(product, inputs)), "  ")


def _columns(product: NewProduct, inputs: Sequence[Contract]) -> list[str]:
    inferred = product.inferred
    if product.kind is Beginning.MACHINE_LEARNING:
        of = learned(inputs[0])
        said = [*map(_column, of.key), *predicted_columns(of)]
        return [_with_comment(one) for one in said]
    if inferred is not None:
        return [
            _with_comment(inferred_column(one, inferred), "; ".join(one.evidence))
            for one in inferred.columns
        ]
    return [_with_comment(_column(one)) for one in (inputs[0].columns if inputs else LANDED)]


def _with_comment(column: Mapping[str, Any], *comments: str) -> str:
    return "".join(map(_comment, comments)) + _dumped([dict(column)])


def _comment(text: str) -> str:
    """One line, whatever the text holds."""
    return "# " + " ".join("".join(filter(str.isprintable, text)).split()) + "\n"


def _dumped(what: Any) -> str:
    text = str(yaml.safe_dump(what, sort_keys=False, allow_unicode=True, width=100))
    if any(letter in text for letter in _LINE_ENDS):
        return str(yaml.safe_dump(what, sort_keys=False, allow_unicode=False, width=100))
    return text


def _landing(product: NewProduct) -> dict[str, Any]:
    if product.inferred is not None and product.inferred.landing is not None:
        return {"prefix": f"{product.domain}/{product.name}", **product.inferred.landing}
    endings = all_formats()[product.format].endings
    return {
        "prefix": f"{product.domain}/{product.name}",
        "format": product.format,
        "mode": "replace",
        "object": f"*{endings[0]}",
    }


def _column(column: Column) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": column.name,
        **column_type(column.type),
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
