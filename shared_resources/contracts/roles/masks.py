"""The kinds of mask: what each makes of a value, on which types.

Belongs here: their names and DuckDB's SQL for each. The first nine are the actions of Iceberg's read
restrictions, with its names and meanings (apache/iceberg, pull request 13879, the schema `Action` of
the REST catalog's specification), so that they can leave through any engine; the others are ours.
Does not belong here: which column has which mask (`model.py`), the key (`access/masking_key.py`).

Each keeps the column's type, and of each a null stays a null. The key of a keyed hash, and the salt
of a query's, are variables of the connection: a statement is shown in errors, a variable is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared_resources.contracts.roles.model import Mask
from shared_resources.contracts.types import MOMENTS, ColumnType, Family

SALT = "mesh_query_salt"
# The two halves of HMAC's key (FIPS 198-1), each one block of SHA-256 long.
INNER_KEY = "mesh_inner_key"
OUTER_KEY = "mesh_outer_key"
BLOCK = 64

_ANY = frozenset(Family)
_TEXT = frozenset({Family.STRING})
_HASHED = frozenset({Family.STRING, Family.INTEGER})
_NUMBERS = frozenset({Family.INTEGER, Family.FLOAT, Family.DECIMAL})

KEYED_HASH = "keyed-hash"
QUERY_LOCAL = "sha-256-query-local"
GENERALISE = "generalise"
REPLACE_WITH_NULL = "replace-with-null"

# The value that stands for every other of its type: `mask-to-fixed-value` of Iceberg.
FIXED: Mapping[Family, str] = {
    Family.STRING: "'XXXXXXXX'",
    Family.INTEGER: "0",
    Family.FLOAT: "0",
    Family.DECIMAL: "0",
    Family.BOOLEAN: "false",
    Family.DATE: "'1970-01-01'",
    Family.TIMESTAMP: "'1970-01-01 00:00:00'",
    Family.TIMESTAMP_TZ: "'1970-01-01 00:00:00+00'",
}


@dataclass(frozen=True)
class MaskKind:
    """`standard`: it is an action of Iceberg's read restrictions, by this name.

    `duckdb` writes the masked value of a quoted column of a type, as DuckDB's SQL. `hides`: the value
    cannot be had back from what is shown; one of four characters is shown as it is by the two that show
    four, and a hash without a key can be looked up by whoever guesses the value.
    """

    name: str
    says: str
    families: frozenset[Family]
    duckdb: Callable[[str, ColumnType, Mask], str]
    standard: bool = True
    hides: bool = True


def masked(column: str, type_: ColumnType, mask: Mask, salt: str | None = None) -> str:
    """DuckDB's expression for the masked value of a quoted column. `salt` is what a query's hash is
    salted with, an expression of bytes; without it the connection's variable. Raises `KeyError` for a
    mask that does not exist, `ValueError` for one that does not fit the type."""
    kind = KINDS[mask.kind]
    if type_.family not in kind.families:
        raise ValueError(f"{mask.kind} does not mask a {type_.family}")
    if salt is not None and kind.name == QUERY_LOCAL:
        return f"CAST({_salted(salt, column, type_)} AS {type_})"
    return f"CAST({kind.duckdb(column, type_, mask)} AS {type_})"


def _redacted(text: str) -> str:
    """Digits become n, everything else x but for ``( ) , . - @``; by code point."""
    others = f"regexp_replace({text}, '[^0-9(),.@-]', 'x', 'g')"
    return f"regexp_replace({others}, '[0-9]', 'n', 'g')"


def _alphanum(column: str, *_: object) -> str:
    return _redacted(column)


def _first_4(column: str, *_: object) -> str:
    return f"substr({column}, 1, 4) || {_redacted(f'substr({column}, 5)')}"


def _last_4(column: str, *_: object) -> str:
    hidden = _redacted(f"substr({column}, 1, greatest(length({column}) - 4, 0))")
    return f"{hidden} || right({column}, 4)"


def _fixed(column: str, type_: ColumnType, _: Mask) -> str:
    return f"CASE WHEN {column} IS NOT NULL THEN CAST({FIXED[type_.family]} AS {type_}) END"


def _null(*_: object) -> str:
    return "NULL"


def _truncated(unit: str) -> Callable[[str, ColumnType, Mask], str]:
    def duckdb(column: str, type_: ColumnType, _: Mask) -> str:
        if type_.family is Family.TIMESTAMP_TZ:  # in UTC, whatever the connection's zone
            zoned = "AT TIME ZONE 'UTC'"
            return f"date_trunc('{unit}', {column} {zoned}) {zoned}"
        return f"date_trunc('{unit}', {column})"

    return duckdb


def _bytes(column: str, type_: ColumnType) -> str:
    """The value as bytes: text in UTF-8, an integer in two's complement with the lowest byte first."""
    if type_.family is Family.STRING:
        return f"encode({column})"
    digits = type_.width // 4
    whole = f"CAST({column} AS HUGEINT)"
    unsigned = f"CASE WHEN {column} < 0 THEN {whole} + {1 << type_.width} ELSE {whole} END"
    hexed = f"lpad(to_hex(CAST({unsigned} AS UBIGINT)), {digits}, '0')"
    return f"unhex({_reversed(hexed, digits)})"


