"""PERSONAL_DATA: personal data in columns that are not classified for it. A policy's rule.

Belongs here: the two stages of the audit, the form for other engines, the words.
Does not belong here: how it is found (`personal_data/`), which columns are looked into
(`governance/policies/promises/no_undeclared_personal_data.py`).

The first stage runs on every row and short texts skip the regular expressions. Only when it finds
something does the second look at the columns where it did, and verify distinct values.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.kind import Ask, AskAll, RowKind
from shared_resources.contracts.types import Family
from shared_resources.personal_data.searching import Column, Match, cleared
from shared_resources.sql import quote_identifier

# A regular expression is compiled for each place where it stands, which takes a millisecond: those
# of many columns are looked for in lists, which cost a little for each row.
SEARCHED_SINGLY = 50
SEARCHED_TOGETHER = 100


class PersonalData(RowKind):
    """`Rule.arguments["predicate_patterns"]` lists what `personal_data/text.py` says of a pattern:
    {"name", "pattern"} with, optionally, "min_length", "prefilter_sql", "validator", "min_valid_share",
    "chance". With "numbers", numbers of persons are looked for, too. The columns hold text or, then,
    integers.
    """

    name = "personal_data"
    rank = 55
    conceals = True
    confirms = True

    def violation(self, rule: Rule, contract: Contract) -> str:
        """Every match that its validator passes; which of them count is for `confirmed` to say."""
        return _any(search.verified for search in _matches(rule, contract))

    def suspicion(self, rule: Rule, contract: Contract) -> str:
        columns = _columns(rule, contract)
        integers = [column.suspicion for column in columns if column.integers]
        texts = [column for column in columns if not column.integers]
        if len(texts) <= SEARCHED_SINGLY:
            return _any((*integers, *(column.suspicion for column in texts)))
        found = texts[0].suspicion_of("_text")
        groups = [
            ", ".join(column.quoted for column in texts[first : first + SEARCHED_TOGETHER])
            for first in range(0, len(texts), SEARCHED_TOGETHER)
        ]
        listed = (f"len(list_filter([{c}], lambda _text: {found})) > 0" for c in groups)
        return _any((*integers, *listed))

    def violation_on(self, rule: Rule, contract: Contract, engine: str) -> str | None:
        """Without check digits, for which only DuckDB and Python have the words, there would be false
        alarms."""
        known = {None, "luhn"} if engine == "duckdb" else {None}
        if rule.arguments.get("numbers") or any(
            search.pattern.get("validator") not in known for search in _matches(rule, contract)
        ):
            return None
        if engine == "duckdb":
            return self.violation(rule, contract)
        return _any(search.matched for search in _matches(rule, contract))

    def confirmed(self, rule: Rule, contract: Contract, view: str, ask: Ask) -> str:
        """What counts as personal data depends on the other values of a column: see `personal_data/`."""
        suspected = _suspected(_columns(rule, contract), view, ask)
        return _any(condition for column in suspected for _, condition, _ in column.held(view, ask))

    def cleared(
        self, rule: Rule, contract: Contract, view: str, part: str, ask: AskAll
    ) -> frozenset[int]:
        return cleared(_columns(rule, contract), view, part, ask)

    def failing(self, rule: Rule, contract: Contract) -> str:
        kinds = [str(pattern["name"]) for pattern in rule.arguments["predicate_patterns"]]
        if rule.arguments.get("numbers"):
            kinds.append("number of a person")
        names = ", ".join(dict.fromkeys(kinds))
        return f"have what looks like personal data ({names}) in {', '.join(rule.columns)}"


def _suspected(columns: list[Column], view: str, ask: Ask) -> Iterator[Column]:
    for first in range(0, len(columns), SEARCHED_TOGETHER):
        some = columns[first : first + SEARCHED_TOGETHER]
        counted = ", ".join(f"coalesce(count_if({column.suspicion}), 0)" for column in some)
        found = ask(f"SELECT {counted} FROM {view}") if len(columns) > 1 else (1,)
        yield from (column for column, rows in zip(some, found, strict=True) if rows)


def _any(conditions: Iterator[str] | tuple[str, ...]) -> str:
    return " OR ".join(f"({condition})" for condition in conditions) or "FALSE"


def _columns(rule: Rule, contract: Contract) -> list[Column]:
    numbers = bool(rule.arguments.get("numbers"))
    patterns = rule.arguments["predicate_patterns"]
    return [
        Column(
            name,
            patterns,
            numbers=numbers,
            integers=contract.column(name).type.family is Family.INTEGER,
        )
        for name in rule.columns
    ]


def _matches(rule: Rule, contract: Contract) -> Iterator[Match]:
    for column in _columns(rule, contract):
        if not column.integers:
            for pattern in rule.arguments["predicate_patterns"]:
                yield Match(quote_identifier(column.name), pattern)


KIND = PersonalData()
