"""Policy: names of persons, postal addresses and positions stand only in columns classified for them.

Belongs here: which columns are looked into, and what is said, also of what is not looked for.
Does not belong here: what they look like (`personal_data/people.py`, `places.py`), deciding by a column's
values (`personal_data/sampling.py`), kinds that one value tells (`no_undeclared_personal_data.py`).

It warns, where the other policy refuses: a shop has an address and a position, too, and a name can be a
brand's. `domains/governance.yaml` may make it blocking. Names, and addresses of the US, are asked of
libraries that are an extra of the platform; where it is not installed, the rule and the evidence of each
version say that they were not looked for.
"""

from __future__ import annotations

from shared_resources.contracts.model import Contract, Rule, Severity
from shared_resources.contracts.rules.rows.names_and_places import KIND as NAMES_AND_PLACES
from shared_resources.contracts.types import Family
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import CHECK_PREFIX, DataTimePolicy
from shared_resources.mesh import Central
from shared_resources.mesh.model import UNDECIDED
from shared_resources.personal_data.people import EXTRA, lists, missing
from shared_resources.personal_data.places import pairs_of

NAME = "no_undeclared_names_or_places"
_NUMBERS = (Family.FLOAT, Family.DECIMAL)


def rules(contract: Contract, central: Central = UNDECIDED) -> tuple[Rule, ...]:
    """One rule over the texts, and the numbers called latitude and longitude, that may hold none."""
    columns = _columns(contract)
    if not columns:
        return ()
    asked = "Names of persons, postal addresses" if lists() else "Postal addresses by their layout"
    return (
        Rule(
            name=CHECK_PREFIX + NAME,
            kind=NAMES_AND_PLACES.name,
            columns=columns,
            clause=f"policies.{NAME}",
            arguments={"libraries": lists()},
            description=" ".join(
                (
                    f"{asked} and geographic positions, told by up to 300 distinct values of a column, "
                    "stand only in columns that are classified confidential or restricted. Classify the "
                    "column, or waive the policy where they are no person's.",
                    *_unasked(contract),
                )
            ),
            dimension="conformity",
        ),
    )


def _columns(contract: Contract) -> tuple[str, ...]:
    open_ones = [c for c in contract.columns if c.name not in contract.classified_columns]
    numbers = pairs_of([c.name for c in open_ones if c.type.family in _NUMBERS])
    positions = {name for pair in numbers for name in pair}
    return tuple(c.name for c in open_ones if c.type.family is Family.STRING or c.name in positions)


def _unasked(contract: Contract, central: Central = UNDECIDED) -> tuple[str, ...]:
    """What is not looked for in this environment, and why."""
    texts = any(contract.column(name).type.family is Family.STRING for name in _columns(contract))
    if not missing() or not texts:
        return ()
    return (
        f"Names of persons and addresses of the US are not looked for: {' and '.join(missing())} "
        f"not installed (the platform's extra {EXTRA}).",
    )


# Made up.
_NAMES = ["Mary Johnson", "Robert Smith", "Patricia Miller", "John Davis", "Linda Garcia"]
_NAMES += ["Michael Brown", "Susan Wilson", "David Moore", "Karen Taylor", "Thomas Clark"]
_STREETS = [
    "Hauptstraße 12, 10115 Berlin",
    "Am Ring 3",
    "Gartenweg 5",
    "Lindenallee 117, 80331 München",
]
_GOODS = ["FROZEN PIZZA", "OLIVE OIL", "ROSE BOUQUET", "12 OZ", "GREEN BEANS", "BABY FOOD"]


def _noted(values: list[str]) -> list[dict[str, object]]:
    return [{"order_id": number, "note": value} for number, value in enumerate(values)]


EXAMPLES = (
    passes("goods and sizes", rows=_noted(_GOODS)),
    passes(
        "addresses in a column that is classified for them",
        contract={"schema.orders.properties.note.classification": "restricted"},
        rows=_noted(_STREETS),
    ),
    passes("two prices are no position", rows=_noted(["12.99, 13.99", "1.50, 2.25", "7.00, 7.49"])),
    fails("addresses", "what looks like personal data", rows=_noted(_STREETS)),
    fails(
        "positions",
        "what looks like personal data",
        rows=_noted(["52.52001, 13.40495", "48.13512, 11.58198", "53.55108, 9.99368"]),
    ),
    fails(
        "one position in a notation that says so",
        "what looks like personal data",
        rows=_noted([*_GOODS, "POINT(13.40495 52.52001)"]),
    ),
    *(
        ()
        if missing()
        else (fails("names of persons", "what looks like personal data", rows=_noted(_NAMES)),)
    ),
)

POLICY = DataTimePolicy(
    NAME,
    "Names of persons (with the extra personal-data), postal addresses and geographic positions stand "
    "only in classified columns.",
    rules,
    severity=Severity.WARNING,
    examples=EXAMPLES,
    unasked=_unasked,
)
