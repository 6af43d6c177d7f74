"""PERSONAL_DATA: text in which a pattern is found, verified where one can be. A policy's rule.

Belongs here: the two stages, cheap and exact, the checksum of payment cards, the words.
Does not belong here: the patterns. (`governance/policies/promises/no_undeclared_personal_data.py`)

The first stage runs on every row and short texts skip the regular expressions. Only when it finds
something does the second look at the rows found, and verify them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.kind import Ask, RowKind
from shared_resources.sql import quote_identifier, quote_literal

# A regular expression is compiled for each place where it stands, which takes a millisecond: those
# of many columns are looked for in lists, which cost a little for each row.
SEARCHED_SINGLY = 50
SEARCHED_TOGETHER = 100


@dataclass(frozen=True)
class _Search:
    """One pattern on one column. `column` is quoted."""

    column: str
    pattern: Mapping[str, Any]

    @property
    def matched(self) -> str:
        return f"regexp_matches({self.column}, {quote_literal(self.pattern['pattern'])})"

    @property
    def found(self) -> str:
        """Whether the pattern is found, verified or not; whatever is cheaper is asked first."""
        conditions = [self.matched]
        if prefilter := self.pattern.get("prefilter_sql"):
            conditions.append(str(prefilter).replace("{column}", self.column))
        if length := self.pattern.get("min_length"):
            # Bytes are no fewer than characters, and are known without counting.
            conditions.append(f"strlen({self.column}) >= {int(length)}")
        nested = conditions[0]
        for cheaper in conditions[1:]:
            # CASE, unlike AND, is never turned round: the expression runs on what is left only.
            nested = f"CASE WHEN {cheaper} THEN {nested} ELSE FALSE END"
        return nested

    @property
    def verified(self) -> str:
        """Whether it is found and, where there is a validator, a match passes it."""
        match self.pattern.get("validator"):
            case None:
                return self.found
            case "luhn":
                wanted = quote_literal(self.pattern["pattern"])
                matches = f"regexp_extract_all({self.column}, {wanted})"
                valid = f"len(list_filter({matches}, lambda _match: {luhn('_match')})) > 0"
                return f"CASE WHEN {self.found} THEN {valid} ELSE FALSE END"
            case unknown:
                raise ValueError(f"{unknown!r} is no validator of personal data; there is: luhn")


class PersonalData(RowKind):
    """`Rule.arguments["predicate_patterns"]` lists {"name", "pattern"} with, optionally: "min_length";
    "prefilter_sql", a cheap condition that every match fulfils, with `{column}` for the column;
    "validator", `luhn`; "min_valid_share", see `confirmed`. The columns hold text.
    """

    name = "personal_data"
    rank = 55
    conceals = True
    confirms = True

    def violation(self, rule: Rule, contract: Contract) -> str:
        """Every match that its validator passes; which of them count is for `confirmed` to say."""
        return _any(_searches(rule))

    def suspicion(self, rule: Rule, contract: Contract) -> str:
        if len(rule.columns) <= SEARCHED_SINGLY:
            return " OR ".join(f"({search.found})" for search in _searches(rule)) or "FALSE"
        patterns = rule.arguments["predicate_patterns"]
        found = " OR ".join(f"({_Search('_text', pattern).found})" for pattern in patterns)
        groups = [
            ", ".join(map(quote_identifier, rule.columns[first : first + SEARCHED_TOGETHER]))
            for first in range(0, len(rule.columns), SEARCHED_TOGETHER)
        ]
        return " OR ".join(f"len(list_filter([{c}], lambda _text: {found})) > 0" for c in groups)

    def violation_on(self, rule: Rule, contract: Contract, engine: str) -> str | None:
        """Without the checksum, for which only DuckDB has the words, there would be false alarms."""
        if engine == "duckdb":
            return self.violation(rule, contract)
        if any(search.pattern.get("validator") for search in _searches(rule)):
            return None
        return " OR ".join(search.matched for search in _searches(rule)) or "FALSE"

    def confirmed(self, rule: Rule, contract: Contract, view: str, ask: Ask) -> str:
        """A pattern with "min_valid_share" counts in a column only if at least that share of its
        matches there pass the validator: of random digits one in ten does, of card numbers each.
        """
        return _any(
            search
            for search in _searches(rule)
            if not search.pattern.get("min_valid_share") or _is_dense(ask, search, view)
        )

    def failing(self, rule: Rule, contract: Contract) -> str:
        names = ", ".join(str(pattern["name"]) for pattern in rule.arguments["predicate_patterns"])
        return f"have what looks like personal data ({names}) in {', '.join(rule.columns)}"


def _any(searches: Iterable[_Search]) -> str:
    return " OR ".join(f"({search.verified})" for search in searches) or "FALSE"


def _is_dense(ask: Ask, search: _Search, view: str) -> bool:
    found, valid = ask(
        f"SELECT count(*), count_if({search.verified}) FROM {view} WHERE {search.found}"
    )
    return bool(valid and valid >= float(search.pattern["min_valid_share"]) * found)


def _searches(rule: Rule) -> Iterator[_Search]:
    for column in rule.columns:
        for pattern in rule.arguments["predicate_patterns"]:
            yield _Search(quote_identifier(column), pattern)


def luhn(text: str) -> str:
    """Whether the digits in the SQL expression `text` pass the checksum of ISO/IEC 7812 (Luhn)."""
    digits = f"list_reverse(regexp_extract_all({text}, '[0-9]'))"
    doubled = "(CAST(_digit AS INTEGER) * 2)"
    weighted = (
        f"list_transform({digits}, lambda _digit, _place: CASE WHEN _place % 2 = 1 "
        f"THEN CAST(_digit AS INTEGER) ELSE {doubled} - CASE WHEN {doubled} > 9 THEN 9 ELSE 0 END "
        "END)"
    )
    return f"(list_sum({weighted}) % 10 = 0)"


KIND = PersonalData()
