"""Columns that probably hold personal data, by their names and by what stands in them.

Belongs here: which names and which patterns tell of it, and the classification that is proposed.
Does not belong here: what personal data looks like (`personal_data/`), which the policy asks as well
(`governance/policies/promises/no_undeclared_personal_data.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import duckdb

from shared_resources.contracts.model import Classification
from shared_resources.contracts.types import Family
from shared_resources.inference.first_look import Field
from shared_resources.personal_data.searching import Column
from shared_resources.personal_data.text import PATTERNS
from shared_resources.sql import quote_identifier, quote_literal

_BY_NAME = (
    (r"(e_?mail|mail_address)", "e-mail addresses"),
    (r"(phone|mobile|telephone|fax)", "phone numbers"),
    (r"(first|last|given|family|middle|maiden|sur|full)_?name", "names"),
    (r"name_(first|last|given|family|middle)", "names"),
    (r"(customer|person|passenger|employee|contact)_name", "names"),
    (r"(birth|dob$|^dob)", "dates of birth"),
    (r"(street|address(?!ed)|house_number)", "addresses"),
    (r"(gender|^sex$|ethnic|religion|nationality|marital)", "attributes of a person"),
    (r"(ip_address|^ip$|device_id|cookie)", "what tells a device"),
)
_RESTRICTED = (
    (r"(ssn|social_security|passport|national_id|tax_id|driver_?s?_licen)", "numbers of a person"),
    (r"(iban|card_number|credit_card|account_number|cvv)", "means of payment"),
    (r"(password|passwd|secret|pin_code)", "secrets"),
    (r"(diagnos|disease|blood|medical|health)", "health"),
)

_BY_PATTERN = tuple(one for one in PATTERNS if one.get("validator") in (None, "luhn"))
_BY_CHECK = tuple(one for one in PATTERNS if one not in _BY_PATTERN)
_OF_DEVICES = ("IP address", "MAC address")


def classified(
    connection: duckdb.DuckDBPyConnection, source: str, field: Field
) -> tuple[Classification, str]:
    """The classification that is proposed, and why, as a sentence to confirm; ``""`` for the usual."""
    for names, level in (
        (_RESTRICTED, Classification.RESTRICTED),
        (_BY_NAME, Classification.CONFIDENTIAL),
    ):
        for pattern, what in names:
            if re.search(pattern, field.name):
                return level, f"by its name it holds {what}: classified as {level}"
    if field.type.family in (Family.STRING, Family.INTEGER):
        for one in _BY_PATTERN:
            # One is enough: whether it is one in truth, only people know.
            if share := _share(connection, source, field, str(one["pattern"])):
                said = f"{one['name']} in {share:.0%} of its values"
                level = Classification.CONFIDENTIAL
                return level, f"there seems to be {said}: classified as {level}"
        for kind in _verified(connection, source, field):
            level = Classification.RESTRICTED
            if kind in _OF_DEVICES:
                level = Classification.CONFIDENTIAL
            return level, f"there seems to be in it: {kind}; classified as {level}"
    return Classification.INTERNAL, ""


def _verified(connection: duckdb.DuckDBPyConnection, source: str, field: Field) -> Iterator[str]:
    """The kinds of which check digits, or a lookup, tell."""
    integers = field.type.family is Family.INTEGER
    name = quote_identifier(field.name)
    read = f"TRY_CAST({name} AS HUGEINT)" if integers else f"CAST({name} AS VARCHAR)"
    column = Column(field.name, _BY_CHECK, numbers=True, integers=integers)
    view = f"(SELECT {read} AS {name} FROM {source})"
    held = column.held(view, lambda query: connection.execute(query).fetchall()[0])
    return (kind for kind, _, _ in held)


def _share(connection: duckdb.DuckDBPyConnection, source: str, field: Field, pattern: str) -> float:
    name = f"CAST({quote_identifier(field.name)} AS VARCHAR)"
    query = (
        f"SELECT coalesce(avg(regexp_matches({name}, {quote_literal(pattern)})::INT), 0) "
        f"FROM {source} WHERE {name} IS NOT NULL"
    )
    return float(connection.execute(query).fetchall()[0][0])
