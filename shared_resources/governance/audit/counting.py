"""Running compiled rules over parts of the same schema: the fewest queries that give every count.

Belongs here: the one aggregate, who runs which rule, the samples.
Does not belong here: the view of all parts (`engine/batch_view.py`), one kind of rule
(`contracts/rules/`), rules that domains wrote themselves (`domain_rules/`), the verdict (`audit.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.kind import KeyKind, OwnKind, ReferenceKind, RowKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.rules.rows.partition import KIND as PARTITION_KIND
from shared_resources.contracts.rules.view import BATCH, PART
from shared_resources.governance.audit import sampling
from shared_resources.governance.audit.confirming import confirm
from shared_resources.governance.audit.domain_rules import asking as domain_rules
from shared_resources.governance.audit.domain_rules.sql import RuleProblem, line_for
from shared_resources.governance.audit.engine.batch_view import prepare_view
from shared_resources.governance.audit.engine.connection import (
    UnreadableBatch,
    audit_connection,
)
from shared_resources.governance.audit.engine.outcome import Outcome, Parts
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.engine.uniqueness import Keys
from shared_resources.sql import quote_identifier
from shared_resources.stores.protocol import Snapshot

# A year of partitions may fail the same rule; a report shows five rows of it, not of each day.
SAMPLED_PARTS = 10
# What DuckDB needs to plan one query grows with the square of its expressions.
MOST_AT_ONCE = 500


@dataclass
class PartCounts:
    """`outcomes` by the rule's place among the rules; without those that need no data."""

    rows: int = 0
    outcomes: dict[int, Outcome] = field(default_factory=dict)


def count_rules(
    parts: Parts,
    contract: Contract,
    rules: Sequence[Rule],
    references: Mapping[str, Snapshot],
    folder: Path,
    scratch: Path | None = None,
) -> list[PartCounts]:
    """The outcome of each rule in each part. All parts are staged alike, or there is one.

    Raises `UnreadableBatch` when the data cannot be read whatever the rule.
    """
    data = parts[0][0]
    scratch = data.batch.folder if isinstance(data, StagedData) else scratch
    domain_rules.prepare(rules, len(parts))
    with audit_connection(scratch) as connection:
        counter = _Counter(connection, parts, contract, rules, references)
        counter.count()
        counter.confirm()
        rows = [counts.rows for counts in counter.counts]
        found = domain_rules.ask_domain_rules(parts, contract, rules, folder, scratch, rows)
        for counts, answers in zip(counter.counts, found, strict=True):
            counts.outcomes.update(answers)
        counter.sample()
    return counter.counts