def _reversed(hexed: str, digits: int) -> str:
    return " || ".join(f"substr({hexed}, {start}, 2)" for start in range(digits - 1, 0, -2))


def _of_digest(digest: str, type_: ColumnType) -> str:
    """A hex digest as a value of the type: whole for text, its first bytes for an integer."""
    if type_.family is Family.STRING:
        return digest
    digits = type_.width // 4
    number = f"CAST('0x' || {_reversed(f'substr({digest}, 1, {digits})', digits)} AS UBIGINT)"
    wide, half = f"CAST({number} AS HUGEINT)", 1 << (type_.width - 1)
    return f"CASE WHEN {number} >= {half} THEN {wide} - {2 * half} ELSE {wide} END"


def _sha_256(column: str, type_: ColumnType, _: Mask) -> str:
    return _of_digest(f"sha256({_bytes(column, type_)})", type_)


def _sha_256_of_query(column: str, type_: ColumnType, _: Mask) -> str:
    return _salted(f"getvariable('{SALT}')", column, type_)


def _salted(salt: str, column: str, type_: ColumnType) -> str:
    return _of_digest(f"sha256({salt} || {_bytes(column, type_)})", type_)


def _keyed_hash(column: str, type_: ColumnType, _: Mask) -> str:
    inner = f"unhex(sha256(getvariable('{INNER_KEY}') || {_bytes(column, type_)}))"
    return _of_digest(f"sha256(getvariable('{OUTER_KEY}') || {inner})", type_)


def _generalised(column: str, type_: ColumnType, mask: Mask) -> str:
    step = format(mask.step or 1, "f")
    match type_.family:
        case Family.FLOAT:
            return f"floor({column} / {step}) * {step}"
        case Family.INTEGER:
            wide = f"CAST({column} AS HUGEINT)"
            down = f"{wide} - ((({wide} % {step}) + {step}) % {step})"
            # Below the least number of the type there is none to round down to.
            least = -(1 << (type_.width - 1))
            return f"CASE WHEN {column} IS NOT NULL THEN greatest({down}, {least}) END"
        case _:
            wide = f"DECIMAL({min(38, type_.precision + 2)},{type_.scale})"
            exact, value = f"CAST({step} AS {wide})", f"CAST({column} AS {wide})"
            down = f"{value} - ((({value} % {exact}) + {exact}) % {exact})"
            lowest = f"-{'9' * (type_.precision - type_.scale) or '0'}.{'9' * type_.scale or '0'}"
            return f"CASE WHEN {column} IS NOT NULL THEN greatest({down}, {lowest}) END"


_KINDS = (
    MaskKind("mask-alphanum", "digits as n, other characters as x", _TEXT, _alphanum),
    MaskKind("mask-to-fixed-value", "one value for all", _ANY, _fixed),
    MaskKind(REPLACE_WITH_NULL, "nothing", _ANY, _null),
    MaskKind(
        "show-first-4",
        "the first four characters, the others as n and x",
        _TEXT,
        _first_4,
        hides=False,
    ),
    MaskKind(
        "show-last-4",
        "the last four characters, the others as n and x",
        _TEXT,
        _last_4,
        hides=False,
    ),
    MaskKind("truncate-to-year", "the first moment of its year", MOMENTS, _truncated("year")),
    MaskKind("truncate-to-month", "the first moment of its month", MOMENTS, _truncated("month")),
    MaskKind("sha-256-global", "its SHA-256, the same everywhere", _HASHED, _sha_256, hides=False),
    MaskKind(QUERY_LOCAL, "a hash that joins in one reading alone", _HASHED, _sha_256_of_query),
    MaskKind(
        KEYED_HASH,
        "a hash with the mesh's secret key, which joins across products",
        _HASHED,
        _keyed_hash,
        standard=False,
    ),
    MaskKind(
        "truncate-to-day",
        "the first moment of its day",
        MOMENTS - {Family.DATE},
        _truncated("day"),
        standard=False,
    ),
    MaskKind(GENERALISE, "rounded down to a step", _NUMBERS, _generalised, standard=False),
)
KINDS: Mapping[str, MaskKind] = {kind.name: kind for kind in _KINDS}
