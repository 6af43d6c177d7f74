"""The rules written under `quality`, of a property or of the schema object.

Belongs here: library metrics, `sql` and `custom` rules as `Rule`s; what each may say and where.
Does not belong here: rules that other clauses imply (`implied.py`), or running any of them.

`text` rules, and `custom` rules of another engine, are prose to the platform: no `Rule`, and the
list of clauses says that they are not enforced.
"""

from __future__ import annotations

import re
from typing import Any

from shared_resources.contracts.model import (
    HEALTH_CHECK,
    Rule,
    RuleKind,
    Severity,
    Threshold,
    Unit,
)
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.numbers import is_number
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.implied import BOUNDS, bounds, constants, pattern_of
from shared_resources.contracts.reading.thresholds import read_threshold
from shared_resources.contracts.reading.vendor import vendor_properties
from shared_resources.contracts.types import Family
from shared_resources.sql import quote_identifier

BATCH = "batch"  # what `${object}` stands for: the view of the staged rows
OWN_ENGINE = "python"
FOREIGN_ENGINES = ("soda", "greatExpectations", "montecarlo", "dbt", "dqx")
SEVERITIES = {
    "error": Severity.BLOCKING,
    "blocking": Severity.BLOCKING,
    "warning": Severity.WARNING,
    "info": Severity.WARNING,
}
_METRICS = {
    "nullValues": RuleKind.NULL_VALUES,
    "missingValues": RuleKind.MISSING_VALUES,
    "invalidValues": RuleKind.INVALID_VALUES,
    "duplicateValues": RuleKind.DUPLICATE_VALUES,
    "rowCount": RuleKind.ROW_COUNT,
}
METRICS_OF_A_COLUMN = ("nullValues", "missingValues", "invalidValues", "duplicateValues")
METRICS_OF_A_TABLE = ("rowCount", "duplicateValues")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
# The most that a domain may give a function of its own.
LIMITS = {"seconds": 3_600, "memoryMiB": 16_384}
_IMPLEMENTATION = re.compile(r"rules:[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"[A-Za-z0-9_]+")


def declared_rule(
    node: Node, columns: dict[str, DeclaredColumn], of: DeclaredColumn | None
) -> Rule | None:
    """One item of `quality`. `of` is the property that it stands under, None for the object.

    None for a rule that the platform does not run, and after a finding. The name is "" when the
    item has none.
    """
    if node.get("rule") is not None:
        _at(node, "rule").problem("is deprecated", "use `metric`")
    kind = node.text("type") or "library"
    if kind not in ("library", "sql", "custom", "text"):
        return None  # reported against the standard
    if kind == "library":
        return _library(node, columns, of)
    if metric := node.get("metric"):
        metric.problem(f"stands in a rule of type {kind}", "remove it, or make it type: library")
    if kind == "sql":
        return _sql(node, of)
    if kind == "custom":
        return _custom(node, of)
    if kind == "text" and not node.text("description").strip():
        node.problem("says nothing", "add `description:`")
    return None


def _library(
    node: Node, columns: dict[str, DeclaredColumn], of: DeclaredColumn | None
) -> Rule | None:
    metric, field = node.text("metric"), node.get("metric")
    if metric not in _METRICS:
        if field is None:
            node.problem("names no metric", f"add `metric:` with one of {', '.join(_METRICS)}")
        else:
            field.problem("is no metric", suggest(str(field.value), _METRICS))
        return None
    allowed = METRICS_OF_A_COLUMN if of else METRICS_OF_A_TABLE
    if metric not in allowed:
        where = "the schema object" if of else "a property"
        _at(node, "metric").problem(
            f"is {metric!r}, which does not stand here", f"move the rule under {where}"
        )
        return None
    threshold = read_threshold(node)
    if metric == "rowCount" and threshold and threshold.unit is Unit.PERCENT:
        _at(node, "unit").problem("is percent, but rows are counted", "remove it")
        return None
    names, arguments = _arguments(node, metric, columns, of)
    return _rule(node, _METRICS[metric], names, threshold, arguments)


def _arguments(
    node: Node, metric: str, columns: dict[str, DeclaredColumn], of: DeclaredColumn | None
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The columns that are measured, and the rule's arguments."""
    given = node.get("arguments") or node.nothing()
    if of is None:
        given.unknown_fields(("properties",) if metric == "duplicateValues" else ())
        return _listed_columns(node, given, metric, columns), {}
    names = (of.column.name,)
    if metric == "missingValues":
        given.unknown_fields(("missingValues",))
        return names, _missing_values(node, given, of)
    if metric == "invalidValues":
        return names, _invalid_values(node, given, of)
    given.unknown_fields(())
    return names, {}


def _listed_columns(
    node: Node, given: Node, metric: str, columns: dict[str, DeclaredColumn]
) -> tuple[str, ...]:
    if metric != "duplicateValues":
        return ()
    names: list[str] = []
    for item in given.each("properties"):
        if not isinstance(item.value, str) or item.value not in columns:
            item.problem(
                f"is {item.value!r}, a column that does not exist",
                suggest(str(item.value), columns),
            )
        elif item.value in names:
            item.problem(f"names {item.value!r} a second time", "keep one of the two")
        else:
            names.append(item.value)
    if given.get("properties") is None:
        node.problem("does not say which columns", "add `arguments: {properties: [a, b]}`")
    elif not names and not list(given.each("properties")):
        _at(given, "properties").problem("lists no columns", "write `properties: [a, b]`")
    return tuple(names)


def _missing_values(node: Node, given: Node, of: DeclaredColumn) -> dict[str, Any]:
    """A null is missing whether the list holds a null or not."""
    field = given.get("missingValues")
    if field is None or not list(field.items()):
        (field or node).problem(
            "lists no missing values",
            "add `arguments: {missingValues: [null, 'N/A']}`, or use nullValues",
        )
        return {}
    present = (item for item in field.items() if item.value is not None)
    return {"missingValues": list(constants(present, of, lambda item: item))}


def _invalid_values(node: Node, given: Node, of: DeclaredColumn) -> dict[str, Any]:
    family = of.column.type.family
    known = ["validValues"]
    known += ["pattern"] if family is Family.STRING else []
    known += BOUNDS if family not in (Family.STRING, Family.BOOLEAN) else []
    given.unknown_fields(known)
    found: dict[str, Any] = {}
    if field := given.get("validValues"):
        found["validValues"] = list(constants(field.items(), of, lambda item: item))
        if not list(field.items()):
            field.problem("lists no values", "write `validValues: [a, b]`")
    if "pattern" in known and (field := given.get("pattern")):
        if not isinstance(field.value, str):
            field.problem("is no text", "put the pattern in quotes")
        elif (pattern := pattern_of(field)) is not None:
            found["pattern"] = pattern
    if known[1:] != ["pattern"]:
        found |= bounds(given, of)
    if not any(given.get(name) for name in known):
        node.problem("does not say what is valid", f"add `arguments:` with {' or '.join(known)}")
    return found


def _sql(node: Node, of: DeclaredColumn | None) -> Rule | None:
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
            field.problem(f"uses ${{{used}}}, which means nothing here", suggest(used, variables))
            return None
    if not re.match(r"(select|with|from)\b", query, re.IGNORECASE):
        field.problem("is no query", "start it with SELECT; a rule only reads")
        return None
    query = _VARIABLE.sub(lambda found: variables[found[1]], query)
    names = (of.column.name,) if of else ()
    return _rule(node, RuleKind.SQL, names, threshold, {"query": query})


def _custom(node: Node, of: DeclaredColumn | None) -> Rule | None:
    engine, implementation = node.get("engine"), node.get("implementation")
    if engine is None or implementation is None or not isinstance(engine.value, str):
        return None
    if engine.value in FOREIGN_ENGINES:
        return None
    if engine.value != OWN_ENGINE:
        remedy = suggest(engine.value, (OWN_ENGINE, *FOREIGN_ENGINES))
        engine.problem(f"is {engine.value!r}, an engine that is not known", remedy)
        return None
    if not isinstance(implementation.value, str) or not _IMPLEMENTATION.fullmatch(
        implementation.value
    ):
        implementation.problem(
            "names no function", "write 'rules:function', a function in rules.py beside this file"
        )
        return None
    names = (of.column.name,) if of else ()
    arguments = {"implementation": implementation.value, **_limits(node)}
    return _rule(node, RuleKind.CUSTOM, names, Threshold(), arguments)


def _limits(node: Node) -> dict[str, int]:
    """How long a function may run and how much memory it may take, where the rule says so."""
    found = {}
    for name, field in vendor_properties(node, tuple(LIMITS)).items():
        value, most = field.value, LIMITS[name]
        if not is_number(value) or not 1 <= value <= most or value != int(value):
            field.problem("is no limit of a rule", f"give a whole number from 1 to {most:,}")
        else:
            found[name] = int(value)
    return found


def _rule(
    node: Node,
    kind: RuleKind,
    names: tuple[str, ...],
    threshold: Threshold | None,
    arguments: dict[str, Any],
) -> Rule | None:
    name, severity = _name(node), _severity(node)
    if threshold is None or name is None or severity is None:
        return None
    tolerant = threshold != Threshold()
    description = node.text("description").strip()
    return Rule(
        name,
        kind,
        names,
        clause=node.path,
        threshold=threshold,
        severity=severity,
        arguments=arguments,
        description=description,
        dimension=node.text("dimension") or None,
        reason=description if tolerant else "",
        line=node.line,
    )


def _name(node: Node) -> str | None:
    field = node.get("name")
    if field is None or not isinstance(field.value, str):
        return ""
    if not _NAME.fullmatch(field.value):
        field.problem(
            f"is {field.value!r}, which cannot name a check", "use letters, digits and `_` only"
        )
        return None
    if field.value == HEALTH_CHECK:
        field.problem(
            f"is {field.value!r}, the platform's own check of the product's health",
            "choose another name",
        )
        return None
    return field.value


def _severity(node: Node) -> Severity | None:
    field = node.get("severity")
    if field is None or not isinstance(field.value, str):
        return Severity.BLOCKING
    if field.value not in SEVERITIES:
        field.problem(f"is {field.value!r}, which does not exist", suggest(field.value, SEVERITIES))
        return None
    return SEVERITIES[field.value]


def _at(node: Node, name: str) -> Node:
    return node.get(name) or node
