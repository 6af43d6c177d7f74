"""Masks: each makes of each value what Iceberg's specification, or ours, says; a null stays null.

What is expected is computed here in Python, from the text of the specification, not from the SQL.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from shared_resources.contracts.roles.masks import (
    BLOCK,
    FIXED,
    INNER_KEY,
    KINDS,
    OUTER_KEY,
    SALT,
    masked,
)
from shared_resources.contracts.roles.model import Mask
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.stores.reading.duck import in_memory

TEXTS = ["", "a", "abcd", "prashant010696@gmail.com", "4111-1111-1111-4444", "Ü😀\n7(x)", "٣9", " "]
LONGS = [0, 1, -1, 255, 2**63 - 1, -(2**63), 1_234_567_890_123]
INTS = [0, 1, -1, 255, 2**31 - 1, -(2**31)]
DATES = [date(1, 1, 1), date(1970, 1, 1), date(2024, 2, 29), date(9999, 12, 31)]
MOMENTS = [datetime(1, 1, 1), datetime(2024, 7, 15, 23, 59, 59, 999_999), datetime(1969, 12, 31, 1)]
DECIMALS = [Decimal("0.00"), Decimal("-0.01"), Decimal("12.34"), Decimal("-99999999.99")]
FLOATS = [0.0, -0.5, 12.34, 1e300]
VALUES: dict[ColumnType, list[Any]] = {
    ColumnType(Family.STRING): TEXTS,
    ColumnType(Family.INTEGER, 64): LONGS,
    ColumnType(Family.INTEGER, 32): INTS,
    ColumnType(Family.FLOAT, 64): FLOATS,
    ColumnType(Family.FLOAT, 32): [0.0, -0.5, 12.25],
    ColumnType(Family.DECIMAL, precision=10, scale=2): DECIMALS,
    ColumnType(Family.BOOLEAN): [True, False],
    ColumnType(Family.DATE): DATES,
    ColumnType(Family.TIMESTAMP): MOMENTS,
    ColumnType(Family.TIMESTAMP_TZ): [moment.replace(tzinfo=UTC) for moment in MOMENTS],
}
KEY = b"a key of the tests, which nobody else has"
SALTED = b"0123456789abcdef"


def _redacted(text: str) -> str:
    return "".join(c if c in "(),.-@" else "n" if c in "0123456789" else "x" for c in text)


def _hashed(digest: Callable[[bytes], bytes]) -> Callable[[Any, ColumnType], Any]:
    def mask(value: Any, type_: ColumnType) -> Any:
        if isinstance(value, str):
            return digest(value.encode()).hex()
        size = type_.width // 8
        found = digest(value.to_bytes(size, "little", signed=True))
        return int.from_bytes(found[:size], "little", signed=True)

    return mask


def _sha(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _down(value: Any, type_: ColumnType, step: Decimal = Decimal(10)) -> Any:
    if type_.family is Family.INTEGER:
        return max(value // 10 * 10, -(2 ** (type_.width - 1)))
    if type_.family is Family.FLOAT:
        return float(value // 10 * 10)
    down = (value / step).to_integral_value("ROUND_FLOOR") * step
    return max(down, Decimal("-99999999.99"))


def _fixed(value: Any, type_: ColumnType) -> Any:
    return {
        Family.STRING: "XXXXXXXX",
        Family.INTEGER: 0,
        Family.FLOAT: 0.0,
        Family.DECIMAL: Decimal("0.00"),
        Family.BOOLEAN: False,
        Family.DATE: date(1970, 1, 1),
        Family.TIMESTAMP: datetime(1970, 1, 1),
        Family.TIMESTAMP_TZ: datetime(1970, 1, 1, tzinfo=UTC),
    }[type_.family]


def _start(**parts: int) -> Callable[[Any, ColumnType], Any]:
    def mask(value: Any, type_: ColumnType) -> Any:
        if isinstance(value, datetime):
            return value.replace(**parts, hour=0, minute=0, second=0, microsecond=0)
        return value.replace(**parts)

    return mask


EXPECTED: dict[str, Callable[[Any, ColumnType], Any]] = {
    "mask-alphanum": lambda value, _: _redacted(value),
    "mask-to-fixed-value": _fixed,
    "replace-with-null": lambda *_: None,
    "show-first-4": lambda value, _: value[:4] + _redacted(value[4:]),
    "show-last-4": lambda value, _: _redacted(value[:-4]) + value[-4:],
    "truncate-to-year": _start(month=1, day=1),
    "truncate-to-month": _start(day=1),
    "truncate-to-day": _start(),
    "sha-256-global": _hashed(_sha),
    "sha-256-query-local": _hashed(lambda value: _sha(SALTED + value)),
    "keyed-hash": _hashed(lambda value: hmac.new(KEY, value, "sha256").digest()),
    "generalise": _down,
}


def _mask(kind: str) -> Mask:
    return Mask(kind, Decimal(10) if kind == "generalise" else None)


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = in_memory()
    key = KEY.ljust(BLOCK, b"\0")
    connection.execute(f"SET VARIABLE {INNER_KEY} = ?", [bytes(b ^ 0x36 for b in key)])
    connection.execute(f"SET VARIABLE {OUTER_KEY} = ?", [bytes(b ^ 0x5C for b in key)])
    connection.execute(f"SET VARIABLE {SALT} = ?", [SALTED])
    return connection


def test_every_kind_of_mask_and_every_type_that_it_masks_is_tried() -> None:
    assert set(EXPECTED) == set(KINDS)
    assert {type_.family for type_ in VALUES} == set(Family) == set(FIXED)


@pytest.mark.parametrize("type_", VALUES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_makes_of_each_value_what_is_specified(
    connection: duckdb.DuckDBPyConnection, kind: str, type_: ColumnType
) -> None:
    if type_.family not in KINDS[kind].families:
        with pytest.raises(ValueError, match="does not mask"):
            masked('"v"', type_, _mask(kind))
        return
    values = [*VALUES[type_], None]
    connection.execute(f"CREATE TABLE t (place INTEGER, v {type_})")
    for place, value in enumerate(values):
        connection.execute("INSERT INTO t VALUES (?, ?)", [place, value])

    expression = masked('"v"', type_, _mask(kind))
    query = f"SELECT {expression} AS m, typeof({expression}) FROM t ORDER BY place"
    found = connection.execute(query).fetchall()

    expected = [None if value is None else EXPECTED[kind](value, type_) for value in values]
    assert [row[0] for row in found] == expected
    assert {row[1] for row in found} == {str(type_)}


def test_the_example_of_the_specification(connection: duckdb.DuckDBPyConnection) -> None:
    text = ColumnType(Family.STRING)
    for kind, given, shown in (
        ("mask-alphanum", "prashant010696@gmail.com", "xxxxxxxxnnnnnn@xxxxx.xxx"),
        ("show-first-4", "prashant010696@gmail.com", "prasxxxxnnnnnn@xxxxx.xxx"),
        ("show-last-4", "4111-1111-1111-4444", "nnnn-nnnn-nnnn-4444"),
    ):
        query = f"SELECT {masked('v', text, Mask(kind))} FROM (SELECT ? AS v)"
        assert connection.execute(query, [given]).fetchone() == (shown,)


def test_a_moment_with_a_zone_is_truncated_in_utc_whatever_the_connections_zone(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("SET TimeZone = 'America/New_York'")
    expression = masked("v", ColumnType(Family.TIMESTAMP_TZ), Mask("truncate-to-year"))
    query = f"SELECT epoch({expression}) FROM (SELECT TIMESTAMPTZ '2024-01-01 00:30:00+00' AS v)"
    assert connection.execute(query).fetchone() == (datetime(2024, 1, 1, tzinfo=UTC).timestamp(),)


@pytest.mark.parametrize("kind", ["keyed-hash", "sha-256-query-local"])
def test_an_error_of_the_engine_shows_no_key(
    connection: duckdb.DuckDBPyConnection, kind: str
) -> None:
    expression = masked("v", ColumnType(Family.STRING), Mask(kind))
    with pytest.raises(duckdb.Error) as raised:
        connection.execute(f"SELECT {expression}, 1 / nothing FROM (SELECT 'x' AS v)")
    for secret in (KEY, SALTED):
        assert secret.hex() not in str(raised.value)
        assert secret.decode() not in str(raised.value)