class _Counter:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        parts: Parts,
        contract: Contract,
        rules: Sequence[Rule],
        references: Mapping[str, Snapshot],
    ) -> None:
        self._connection = connection
        self._parts = parts
        self._contract = contract
        self._rules = rules
        self._references = references
        self._registered: dict[str, str] = {}
        self._read: dict[str, Sequence[str]] = {}  # the columns that an expression reads
        self.counts = [PartCounts() for _ in parts]
        prepare_view(connection, [data for data, _ in parts])

    def count(self) -> None:
        expressions: dict[int, str] = {}
        unique: dict[int, Rule] = {}
        orphans: dict[int, str] = {}
        for place, rule in enumerate(self._rules):
            obstacle = self._obstacle(rule)
            if obstacle is not None:
                self._cannot(place, obstacle)
                continue
            kind = kind_of(rule)
            try:
                if isinstance(kind, RowKind):
                    expression = expressions[place] = kind.count(rule, self._contract)
                    self._read[expression] = self._columns_of(rule)
                elif isinstance(kind, KeyKind):
                    unique[place] = rule
                elif isinstance(kind, ReferenceKind):
                    orphans[place] = self._orphans(kind, rule)
            except (ValueError, RuleProblem) as problem:
                self._cannot(place, str(problem))
        self._aggregate(expressions)
        for place, query in orphans.items():
            self._count_query(place, query)
        self._count_duplicates(unique)

    def confirm(self) -> None:
        """Look again at what rows were only suspected of, in the parts where some were."""
        outcomes = [counts.outcomes for counts in self.counts]
        confirm(self._connection, self._contract, self._rules, outcomes)

    def sample(self) -> None:
        """Fetch failing rows, of failed rules only: a second read of the batch."""
        sampled = 0
        for number, counts in enumerate(self.counts):
            failed = [place for place in counts.outcomes if self._to_sample(place, counts)]
            if not failed or sampled == SAMPLED_PARTS:
                continue
            sampled += 1
            data, found = self._parts[number]
            usable = [name for name in data.schema.names if name not in found.unusable]
            if len(self._parts) > 1:
                prepare_view(self._connection, [data])
            for place in failed:
                rule, outcome = self._rules[place], counts.outcomes[place]
                reference = self._registered.get(kind_of(rule).product(rule) or "")
                personal = self._concealed(counts)
                # A count without a sample is still a finding.
                with suppress(duckdb.Error):
                    rows = sampling.failing_rows(
                        self._connection, rule, self._contract, usable, reference, personal
                    )
                    counts.outcomes[place] = Outcome(outcome.value, sample=rows)

    def _concealed(self, counts: PartCounts) -> frozenset[str]:
        """Columns that hold personal data without saying so: no sample may show them either."""
        return frozenset(
            column
            for place, outcome in counts.outcomes.items()
            if outcome.value and kind_of(self._rules[place]).conceals
            for column in self._rules[place].columns
        )

    def _to_sample(self, place: int, counts: PartCounts) -> bool:
        rule, outcome = self._rules[place], counts.outcomes[place]
        if not kind_of(rule).row_level or outcome.problem is not None or not outcome.value:
            return False
        return not rule.threshold.holds(outcome.value, counts.rows)

    def _obstacle(self, rule: Rule) -> str | None:
        """All parts have the same schema, so the first part's columns speak for all."""
        kind = kind_of(rule)
        if isinstance(kind, OwnKind):
            return None  # said where they run
        found = self._parts[0][1]
        partitioning = self._contract.partitioning
        if partitioning is not None and kind.by_day:
            # The day is read as one: it must be of its type, whatever else the rule asks.
            day = found.obstacle(PARTITION_KIND, (partitioning.column,))
            if day is not None:
                return day
        return found.obstacle(kind, rule.columns)

    def _columns_of(self, rule: Rule) -> Sequence[str]:
        partitioning = self._contract.partitioning
        return (*rule.columns, *([partitioning.column] if partitioning else ()))

    def _orphans(self, kind: ReferenceKind, rule: Rule) -> str:
        """The query for the orphans of each part that has any: (part, rows)."""
        orphaned = kind.orphaned(rule, self._reference(kind, rule), BATCH)
        return f"SELECT {PART}, count(*) FROM {BATCH} WHERE {orphaned} GROUP BY {PART}"

    def _reference(self, kind: ReferenceKind, rule: Rule) -> str:
        product = kind.product(rule)
        if product not in self._references:
            raise RuleProblem(f"{product} has no published version to look into")
        schema = self._references[product].schema
        missing = set(rule.arguments["columns"]) - set(schema.names)
        if missing:
            raise RuleProblem(f"{product} has no column {', '.join(sorted(missing))}")
        if obstacle := kind.not_compared(rule, self._contract, schema):
            raise RuleProblem(obstacle)
        if product not in self._registered:
            name = f"_mesh_reference_{len(self._registered)}"
            self._references[product].register(self._connection, name)
            self._registered[product] = name
        return self._registered[product]

    def _aggregate(self, expressions: Mapping[int, str]) -> None:
        """Count rows and every row-level violation in one pass, or in few.

        Of files that another system wrote every value is decoded, whatever the rules ask.
        """
        wanted = list(dict.fromkeys(expressions.values()))
        positions = {expression: position for position, expression in enumerate(wanted)}
        try:
            if any(isinstance(data, StagedData) and data.half_decoded for data, _ in self._parts):
                if len(wanted) < MOST_AT_ONCE:
                    wanted.append(self._every_value())
                else:
                    self._decode()
            found = self._count_each(wanted)
        except duckdb.Error as problem:
            self._aggregate_singly(expressions, problem)
            return
        for number, (rows, values) in found.items():
            self.counts[number].rows = rows
            for place, expression in expressions.items():
                self.counts[number].outcomes[place] = Outcome(values[positions[expression]])
        self._zero_missing(expressions)

    def _aggregate_singly(self, expressions: Mapping[int, str], first: duckdb.Error) -> None:
        """One of the rules fails on the data's own account: find out which, and go on."""
        try:
            self._decode()
            for number, (rows, _) in self._count_each([]).items():
                self.counts[number].rows = rows
        except duckdb.OutOfMemoryException:
            raise  # said by the connection
        except duckdb.Error:
            said = self._said(first)
            raise UnreadableBatch(
                f"the staged files cannot be read: {said}. Stage the batch again.", said
            ) from first
        for place, expression in expressions.items():
            try:
                for number, (_, values) in self._count_each([expression]).items():
                    self.counts[number].outcomes[place] = Outcome(values[0])
            except duckdb.Error as problem:
                self._cannot(place, self._said(problem))
        self._zero_missing(expressions)

    def _decode(self) -> None:
        self._connection.execute(f"SELECT {self._every_value()} FROM {BATCH}").fetchall()

    def _every_value(self) -> str:
        """An expression that decodes all columns that are what the contract says."""
        unusable = self._parts[0][1].unusable
        names = (column.name for column in self._contract.columns)
        usable = [quote_identifier(name) for name in names if name not in unusable]
        return f"first(row({', '.join(usable)}))" if usable else "1"

    def _count_each(self, wanted: Sequence[str]) -> dict[int, tuple[int, list[int]]]:
        if len(wanted) <= MOST_AT_ONCE:
            return {part: (rows, values) for part, rows, *values in self._count_together(wanted)}
        found: dict[int, tuple[int, list[int]]] = {}
        parts = [data for data, _ in self._parts]
        for first in range(0, len(wanted), MOST_AT_ONCE):
            some = wanted[first : first + MOST_AT_ONCE]
            read = dict.fromkeys(name for expression in some for name in self._read[expression])
            prepare_view(self._connection, parts, read)
            for part, rows, *values in self._count_together(some):
                found.setdefault(part, (rows, []))[1].extend(values)
        prepare_view(self._connection, parts)
        return found

    def _count_together(self, wanted: Sequence[str]) -> list[tuple[int, ...]]:
        part, group = (PART, f" GROUP BY {PART}") if len(self._parts) > 1 else ("0", "")
        listed = ", ".join([part, "count(*)", *wanted])
        return self._connection.execute(f"SELECT {listed} FROM {BATCH}{group}").fetchall()

    def _count_query(self, place: int, query: str) -> None:
        try:
            for number, failed in self._connection.execute(query).fetchall():
                self.counts[number].outcomes[place] = Outcome(failed)
        except duckdb.Error as problem:
            self._cannot(place, self._said(problem))
        self._zero_missing([place])

    def _count_duplicates(self, unique: Mapping[int, Rule]) -> None:
        rows = sum(counts.rows for counts in self.counts)
        keys = Keys(self._connection, self._contract, parts=len(self._parts), rows=rows)
        # A key after every key that is a part of it: where those do not repeat, neither does it.
        for place in sorted(unique, key=lambda one: len(unique[one].columns)):
            try:
                for number, failed in keys.count_duplicates(unique[place]):
                    self.counts[number].outcomes[place] = Outcome(failed)
            except duckdb.Error as problem:
                self._cannot(place, self._said(problem))
        self._zero_missing(unique)

    def _zero_missing(self, places: Iterable[int]) -> None:
        """A part that a grouped query does not mention has no row that it counts."""
        for counts in self.counts:
            for place in places:
                counts.outcomes.setdefault(place, Outcome())

    def _cannot(self, place: int, reason: str) -> None:
        for counts in self.counts:
            counts.outcomes[place] = Outcome(problem=reason)

    def _said(self, problem: duckdb.Error) -> str:
        return line_for(self._contract, problem)
