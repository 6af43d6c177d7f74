"""The rules written under `quality`, of a property or of the schema object.

Belongs here: which kind of rule an item is: by its metric, its type, its engine.
Does not belong here: what a kind reads of it (`contracts/rules/`), rules that other clauses imply.

`text` rules, and `custom` rules of another engine, are prose to the platform: no `Rule`, and the
list of clauses says that they are not enforced.
"""

from __future__ import annotations

from shared_resources.contracts.model import Rule, Unit
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.thresholds import read_threshold
from shared_resources.contracts.rules.items import item_rule
from shared_resources.contracts.rules.kind import RuleKind
from shared_resources.contracts.rules.registry import all_kinds

FOREIGN_ENGINES = ("soda", "greatExpectations", "montecarlo", "dbt", "dqx")


def metrics(*, of_a_column: bool) -> tuple[str, ...]:
    """The metrics of library rules that may stand under a property, or under the schema object."""
    return tuple(
        kind.metric
        for kind in all_kinds().values()
        if kind.metric and (kind.on_column if of_a_column else kind.on_table)
    )


def engines() -> tuple[str, ...]:
    """The engines of custom rules that the platform runs."""
    return tuple(kind.engine for kind in all_kinds().values() if kind.engine)


def declared_rule(
    node: Node, columns: dict[str, DeclaredColumn], of: DeclaredColumn | None
) -> Rule | None:
    """One item of `quality`. `of` is the property that it stands under, None for the object.

    None for a rule that the platform does not run, and after a finding. The name is "" when the
    item has none.
    """
    if node.get("rule") is not None:
        _at(node, "rule").problem("is deprecated", "use `metric`")
    type_ = node.text("type") or "library"
    if type_ not in ("library", "sql", "custom", "text"):
        return None  # reported against the standard
    if type_ == "library":
        return _library(node, columns, of)
    if metric := node.get("metric"):
        metric.problem(f"stands in a rule of type {type_}", "remove it, or make it type: library")
    if type_ == "sql":
        return next(kind for kind in all_kinds().values() if kind.sql).read_item(node, of)
    if type_ == "custom":
        kind = _of_engine(node)
        return kind.read_item(node, of) if kind else None
    if type_ == "text" and not node.text("description").strip():
        node.problem("says nothing", "add `description:`")
    return None


def _of_engine(node: Node) -> RuleKind | None:
    """The kind that reads an item of type custom; None for another tool's, and after a finding."""
    engine = node.get("engine")
    if engine is None or node.get("implementation") is None or not isinstance(engine.value, str):
        return None
    if engine.value in FOREIGN_ENGINES:
        return None
    engines = {kind.engine: kind for kind in all_kinds().values() if kind.engine}
    if engine.value not in engines:
        remedy = suggest(engine.value, (*engines, *FOREIGN_ENGINES))
        engine.problem(f"is {engine.value!r}, an engine that is not known", remedy)
        return None
    return engines[engine.value]


def _library(
    node: Node, columns: dict[str, DeclaredColumn], of: DeclaredColumn | None
) -> Rule | None:
    metrics = {kind.metric: kind for kind in all_kinds().values() if kind.metric}
    metric, field = node.text("metric"), node.get("metric")
    if metric not in metrics:
        if field is None:
            node.problem("names no metric", f"add `metric:` with one of {', '.join(metrics)}")
        else:
            field.problem("is no metric", suggest(str(field.value), metrics))
        return None
    kind = metrics[metric]
    if not (kind.on_column if of else kind.on_table):
        where = "the schema object" if of else "a property"
        _at(node, "metric").problem(
            f"is {metric!r}, which does not stand here", f"move the rule under {where}"
        )
        return None
    threshold = read_threshold(node)
    if threshold and threshold.unit is Unit.PERCENT and not kind.row_level:
        _at(node, "unit").problem("is percent, but rows are counted", "remove it")
        return None
    given = node.get("arguments") or node.nothing()
    names, arguments = kind.read_metric(node, given, of, columns)
    return item_rule(node, kind.name, names, threshold, arguments)


def _at(node: Node, name: str) -> Node:
    return node.get(name) or node
