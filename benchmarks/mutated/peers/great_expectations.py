"""A contract's rules as Great Expectations' own, for a frame of pandas.

Belongs here: which expectation says which kind of rule. Does not belong here: asking
(`in_great_expectations.py`).

Left out is what no expectation of a frame says: queries, and relationships of several columns; whether
text is a number is what reading into the contract's types says.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pyarrow.parquet as pq

from benchmarks.mutated.peers.case import DAY, Case
from shared_resources.contracts.model import Rule
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.types import Family

Expectation = tuple[str, dict[str, Any]]


def described(case: Case) -> dict[str, Any]:
    """A case for `in_great_expectations.py`."""
    families = {column.name: column.type.family for column in case.contract.columns}
    return {
        "name": case.name,
        "file": str(case.file),
        "integers": [n for n, family in families.items() if family is Family.INTEGER],
        "texts": [n for n, family in families.items() if family is Family.STRING],
        "dates": [n for n, family in families.items() if family is Family.DATE],
        "expectations": [one for rule in case.contract.rules for one in _said(rule, case)],
    }


def _said(rule: Rule, case: Case) -> Iterator[Expectation]:
    of: dict[str, Any] = {"column": rule.columns[0]} if len(rule.columns) == 1 else {}
    of["mostly"] = _mostly(rule)
    given = rule.arguments
    match kind_of(rule).name:
        case "columns":
            yield from _columns(case)
        case "required":
            yield "ExpectColumnValuesToNotBeNull", of
        case "null_values":
            yield "ExpectColumnValuesToNotBeNull", of
        case "enumeration":
            yield "ExpectColumnValuesToBeInSet", {**of, "value_set": list(given["values"])}
        case "range" | "invalid_values":
            yield "ExpectColumnValuesToBeBetween", {**of, **_bounds(given)}
        case "length":
            bounds = {"min_value": given.get("minLength"), "max_value": given.get("maxLength")}
            yield "ExpectColumnValueLengthsToBeBetween", {**of, **bounds}
        case "pattern":
            yield "ExpectColumnValuesToMatchRegex", {**of, "regex": given["pattern"]}
        case "unique" if of.get("column"):
            yield "ExpectColumnValuesToBeUnique", of
        case "unique":
            yield "ExpectCompoundColumnsToBeUnique", {"column_list": list(rule.columns)}
        case "not_empty":
            yield "ExpectTableRowCountToBeBetween", {"min_value": 1}
        case "row_count":
            low, high = rule.threshold.bounds
            yield "ExpectTableRowCountToBeBetween", {"min_value": int(low), "max_value": int(high)}
        case "relationship" if of.get("column"):
            product, (column,) = str(given["product"]), given["columns"]
            known = _values(case, product, str(column))
            yield "ExpectColumnValuesToBeInSet", {**of, "value_set": known}
        case "partition":
            day = date.fromisoformat(DAY)
            bounds = {
                "min_value": str(day),
                "max_value": str(day + timedelta(days=1)),
                "strict_max": True,
            }
            yield "ExpectColumnValuesToBeBetween", {**of, **bounds}


def _mostly(rule: Rule) -> float:
    """The share of values that must keep it; its own bounds are all inclusive."""
    if str(rule.threshold.unit) != "percent":
        return 1.0
    return 1 - float(rule.threshold.bounds[-1]) / 100


def _columns(case: Case) -> Iterator[Expectation]:
    contract = case.contract
    names = [column.name for column in contract.columns]
    yield "ExpectTableColumnsToMatchSet", {"column_set": names, "exact_match": True}
    if case.file.suffix != ".parquet":
        return  # text was read into the contract's types, or not at all
    types = {
        Family.INTEGER: ["int32", "int64", "Int64"],
        Family.FLOAT: ["float32", "float64"],
        Family.TIMESTAMP: ["datetime64[us]", "datetime64[ns]", "datetime64[ms]"],
    }
    for column in contract.columns:
        if column.type.family not in types:
            # Of days pandas has no type that an expectation names, and pandas 3's `str` is none that
            # Great Expectations 1.24 finds in any list.
            continue
        allowed = {"column": column.name, "type_list": types[column.type.family]}
        yield "ExpectColumnValuesToBeInTypeList", allowed


def _bounds(given: Any) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for name, argument in (("minimum", "min_value"), ("maximum", "max_value")):
        strict = given.get(f"exclusive{name.capitalize()}")
        value = given.get(name) if strict is None else strict
        if value is not None:
            bounds[argument] = str(value) if isinstance(value, date) else value
            if strict is not None:
                bounds[f"strict_{argument[:3]}"] = True
    return bounds


def _values(case: Case, product: str, column: str) -> list[Any]:
    file = case.references[product]
    if file.suffix == ".parquet":
        values = pq.read_table(file, columns=[column])[column].unique().to_pylist()
    else:
        import duckdb

        query = f"SELECT DISTINCT {column} FROM '{file}'"
        values = [value for (value,) in duckdb.connect().execute(query).fetchall()]
    return list(values)
