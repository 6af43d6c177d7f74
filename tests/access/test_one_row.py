"""One row in Python is what the door's engine shows of it: over agreements and values made at random.

Belongs here: that both are equal. Does not belong here: the door itself, whose rows are held to what is
computed in `test_equivalence.py`.
"""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from shared_resources.access.granted_snapshot import GrantedSnapshot, Secrets
from shared_resources.access.grants import Grant, NoAgreement
from shared_resources.access.one_row.granted import GrantedRow
from shared_resources.access.principal import Principal
from shared_resources.access.terms import Terms
from shared_resources.contracts.roles.conditions import parse_condition
from shared_resources.contracts.roles.masks import GENERALISE, KINDS, QUERY_LOCAL
from shared_resources.contracts.roles.model import Mask
from shared_resources.contracts.types import ColumnType, Family, arrow_schema
from shared_resources.serving_ports.rows import rows_of
from shared_resources.stores.protocol import Version
from tests.access.test_equivalence import VALUES
from tests.serving_ports.made import generation

AGREEMENTS, QUICK = 300, 4
SECRET = Secrets(b"i" * 64, b"o" * 64)
TYPES = {
    "id": ColumnType(Family.INTEGER),
    "text": ColumnType(Family.STRING),
    "wide": ColumnType(Family.INTEGER),
    "narrow": ColumnType(Family.INTEGER, width=32),
    "share": ColumnType(Family.FLOAT),
    "half": ColumnType(Family.FLOAT, width=32),
    "price": ColumnType(Family.DECIMAL, precision=10, scale=2),
    "yes": ColumnType(Family.BOOLEAN),
    "day": ColumnType(Family.DATE),
    "moment": ColumnType(Family.TIMESTAMP),
    "instant": ColumnType(Family.TIMESTAMP_TZ),
}
MORE: dict[str, list[Any]] = {
    "share": [0.1, 1e-300, -1e300, math.nan, math.inf, -math.inf, -0.0, 10.0, 9.999999999999998],
    "half": [
        0.0,
        0.10000000149011612,
        -12.5,
        3.4028234663852886e38,
        math.nan,
        math.inf,
        16777216.0,
    ],
    "text": ["zz", "9(8)-7", "ÄÖÜ", "a%", "\x00", "A"],
    "instant": [datetime(2024, 3, 31, 23, 59, 59, tzinfo=UTC), datetime(1, 1, 2, tzinfo=UTC)],
    "price": [Decimal("99999999.99"), Decimal("-5.00")],
}
CONDITIONS = [
    "share > 0.1", "share >= 9.5", "share = 0", "NOT share < 1e300", "half = 0.1", "half <= 0.1",
    "half IN (0.1, 16777217)", "share IN (0, 10)", "text > 'a'", "text <= 'Z'", "text IN ('a', 'zz')",
    "NOT text LIKE 'a%'", "wide >= 0 AND narrow < 0", "wide < 0 OR narrow IS NULL",
    "NOT (wide < 0 OR yes)", "yes", "NOT yes", "day IS NULL", "day < '2000-01-01'",
    "price BETWEEN -1.00 AND 12.34", "price <> 12.34", "moment < '1970-01-01 00:00:00'",
    "instant > '2024-01-01T00:00:00+02:00'", "NOT price IN (0.00, 12.34)",
    "(text = 'a' OR wide IS NULL) AND NOT (narrow = 0 AND yes)",
]  # fmt: skip
MADE = random.Random(7)
ROWS = [
    {
        "id": n,
        **{
            name: MADE.choice([*VALUES.get(name, ()), *MORE.get(name, ()), None])
            for name in TYPES
            if name != "id"
        },
    }
    for n in range(150)
]
SCHEMA = arrow_schema(tuple(TYPES.items()))
TABLE = pa.Table.from_pylist(ROWS, SCHEMA)
VERSION = Version("crm/values", "lake", 1, "", len(ROWS), datetime(2026, 1, 1, tzinfo=UTC))


