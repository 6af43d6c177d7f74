"""Looking for personal data in a column of a query: what is there, and the rows that hold it, as SQL.

Belongs here: the cheap search over every row, and the exact one over distinct values where it
found something.
Does not belong here: what the kinds look like (`text.py`, `numbers.py`), rules of a contract.

A regular expression costs the same whether it looks for one kind or for all of them, so all rows
are asked for all kinds at once. Distinct values are taken by their hash: the same ones every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zlib import crc32

from shared_resources.personal_data.chance import ONCE, RARE, by_chance
from shared_resources.personal_data.number_kinds import KINDS
from shared_resources.personal_data.numbers import kinds_in
from shared_resources.personal_data.validating import is_valid
from shared_resources.sql import quote_identifier, quote_literal

# Asks a query and gives the first row of its answer.
Ask = Callable[[str], tuple[Any, ...]]
# The same for all rows of the answer.
AskAll = Callable[[str], list[tuple[Any, ...]]]
# So many distinct values decide about a column, and so many matches are verified singly.
DISTINCT_NUMBERS = 500
DISTINCT_MATCHES = 10_000
# Of so many that were chosen by chance, a part's column can be told to hold none.
ENOUGH_TO_CLEAR, ENOUGH_TO_KEEP = 20, 60
_LAYOUTS = "|".join(dict.fromkeys(layout for kind in KINDS for layout in kind.layouts))
_SHORTEST, _LONGEST = 8, 21
# Below this length only what begins as a number does is asked: most short texts are words and codes.
_LONG = 11
# A number that began with zeros is shorter; others of its column are not.
_LEAST, _MOST = 10**8, 10**16 - 1


@dataclass(frozen=True)
class Match:
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
        return _nested(*conditions)

    @property
    def matches(self) -> str:
        return f"regexp_extract_all({self.column}, {quote_literal(self.pattern['pattern'])})"

    @property
    def verified(self) -> str:
        """Whether it is found and, if it is a card's, a match passes Luhn."""
        if self.pattern.get("validator") != "luhn":
            return self.found
        valid = f"len(list_filter({self.matches}, lambda _match: {luhn('_match')})) > 0"
        return f"CASE WHEN {self.found} THEN {valid} ELSE FALSE END"


