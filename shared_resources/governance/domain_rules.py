"""Rules that a domain wrote itself, as SQL or as Python: each asked of each part.

Belongs here: going through them, the view that queries see.
Does not belong here: confining a query (`sql_rules.py`), calling a function (`custom_rules.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from shared_resources.contracts.model import Contract, Rule, RuleKind
from shared_resources.governance.custom_rules import run_custom
from shared_resources.governance.outcome import Outcome, Parts
from shared_resources.governance.scan import (
    BATCH,
    PUBLISHED,
    float_columns,
    parquet_scan,
    without_nan,
)
from shared_resources.governance.sql_rules import (
    RuleProblem,
    TimeLimit,
    confined_connection,
    run_query,
    time_limit,
)
from shared_resources.governance.staged_data import Auditable, StagedData


def ask_domain_rules(
    parts: Parts, contract: Contract, rules: Sequence[Rule], folder: Path, scratch: Path | None
) -> list[dict[int, Outcome]]:
    """The outcomes of the `sql` and `custom` rules in each part, by the rule's place."""
    outcomes: list[dict[int, Outcome]] = [{} for _ in parts]
    queries = {place: rule for place, rule in enumerate(rules) if rule.kind is RuleKind.SQL}
    functions = {place: rule for place, rule in enumerate(rules) if rule.kind is RuleKind.CUSTOM}
    if queries:
        _ask_queries(parts, contract, queries, scratch, outcomes)
    for (data, found), answers in zip(parts, outcomes, strict=True):
        for place, rule in functions.items():

            def judge(data: Auditable = data, rule: Rule = rule) -> Outcome:
                named = rule.arguments["implementation"]
                answer = run_custom(named, data, contract, folder, scratch)
                if isinstance(answer, bool):
                    return Outcome(int(not answer), verdict=answer)
                return Outcome(answer)

            answers[place] = _outcome(judge, found.obstacle(rule.kind, rule.columns))
    return outcomes


def _ask_queries(
    parts: Parts,
    contract: Contract,
    queries: dict[int, Rule],
    scratch: Path | None,
    outcomes: list[dict[int, Outcome]],
) -> None:
    paths = tuple(path for data, _ in parts for path in data.paths())
    private = bool(contract.classified_columns)
    first = parts[0][0]
    with (
        confined_connection(lambda c: prepare_view(c, first), paths, scratch) as confined,
        TimeLimit(confined, time_limit()) as clock,
    ):
        for number, (data, found) in enumerate(parts):
            if number:
                prepare_view(confined, data)
            for place, rule in queries.items():

                def ask(rule: Rule = rule) -> Outcome:
                    query = rule.arguments["query"]
                    return Outcome(run_query(confined, query, clock, private=private))

                outcomes[number][place] = _outcome(ask, found.obstacle(rule.kind, rule.columns))


def _outcome(ask: Callable[[], Outcome], obstacle: str | None) -> Outcome:
    if obstacle is not None:
        return Outcome(problem=obstacle)
    try:
        return ask()
    except RuleProblem as problem:
        return Outcome(problem=str(problem))


def prepare_view(connection: duckdb.DuckDBPyConnection, data: Auditable) -> None:
    """Make the view `batch` as `sql` rules see it: the batch's own columns, NaN as null."""
    if isinstance(data, StagedData):
        query, schemas = parquet_scan(data.paths(), data.schemas), data.schemas
    else:
        data.register(connection, PUBLISHED)
        query, schemas = f"SELECT * FROM {PUBLISHED}", (data.schema,)
    query = without_nan(query, float_columns(schemas))
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {BATCH} AS {query}")