class Published:
    """A version in memory, whole."""

    version, schema = VERSION, SCHEMA

    def register(self, connection, name, columns=None, partitions=None) -> None:
        connection.register(name, TABLE.select(columns) if columns else TABLE)


def terms(number: int) -> Terms:
    made = random.Random(number)
    others = made.sample(sorted(set(TYPES) - {"id"}), made.randint(1, len(TYPES) - 1))
    masks = {}
    for name in others:
        kinds = [k for k in KINDS if TYPES[name].family in KINDS[k].families and k != QUERY_LOCAL]
        if kind := made.choice([None, *kinds]):
            steps = (
                ["1", "3", "10", "1000"] if TYPES[name].family is Family.INTEGER else ["10", "0.5"]
            )
            masks[name] = Mask(kind, Decimal(made.choice(steps)) if kind == GENERALISE else None)
    texts = made.sample(CONDITIONS, made.choice([0, 1, 1, 2]))
    return Terms(("id", *others), masks, tuple(parse_condition(text, TYPES) for text in texts))


def through_the_door(given: Terms) -> dict[int, dict[str, Any]]:
    grant = Grant(VERSION.product, Principal("marketing"), given)
    shown = GrantedSnapshot(Published(), grant, SECRET, lambda _: lambda _: None)  # type: ignore[arg-type]
    batches = shown.batches().read_all()
    return {row["id"]: row for row in batches.to_pylist()}


def one_by_one(given: Terms) -> dict[int, dict[str, Any]]:
    from dataclasses import replace

    served = replace(
        generation(1),
        columns=tuple((name, type_.duckdb) for name, type_ in TYPES.items()),
        shown=tuple(TYPES),
    )
    granted = GrantedRow(given, TYPES, tuple(TYPES), VERSION, SECRET)
    found = {}
    for _, text in rows_of(TABLE.to_batches()[0], served):
        if (row := granted.of(json.loads(text))) is not None:
            found[row["id"]] = row
    return found


def written(row: dict[str, Any]) -> str:
    """As JSON, in which NaN is equal to itself and -0.0 is not 0.0."""
    said = {}
    for name, value in row.items():
        if isinstance(value, datetime) and value.tzinfo is not None:
            value = value.astimezone(UTC)
        if isinstance(value, (datetime, date)):
            value = value.isoformat()
        said[name] = str(value) if isinstance(value, Decimal) else value
    return json.dumps(said)


@pytest.mark.parametrize(
    "tens",
    [
        *range(QUICK),
        *(pytest.param(tens, marks=pytest.mark.slow) for tens in range(QUICK, AGREEMENTS // 10)),
    ],
)
def test_a_row_is_shown_as_the_door_shows_it(tens: int) -> None:
    for number in range(tens * 10, tens * 10 + 10):
        given = terms(number)
        wanted, found = through_the_door(given), one_by_one(given)
        assert found.keys() == wanted.keys(), [row.text for row in given.rows]
        for id_, row in wanted.items():
            assert written(found[id_]) == written(row), given


def test_a_hash_that_joins_in_one_reading_alone_is_another_each_time() -> None:
    given = Terms(("id", "text"), {"text": Mask(QUERY_LOCAL)})
    granted = GrantedRow(given, TYPES, tuple(TYPES), VERSION, SECRET)
    row = [1, "a", *[None] * (len(TYPES) - 2)]
    first, second = (granted.of(row) for _ in range(2))
    assert first is not None and second is not None and first["text"] != second["text"]
    assert len(first["text"]) == 64


def test_terms_that_do_not_fit_the_version_are_refused_as_at_the_door() -> None:
    given = Terms(("id",), {}, (parse_condition("wide > 1", TYPES),))
    without = {name: type_ for name, type_ in TYPES.items() if name != "wide"}
    with pytest.raises(NoAgreement, match="wide"):
        GrantedRow(given, without, tuple(without), VERSION, SECRET)
    with pytest.raises(NoAgreement, match="none of the columns"):
        GrantedRow(Terms(("id",)), TYPES, ("text",), VERSION, SECRET)
