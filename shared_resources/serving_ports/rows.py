"""Rows of a version as keys and text: how they are written, told apart, and compared.

Belongs here: from Arrow to `(key, row)`, a key from what a reader says, the digest of many rows.
Does not belong here: a single value's form (`access/one_row/values.py`), where rows are kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from shared_resources.access.one_row.values import encoder
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    import pyarrow as pa

    from shared_resources.serving_ports.port import Generation, Row

_SPACE = 1 << 128
# Python's own context has 28 digits, a column up to 38.
_EXACT = Context(prec=80, traps=[InvalidOperation])
_WHOLE = re.compile("-?[0-9]{1,19}")
_TRUTH = {"true": True, "false": False}


class NotAKey(MeshProblem):
    """What a reader names cannot be a key of the product; the message says what can."""

    exit_code = 2


class CannotBeServed(MeshProblem):
    """The version cannot be served by its key; the message says why, and shows no value."""


class Digest:
    """Of any number of rows in any order: their count, and the sum of each one's hash."""

    def __init__(self) -> None:
        self.rows = self._sum = 0

    def through(self, rows: Iterable[Row]) -> Iterator[Row]:
        for key, row in rows:
            hashed = hashlib.blake2b(f"{key}\0{row}".encode(), digest_size=16).digest()
            self._sum += int.from_bytes(hashed)
            self.rows += 1
            yield key, row

    @property
    def text(self) -> str:
        return f"{self._sum % _SPACE:032x}"


def rows_of(batch: pa.RecordBatch, generation: Generation) -> Iterator[Row]:
    """Each row of the batch, whose columns are the generation's. Raises `CannotBeServed`."""
    columns = []
    for name, type_ in generation.types.items():
        values = _values(batch.column(name), name, generation.product)
        encode = encoder(type_)
        if encode is not None:
            values = [None if value is None else encode(value) for value in values]
        columns.append(values)
    places = [list(generation.types).index(name) for name in generation.key]
    for row in zip(*columns, strict=True):
        parts = [row[place] for place in places]
        if None in parts:
            raise CannotBeServed(
                f"{generation.product}: a row has no {', '.join(generation.key)}, and cannot be found by "
                "it; make the columns of the key required"
            )
        yield key_text(parts), _json(row)


def _values(column: pa.Array, name: str, product: str) -> list[Any]:
    try:
        found: list[Any] = column.to_pylist()
    except (ValueError, OverflowError) as problem:
        raise CannotBeServed(
            f"{product}: {name} has a moment that lies outside of the years 1 to 9999; it cannot be "
            "served"
        ) from problem
    return found


def key_text(parts: Sequence[Any]) -> str:
    """The key of these values, each as it is written in a row."""
    return _json([part if isinstance(part, str) else json.dumps(part) for part in parts])


def key_of(said: Sequence[str], generation: Generation) -> str:
    """The key that a reader means by these texts, one a column of the key. Raises `NotAKey`."""
    names = generation.key
    if len(said) != len(names):
        raise NotAKey(
            f"{generation.product} has the key {'/'.join(names)}, and {len(said)} parts were given; "
            f"write /{generation.product}/" + "/".join(f"{{{name}}}" for name in names)
        )
    parts = []
    for name, text in zip(names, said, strict=True):
        try:
            parts.append(_typed(text, generation.types[name]))
        except (ValueError, KeyError, TypeError, InvalidOperation):
            type_ = generation.types[name]
            raise NotAKey(
                f"{name} of {generation.product} is of type {type_.family}; what was given is not"
            ) from None
    return key_text(parts)


def _typed(text: str, type_: ColumnType) -> Any:
    """The value as it is written in a row."""
    match type_.family:
        case Family.STRING:
            return text
        case Family.INTEGER:
            return int(_matching(_WHOLE, text))
        case Family.BOOLEAN:
            return _TRUTH[text.lower()]
        case Family.DECIMAL:
            value = _EXACT.create_decimal(text)
            exact = _EXACT.quantize(value, Decimal(1).scaleb(-type_.scale))
            if exact != value:
                raise ValueError
            return format(exact, "f")
        case Family.DATE:
            return date.fromisoformat(text).isoformat()
        case Family.TIMESTAMP:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                raise ValueError
            return moment.isoformat()
        case _:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise ValueError
            return moment.astimezone(UTC).isoformat()


def _matching(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError
    return found[0]


# `json.dumps` makes an encoder for each call that is given any option, which takes half of its time.
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