@dataclass(frozen=True)
class Column:
    """A column to look into: `patterns` within its texts and, with `numbers`, numbers of persons."""

    name: str
    patterns: Sequence[Mapping[str, Any]]
    numbers: bool = False
    integers: bool = False

    @property
    def quoted(self) -> str:
        return quote_identifier(self.name)

    @property
    def suspicion(self) -> str:
        """A cheap condition that every row fulfils which holds any of it, and few others."""
        return self.suspicion_of(self.quoted)

    def suspicion_of(self, value: str) -> str:
        """The same of an expression in the column's stead."""
        if self.integers:
            return f"({value} BETWEEN {_LEAST} AND {_MOST})"
        apart = [Match(value, p).found for p in self.patterns if p.get("prefilter_sql")]
        together = [p for p in self.patterns if not p.get("prefilter_sql")]
        if together:
            least = min(int(p.get("min_length") or 0) for p in together)
            wanted = [str(p["pattern"]) for p in together]
            if self.numbers and least >= _LONG:
                wanted.append(f"^(?:{_LAYOUTS})$")
            union = quote_literal("|".join(f"(?:{one})" for one in wanted))
            apart.append(
                _nested(f"regexp_matches({value}, {union})", f"strlen({value}) >= {least}")
            )
        if self.numbers:
            # In Unicode's order digits stand below the colon; a Spanish NIE begins with one of X, Y, Z.
            begins = f"({value} BETWEEN '0' AND ':' OR {value} BETWEEN 'X' AND '[')"
            apart.append(_nested(_whole(value), f"strlen({value}) < {_LONG}", begins))
        return " OR ".join(apart) or "FALSE"

    @property
    def _numbers_found(self) -> str:
        return self.suspicion if self.integers else _whole(self.quoted)

    @cached_property
    def _searches(self) -> list[Match]:
        return [] if self.integers else [Match(self.quoted, p) for p in self.patterns]

    def held(self, view: str, ask: Ask) -> Iterator[tuple[str, str, int]]:
        """Each kind that the column holds in truth: its name, the condition, and how many rows of `view`
        match it, if not all of those count."""
        conditions = [search.found for search in self._searches]
        if self.numbers:
            conditions.append(self._numbers_found)
        if not conditions:
            return
        counted = ", ".join(f"coalesce(count_if({condition}), 0)" for condition in conditions)
        rows = ask(f"SELECT {counted} FROM {view}")
        for search, found in zip(self._searches, rows, strict=False):
            if found and (condition := _counting(search, view, found, ask)):
                yield str(search.pattern["name"]), condition, found
        if self.numbers and rows[-1]:
            yield from self._numbers_held(view, rows[-1], ask)

    @property
    def texts(self) -> str:
        """The aggregate that counts texts with anything suspicious but numbers."""
        found = Column(self.name, () if self.integers else self.patterns).suspicion
        # Digits alone, fewer than a card's, are nothing else.
        other = f"(strlen({self.quoted}) > 13 OR ltrim({self.quoted}, '0123456789') <> '')"
        return f"coalesce(count_if({found if self.integers else _nested(found, other)}), 0)"

    def numbers_of(self, some: int) -> str:
        """The aggregate that lists distinct numbers, of `some` one, chosen by their hash."""
        if not self.numbers:
            return "NULL"
        # The hash is asked first: what it leaves out costs no regular expression.
        wanted = _nested(self._numbers_found, f"hash({self.quoted}) % {some} = 0")
        return f"list(DISTINCT CASE WHEN {wanted} THEN CAST({self.quoted} AS VARCHAR) END)"

    def holding(
        self, found: Mapping[int, Sequence[str]], some: int, view: str, part: str, ask: AskAll
    ) -> set[int]:
        """The parts that may hold numbers of persons, by what was `found` in each, of `some` one."""
        if some > 1 and any(0 < len(values) < ENOUGH_TO_CLEAR for values in found.values()):
            # Numbers are few in the column: more of them are asked for, so that they tell something.
            known = sum(map(len, found.values()))
            some = max(1, some * known // (DISTINCT_NUMBERS * len(found)))
            query = f"SELECT {part}, {self.numbers_of(some)} FROM {view} GROUP BY {part}"
            found = {number: _some_of(values) for number, values in ask(query)}
        return {number for number, values in found.items() if self._may_hold(values, some > 1)}

    def _may_hold(self, found: Sequence[str], others: bool) -> bool:
        values = sorted(found, key=lambda value: crc32(value.encode()))
        if values and others and len(values) < ENOUGH_TO_CLEAR:
            return True
        return any(kinds_in(values[:ENOUGH_TO_KEEP], self.name, integers=self.integers))

    def _numbers_held(self, view: str, rows: int, ask: Ask) -> Iterator[tuple[str, str, int]]:
        text = f"CAST({self.quoted} AS VARCHAR)"
        values = _distinct(text, f"{view} WHERE {self._numbers_found}", rows, DISTINCT_NUMBERS, ask)
        for kind in kinds_in([value for value, _ in values], self.name, integers=self.integers):
            if self.integers:
                least, most = min(kind.digits) - 2, max(kind.digits)
                layout = f"({self.quoted} >= 0 AND strlen({text}) BETWEEN {least} AND {most})"
            else:
                layout = f"regexp_full_match({self.quoted}, {quote_literal(kind.pattern)})"
            yield kind.name, layout, rows


def cleared(columns: Sequence[Column], view: str, part: str, ask: AskAll) -> frozenset[int]:
    """The parts of `view` in which no column holds any, as far as one look at all of them tells."""
    rows, parts = ask(f"SELECT count(*), count(DISTINCT {part}) FROM {view}")[0]
    some = max(1, rows // (DISTINCT_NUMBERS * max(1, parts)))
    wanted = [one for column in columns for one in (column.texts, column.numbers_of(some))]
    answers = ask(f"SELECT {part}, {', '.join(wanted)} FROM {view} GROUP BY {part}")
    left = {number for number, *_ in answers}
    for place, column in enumerate(columns):
        left -= {answer[0] for answer in answers if answer[1 + 2 * place]}
        numbers = {answer[0]: _some_of(answer[2 + 2 * place]) for answer in answers}
        left -= column.holding(numbers, some, view, part, ask)
    return frozenset(left)


def _some_of(values: Sequence[str | None] | None) -> list[str]:
    return [value for value in values or () if value is not None]


def _counting(search: Match, view: str, rows: int, ask: Ask) -> str | None:
    """The condition under which a match of the pattern counts in the column; None where none does."""
    validator = search.pattern.get("validator")
    if validator is None:
        return search.found
    matches = f"unnest({search.matches})"
    distinct = _distinct(matches, f"{view} WHERE {search.found}", rows, DISTINCT_MATCHES, ask)
    valid_ones = [hashed for match, hashed in distinct if is_valid(str(validator), match)]
    share = float(search.pattern.get("min_valid_share") or 0)
    if not valid_ones or len(valid_ones) < share * len(distinct):
        return None
    if not _beyond_chance(search, view, len(valid_ones), len(distinct), ask):
        return None
    if validator == "luhn":
        return search.verified
    if len(valid_ones) == len(distinct) or len(distinct) >= DISTINCT_MATCHES:
        return search.found
    # By their hashes: the values themselves stand in no query that could be shown.
    listed = ", ".join(map(str, valid_ones))
    some = f"len(list_filter({search.matches}, lambda _match: hash(_match) IN ({listed}))) > 0"
    return _nested(some, search.found)


def _beyond_chance(search: Match, view: str, valid: int, among: int, ask: Ask) -> bool:
    """Whether so many valid matches are told from values that are something else of that layout."""
    chance = search.pattern.get("chance")
    probable = by_chance(valid, among, float(chance)) if chance else 0.0
    if probable > ONCE:
        return False
    other = search.pattern.get("other")
    if other is None or (chance and probable <= RARE):
        return True
    is_other = (
        f"regexp_full_match({search.column}, {quote_literal(str(other))}) AND NOT {search.matched}"
    )
    others = ask(f"SELECT approx_count_distinct({search.column}) FROM {view} WHERE {is_other}")[0]
    return bool(others <= valid)


def _distinct(value: str, source: str, rows: int, most: int, ask: Ask) -> list[tuple[str, int]]:
    """Up to `most` distinct values of the `rows` of the source, each with its hash, chosen by it."""
    parts = max(1, rows // most)
    while True:
        query = (
            "SELECT list({'v': v, 'h': h}) FROM (SELECT DISTINCT v, hash(v) AS h FROM "
            f"(SELECT {value} AS v FROM {source}) WHERE hash(v) % {parts} = 0 ORDER BY h LIMIT {most})"
        )
        found = [(str(one["v"]), int(one["h"])) for one in ask(query)[0] or ()]
        if parts == 1 or len(found) >= most // 4:
            return found
        # Many rows of few values: there are fewer distinct ones than the number of rows promised.
        parts = max(1, parts // 16)


def _whole(value: str) -> str:
    return _nested(
        f"regexp_full_match({value}, {quote_literal(_LAYOUTS)})",
        f"strlen({value}) BETWEEN {_SHORTEST} AND {_LONGEST}",
    )


def _nested(dear: str, *cheaper: str) -> str:
    """The dear condition where the cheaper ones hold. CASE, unlike AND, is never turned round: a regular
    expression runs on what is left only."""
    for condition in cheaper:
        dear = f"CASE WHEN {condition} THEN {dear} ELSE FALSE END"
    return dear


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
