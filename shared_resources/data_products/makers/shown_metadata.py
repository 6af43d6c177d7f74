"""The numbers that a product's function shows beside a version, checked before there is one.

Belongs here: which names and values a function may give (`Produced(metadata=…)`).
Does not belong here: what the platform itself shows (`reporting/metadata.py`).

Whatever is wrong with them fails the run before anything is published: afterwards it would be a
failed run of a version that readers see.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from shared_resources.data_products.function import ProductProblem

# What the platform says of a version; under the prefixes Dagster and the mesh may say more one day.
RESERVED = frozenset(
    {
        *(
            "version",
            "published to",
            "contract version",
            "rows quarantined",
            "inputs",
            "quarantine",
        ),
        *("attestation", "agreements", "column lineage", "columns are made from"),
        *("topic", "offsets", "messages", "messages rejected", "messages without a value"),
        *("messages skipped", "windows in this run", "versions since the last one here"),
    }
)
RESERVED_PREFIXES = ("dagster/", "dagster_", "mesh/", "mesh.", "__")
LONGEST_NAME = 200
LARGEST = 64 * 1024  # of all of it, as JSON: it is in each event of each partition


def checked_metadata(product: str, metadata: object) -> dict[str, Any]:
    """The metadata as JSON values. Raises `ProductProblem` for what cannot be shown."""
    if not isinstance(metadata, Mapping):
        raise ProductProblem(
            f"{product}: Produced(metadata=…) is a {type(metadata).__name__}; give a dictionary"
        )
    checked = {
        _name(product, name): _plain(product, str(name), value, 0)
        for name, value in metadata.items()
    }
    size = len(json.dumps(checked))
    if size > LARGEST:
        raise ProductProblem(
            f"{product}: the metadata of its function is {size:,} bytes of JSON; keep it below "
            f"{LARGEST:,}, and publish more as a product of its own"
        )
    return checked


def _name(product: str, name: object) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        raise ProductProblem(
            f"{product}: metadata has the name {str(name)[:LONGEST_NAME]!r}; a name is text of at "
            f"most {LONGEST_NAME} characters"
        )
    name = str.__str__(name)  # without its subclass, which may compare as it likes
    if not name.isprintable():
        raise ProductProblem(
            f"{product}: metadata has the name {name!a}; a name holds characters that can be "
            "printed, and no line break"
        )
    plain = name.strip().lower()
    if plain in RESERVED or plain.startswith(RESERVED_PREFIXES):
        raise ProductProblem(
            f"{product}: metadata has the name {name!r}, under which the platform says what it has "
            "published; choose another"
        )
    return name


def _plain(product: str, name: str, value: Any, depth: int) -> Any:
    """The value in JSON's types; numpy's and pandas' scalars are what they hold."""
    if depth < 20:
        if hasattr(value, "item") and not getattr(value, "shape", ()):
            value = value.item()
        if value is None or isinstance(value, bool | str | int):
            return _encodable(product, name, value)
        if isinstance(value, float) and math.isfinite(value):
            return value
        if isinstance(value, Decimal) and value.is_finite():
            return float(value)
        if isinstance(value, date):
            return value.isoformat()
        if type(value) in (list, tuple):  # Dagster's own values are tuples, too
            return [_plain(product, name, inner, depth + 1) for inner in value]
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {
                _encodable(product, name, key): _plain(product, name, inner, depth + 1)
                for key, inner in value.items()
            }
    shown = repr(value) if isinstance(value, float | Decimal) else f"a {type(value).__name__}"
    raise ProductProblem(
        f"{product}: metadata {name!r} holds {shown}, which is no JSON value; give a finite number, "
        "text, a list or a dictionary of these, or leave it out"
    )


def _encodable(product: str, name: str, value: Any) -> Any:
    """Text that a database can keep, and an int as Python writes it, without its subclass."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ProductProblem(
                f"{product}: metadata {name!r} holds characters that no text may hold; take them out"
            )
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > 63:
            raise ProductProblem(
                f"{product}: metadata {name!r} holds a whole number beyond 64 bits; give it as text"
            )
        return int(value)
    return value
