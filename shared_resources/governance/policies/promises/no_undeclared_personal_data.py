"""Policy: personal data stands only in columns that are classified for it.

Belongs here: which columns are looked into, and what is said. Does not belong here: what personal data
looks like (`personal_data/`), searching the data (`contracts/rules/rows/personal_data.py`).

One check a product, over every column of text or integers that is neither confidential nor restricted.
A row fails when one of them holds an e-mail address, a telephone number, a payment card, an IBAN, the
address of a computer or a device; and in a column of persons' numbers each row that has one.

Not looked for: numbers of persons within other text, and in columns of decimals.
"""

from __future__ import annotations

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.rows.personal_data import KIND as PERSONAL_DATA
from shared_resources.contracts.types import Family
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import CHECK_PREFIX, DataTimePolicy
from shared_resources.mesh import Central
from shared_resources.mesh.model import UNDECIDED
from shared_resources.personal_data.text import PATTERNS

NAME = "no_undeclared_personal_data"
_LOOKED_INTO = (Family.STRING, Family.INTEGER)


def rules(contract: Contract, central: Central = UNDECIDED) -> tuple[Rule, ...]:
    """One rule over the columns that may hold no personal data; none if there is no such column."""
    columns = tuple(
        column.name
        for column in contract.columns
        if column.type.family in _LOOKED_INTO and column.name not in contract.classified_columns
    )
    if not columns:
        return ()
    return (
        Rule(
            name=CHECK_PREFIX + NAME,
            kind=PERSONAL_DATA.name,
            columns=columns,
            clause=f"policies.{NAME}",
            arguments={
                "predicate_patterns": [dict(pattern) for pattern in PATTERNS],
                "numbers": True,
            },
            description=(
                "No e-mail address, phone number, payment card, IBAN, IP or MAC address and no number "
                "of a person in columns that are not classified confidential or restricted. Classify the "
                "column, or remove the data."
            ),
            dimension="conformity",
        ),
    )


# Made up, with the check digits of a Dutch BSN.
_PERSONS = [
    *("944117715", "853194130", "886075002", "792243298", "139762851", "416178418"),
    *("225711825", "868958372", "117639175", "718561983", "647788354", "879678847"),
]

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
    fails(
        "an IBAN",
        "what looks like personal data",
        rows=[{"order_id": 1, "note": "pay to DE89 3704 0044 0532 0130 00"}],
    ),
    passes(
        "what has an IBAN's layout and other check digits",
        rows=[{"order_id": 1, "note": "DE88 3704 0044 0532 0130 00"}],
    ),
    fails(
        "numbers of persons, twelve of twelve with their check digits",
        "what looks like personal data",
        rows=[{"order_id": n, "note": note} for n, note in enumerate(_PERSONS)],
    ),
    passes(
        "numbers of orders, of which one in eleven has such check digits",
        rows=[{"order_id": n, "note": str(111222333 + n)} for n in range(12)],
    ),
)

POLICY = DataTimePolicy(
    NAME,
    "E-mail addresses, phone numbers, payment cards, IBANs, IP and MAC addresses and numbers of persons "
    "(national identifiers) stand only in classified columns.",
    rules,
    examples=EXAMPLES,
)
