"""NAMES_AND_PLACES: names of persons, postal addresses and positions in columns that are not classified.

Belongs here: which columns are asked, the form for other engines, the words. A policy's rule.
Does not belong here: how they are told (`personal_data/sampling.py`), which columns may hold them
(`governance/policies/promises/no_undeclared_names_or_places.py`).

What a column holds is decided by a few hundred of its distinct values; then each row that has the layout
counts. Of many parts all are asked at once, and one by one only where something was found.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.kind import Ask, AskAll, RowKind
from shared_resources.contracts.types import Family
from shared_resources.personal_data.places import pairs_of
from shared_resources.personal_data.sampling import Numbers, Texts

_NUMBERS = (Family.FLOAT, Family.DECIMAL)


class NamesAndPlaces(RowKind):
    """`Rule.arguments`: {"libraries": whose lists and models are asked, with their versions; empty where
    none are, and then names are not looked for}. The columns hold text, floats or decimals.
    """

    name = "names_and_places"
    rank = 56
    conceals = True
    confirms = True

    def violation(self, rule: Rule, contract: Contract) -> str:
        """Every row that is looked at; which of them count is for `confirmed` to say."""
        return self.suspicion(rule, contract)

    def suspicion(self, rule: Rule, contract: Contract) -> str:
        return _any(look.suspicion for look in _looks(rule, contract))

    def violation_on(self, rule: Rule, contract: Contract, engine: str) -> str | None:
        """A column's values tell together, which no condition on a row says."""
        return None

    def confirmed(self, rule: Rule, contract: Contract, view: str, ask: Ask) -> str:
        return _any(c for look in _looks(rule, contract) for _, c in look.held(view, ask))

    def cleared(
        self, rule: Rule, contract: Contract, view: str, part: str, ask: AskAll
    ) -> frozenset[int]:
        """All parts, where nothing is found in what they hold together."""
        first: Ask = lambda query: ask(query)[0]  # noqa: E731
        if any(True for look in _looks(rule, contract) for _ in look.held(view, first)):
            return frozenset()
        return frozenset(int(number) for (number,) in ask(f"SELECT DISTINCT {part} FROM {view}"))

    def failing(self, rule: Rule, contract: Contract) -> str:
        kinds = ["name of a person"] if rule.arguments["libraries"] else []
        kinds += ["postal address", "geographic position"]
        return (
            f"have what looks like personal data ({', '.join(kinds)}) in {', '.join(rule.columns)}"
        )


def _looks(rule: Rule, contract: Contract) -> Iterator[Texts | Numbers]:
    families = {name: contract.column(name).type.family for name in rule.columns}
    for name, family in families.items():
        if family is Family.STRING:
            yield Texts(name, names=bool(rule.arguments["libraries"]))
    for pair in pairs_of([name for name, family in families.items() if family in _NUMBERS]):
        yield Numbers(*pair)


def _any(conditions: Iterator[str]) -> str:
    return " OR ".join(f"({condition})" for condition in conditions) or "FALSE"


KIND = NamesAndPlaces()
