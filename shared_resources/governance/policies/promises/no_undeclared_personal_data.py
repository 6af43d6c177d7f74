"""Policy: personal data stands only in columns that are classified for it.

Belongs here: what e-mail addresses, phone numbers and payment cards look like in text, chosen so
that baskets' ids, article numbers, prices and sizes do not.
Does not belong here: searching the data (`governance/audit/audit.py`).

One check a product, over every text column that is neither confidential nor restricted.
`Rule.arguments["predicate_patterns"]` holds a mapping for each kind of personal data; a row fails
when one of its columns holds text that is at least `min_length` long, in which the regular
expression `pattern` is found and, with `validator: luhn`, of which a match passes the Luhn check.
Where there is a `min_valid_share`, it fails only if at least that share of the column's rows with
a match pass the validator: one random number in ten passes Luhn, a column of cards always does.
So a card that hides among many more numbers of its length and prefix is not found.

Not looked for: names and addresses, which no pattern tells from other text, and numbers in
columns that are not text.
"""

from __future__ import annotations

from typing import Any

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.rows.personal_data import KIND as PERSONAL_DATA
from shared_resources.contracts.types import Family
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import CHECK_PREFIX, DataTimePolicy
from shared_resources.mesh import Central
from shared_resources.mesh.model import UNDECIDED

NAME = "no_undeclared_personal_data"
# Not within a longer number or word: an id that contains a card's digits is no card.
_BEFORE = r"(?:^|[^0-9A-Za-z.+\-])"
_AFTER = r"(?:$|[^0-9A-Za-z\-])"
_LOCAL = r"(?:[A-Za-z0-9._%+'\-]|[^\x00-\x7F])+"
_LABEL = r"(?:[A-Za-z0-9\-]|[^\x00-\x7F])+"

_EMAIL = rf"{_LOCAL}@(?:{_LABEL}\.)+[A-Za-z]{{2,}}"

# Digits alone are never a phone number here: basket ids and UPC codes have 11 or 12 of them.
_PHONE_LAYOUTS = (
    r"\+[1-9](?:[ ()/\-]{0,2}[0-9]){9,14}",  # +1 415-555-2671, +4915112345678
    r"\+[1-9][0-9]{0,2}(?:\.[0-9]{1,4}){3,5}",  # +33.1.23.45.67.89; one dot is a signed number
    r"(?:1[ .\-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .\-])[2-9][0-9]{2}[ .\-][0-9]{4}",  # US
    r"\(0[0-9]{1,4}\) ?[0-9]{3,4}[ \-]?[0-9]{3,4}",  # (020) 7946 0958, (030) 1234567
    r"020 [0-9]{4} [0-9]{4}",  # London
    r"07[0-9]{3} [0-9]{3} ?[0-9]{3}",  # British mobiles
    r"0[67](?:[ .][0-9]{2}){4}",  # French mobiles
)
_LABELLED_PHONE = r"\b(?:tel|telephone|phone|mobile|fax)[ .:#]{1,3}(?:[ ()/.\-]{0,2}[0-9]){7,14}"
_PHONE = rf"{_BEFORE}(?:{'|'.join(_PHONE_LAYOUTS)}){_AFTER}|(?i:{_LABELLED_PHONE})"

# Issuers and lengths from ISO/IEC 7812 ranges in use: Visa, Mastercard, Discover, UnionPay, JCB.
# Visa's old 13 digits are left out: German and Japanese article numbers (EAN) look the same.
_SIXTEEN = (
    r"4[0-9]{3}|5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720"
    r"|6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2}|352[89]|35[3-8][0-9]"
)
_CARD_LAYOUTS = (
    rf"(?:{_SIXTEEN})(?:[0-9]{{12}}|(?: [0-9]{{4}}){{3}}|(?:-[0-9]{{4}}){{3}})",
    r"3[47][0-9]{2}(?:[0-9]{11}| [0-9]{6} [0-9]{5}|-[0-9]{6}-[0-9]{5})",  # American Express
    r"3(?:0[0-5]|[68][0-9])[0-9](?:[0-9]{10}| [0-9]{6} [0-9]{4}|-[0-9]{6}-[0-9]{4})",  # Diners
)
_CARD = rf"{_BEFORE}(?:{'|'.join(_CARD_LAYOUTS)}){_AFTER}"

PATTERNS: tuple[dict[str, Any], ...] = (
    {
        "name": "e-mail address",
        "pattern": _EMAIL,
        "min_length": 6,
        # A substring search is many times faster than the regular expression it saves.
        "prefilter_sql": "contains({column}, '@')",
    },
    {"name": "phone number", "pattern": _PHONE, "min_length": 11},
    {
        "name": "payment card",
        "pattern": _CARD,
        "min_length": 14,
        "validator": "luhn",
        "min_valid_share": 0.5,
    },
)


def rules(contract: Contract, central: Central = UNDECIDED) -> tuple[Rule, ...]:
    """One rule over the columns that may hold no personal data; none if there is no such column."""
    columns = tuple(
        column.name
        for column in contract.columns
        if column.type.family is Family.STRING and column.name not in contract.classified_columns
    )
    if not columns:
        return ()
    return (
        Rule(
            name=CHECK_PREFIX + NAME,
            kind=PERSONAL_DATA.name,
            columns=columns,
            clause=f"policies.{NAME}",
            arguments={"predicate_patterns": [dict(pattern) for pattern in PATTERNS]},
            description=(
                "No e-mail address, phone number or payment card in text columns that are not "
                "classified confidential or restricted. Classify the column, or remove the data."
            ),
            dimension="conformity",
        ),
    )


EXAMPLES = (
    passes("text without personal data", rows=[{"order_id": 1, "note": "leave at the door"}]),
    passes(
        "article numbers and prices are none",
        rows=[{"order_id": 1, "note": "4006381333931"}, {"order_id": 2, "note": "1.99"}],
    ),
    passes(
        "personal data in a column that is classified for it",
        contract={"schema.orders.properties.note.classification": "restricted"},
        rows=[{"order_id": 1, "note": "jo@example.com"}],
    ),
    fails(
        "an e-mail address in a column that anybody may see",
        "what looks like personal data",
        rows=[{"order_id": 1, "note": "mail jo@example.com first"}],
    ),
    fails(
        "a telephone number",
        "what looks like personal data",
        rows=[{"order_id": 1, "note": "+1 415-555-2671"}],
    ),
    fails(
        "a payment card",
        "what looks like personal data",
        rows=[{"order_id": 1, "note": "4111 1111 1111 1111"}],
    ),
)

POLICY = DataTimePolicy(
    NAME,
    "E-mail addresses, phone numbers and payment cards stand only in classified columns.",
    rules,
    examples=EXAMPLES,
)
