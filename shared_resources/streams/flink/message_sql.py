r"""JSON messages as typed columns, in Flink's SQL: only what is plainly written.

Belongs here: the proof that a message is one JSON object of exactly the contract's fields, its values.
Does not belong here: rules (`verdict_sql.py`), the job around it (`job_sql.py`).

As in `decoding/json/layouts.py`, one regular expression over the whole of a message proves what it is:
each field once, of its column's JSON type, without escapes, its digits such that the type holds them.
What is not proved is not refused: the job says `unread`, and the platform decodes it itself. So Flink's
own readings of JSON, which forgive what landing refuses, decide nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from shared_resources.contracts.model import Column, Contract
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.sql import quote_literal

_BLANK = r"[ \t\r\n]*"
_WHOLE = "(?:0|[1-9][0-9]*)"
# Without U+FFFD, which stands where bytes are no UTF-8.
_TEXT = r'"[^"\\\x00-\x1f\x{FFFD}]*"'
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_FLOAT = rf"-?{_WHOLE}(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
# Of a message that was proved: the value of each field, in order.
_VALUE = rf'"[^"]*"{_BLANK}:{_BLANK}("[^"]*"|[^" \t\r\n,}}]+)'


def flink_type(type_: ColumnType) -> str:
    match type_.family:
        case Family.STRING:
            return "STRING"
        case Family.INTEGER:
            return "INT" if type_.width == 32 else "BIGINT"
        case Family.FLOAT:
            return "FLOAT" if type_.width == 32 else "DOUBLE"
        case Family.DECIMAL:
            return f"DECIMAL({type_.precision}, {type_.scale})"
        case Family.BOOLEAN:
            return "BOOLEAN"
        case Family.DATE:
            return "DATE"
        case Family.TIMESTAMP:
            return "TIMESTAMP(6)"
        case Family.TIMESTAMP_TZ:
            return "TIMESTAMP_LTZ(6)"


def unreadable_columns(contract: Contract) -> list[str]:
    """Columns that the job cannot read at all: texts in a form of the contract's own."""
    return [
        c.name for c in contract.columns if c.text_format and c.type.family is not Family.STRING
    ]


def plain_message(contract: Contract, fields: Sequence[str]) -> str:
    """A search pattern of Java's for messages with these columns, in their order."""
    pairs = []
    for name in fields:
        # A value's name is quoted in the pattern, too: `\Q…\E` takes all but its own end.
        key = f"\\Q{json.dumps(name, ensure_ascii=False)}\\E"
        pairs.append(f"{key}{_BLANK}:{_BLANK}(?:null|{_plain(contract.column(name).type)})")
    inner = f"{_BLANK},{_BLANK}".join(pairs)
    return rf"\A{_BLANK}\{{{_BLANK}{inner}{_BLANK}\}}{_BLANK}\z"


def _plain(type_: ColumnType) -> str:
    match type_.family:
        case Family.STRING:
            return _TEXT
        case Family.INTEGER:
            return f"-?{_WHOLE}"
        case Family.FLOAT:
            return _FLOAT
        case Family.DECIMAL:
            room = type_.precision - type_.scale
            whole = f"(?:0|[1-9][0-9]{{0,{room - 1}}})" if room else "0"
            return f"-?{whole}" + (rf"(?:\.[0-9]{{1,{type_.scale}}})?" if type_.scale else "")
        case Family.BOOLEAN:
            return "true|false"
        case Family.DATE:
            return f'"{_DAY}"'
        case Family.TIMESTAMP:
            return f'"{_DAY}[ T]{_TIME}"'
        case Family.TIMESTAMP_TZ:
            return rf'"{_DAY}[ T]{_TIME}(?:Z|[+-]00:00)"'


def tokens(message: str, contract: Contract, fields: Sequence[str]) -> str:
    """An array of the fields' values as they are written; NULL for a message that is not plain."""
    pattern = quote_literal(plain_message(contract, fields))
    found = f"REGEXP_EXTRACT_ALL({message}, {quote_literal(_VALUE)}, 1)"
    return f"CASE WHEN REGEXP({message}, {pattern}) THEN {found} END"


def value(token: str, column: Column) -> str:
    """A written value as the column's; NULL for null, and for what has the form and is no value."""
    type_, text = column.type, f"SUBSTRING({token}, 2, CHAR_LENGTH({token}) - 2)"
    present = f"{token} <> 'null'"
    match type_.family:
        case Family.STRING:
            return f"CASE WHEN {present} THEN {text} END"
        case Family.BOOLEAN:
            return f"CASE WHEN {present} THEN {token} = 'true' END"
        case Family.DATE:
            return f"CASE WHEN {present} THEN TRY_CAST({text} AS DATE) END"
        case Family.TIMESTAMP:
            return f"CASE WHEN {present} THEN {_moment(text)} END"
        case Family.TIMESTAMP_TZ:
            # The session is in UTC, and so is the text: what follows the time says +00:00.
            zone = f"CASE WHEN {token} LIKE '%Z\"' THEN 1 ELSE 6 END"
            local = f"SUBSTRING({token}, 2, CHAR_LENGTH({token}) - 2 - {zone})"
            return f"CASE WHEN {present} THEN CAST({_moment(local)} AS TIMESTAMP_LTZ(6)) END"
    return f"TRY_CAST({token} AS {flink_type(type_)})"


def _moment(text: str) -> str:
    return f"TRY_CAST(REPLACE({text}, 'T', ' ') AS TIMESTAMP(6))"


def doubtful(token: str, name: str, column: Column) -> str:
    """Whether a value may be another one for landing, or none: `name` is its typed column's."""
    lost = f"{token} <> 'null' AND {name} IS NULL"
    family = column.type.family
    if family is Family.FLOAT:
        # Landing wants whole numbers exactly, and zeros to be zeros; to Flink -0.0 is not in (0.0).
        whole_from = 1 << 23 if column.type.width == 32 else 1 << 52
        zero = f"{name} = 0 AND {token} NOT IN ('0', '0.0', '0.00')"
        return f"({lost}) OR ABS({name}) >= {whole_from}E0 OR ({zero})"
    if family in (Family.DATE, Family.TIMESTAMP, Family.TIMESTAMP_TZ):
        return f"({lost}) OR {token} LIKE '\"0000%'"
    return lost
