"""SQL: a query of the domain's that answers a number. `quality` items of type sql.

Belongs here: what such an item may say, and its variables.
Does not belong here: confining and running the query (`governance/audit/domain_rules/`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.thresholds import read_threshold
from shared_resources.contracts.rules.items import item_rule
from shared_resources.contracts.rules.kind import OwnKind
from shared_resources.contracts.rules.view import BATCH
from shared_resources.sql import quote_identifier

if TYPE_CHECKING:
    import polars as pl

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class Sql(OwnKind):
    """`Rule.arguments`: {"query": str} with ${object} / ${property} already replaced by `batch`."""

    name = "sql"
    rank = 56
    sql = True
    python = False
    of = "query"

    def read_item(self, node: Node, of: DeclaredColumn | None) -> Rule | None:
        threshold = read_threshold(node)
        field = node.get("query")
        if field is None or not isinstance(field.value, str):
            return None
        query = field.value.strip().rstrip(";").rstrip()
        variables = {"object": BATCH}
        if of is not None:
            variables["property"] = quote_identifier(of.column.name)
        for used in _VARIABLE.findall(query):
            if used not in variables:
                remedy = suggest(used, variables)
                field.problem(f"uses ${{{used}}}, which means nothing here", remedy)
                return None
        if not re.match(r"(select|with|from)\b", query, re.IGNORECASE):
            field.problem("is no query", "start it with SELECT; a rule only reads")
            return None
        query = _VARIABLE.sub(lambda found: variables[found[1]], query)
        names = (of.column.name,) if of else ()
        return item_rule(node, self.name, names, threshold, {"query": query})

    def keeps(self, was: Rule, now: Rule) -> bool:
        """Of the same query, however it is laid out; of two others nobody knows."""
        one, other = was.arguments["query"], now.arguments["query"]
        return bool(one == other) or _laid_out(one) == _laid_out(other)

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        from shared_resources.contracts.rules.row_conditions import row_condition  # with polars

        return row_condition(rule.arguments["query"], contract)

    def measured(self, shown: str) -> str:
        return f"the query answers {shown}"

    def limit(self, rule: Rule) -> str:
        """Without the word `rows`, which a query's number does not count."""
        return str(rule.threshold).removesuffix(" rows")


def _laid_out(query: str) -> str:
    """The query in one layout and without its comments; itself where it cannot be read."""
    import sqlglot  # here: few contracts change a query, and importing it takes a moment

    try:
        return sqlglot.parse_one(query, dialect="duckdb").sql(dialect="duckdb", comments=False)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return query


KIND = Sql()
