"""The audit and the generated pandera schema reach the same verdict on every rule that both have.

Contracts and frames are generated: every type, every kind of rule, every operator and unit, over
nulls, NaN, infinities, empty strings, line breaks, non-ASCII text, time zones, big integers, and
columns that are missing, extra or of another type.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_resources.contracts.compiling.import_pandera import pandera
from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import read_contract_text
from shared_resources.contracts.pandera_schema import pandera_schema
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.values.lossless import conform
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.stores.protocol import StagedBatch
from shared_resources.stores.staging.staging import write_staged

EXAMPLES = 300

# For each type: its ODCS fields, values in contracts as YAML has them, values in frames.
_MOMENTS = [
    datetime(2017, 1, 1),
    datetime(2017, 1, 1, 23, 59, 59, 999999),
    datetime(2017, 1, 2),
    datetime(1960, 2, 29, 12),
    datetime(2018, 3, 25, 2, 30),
]
KINDS: Mapping[str, Mapping[str, Any]] = {
    "text": {
        "odcs": {"logicalType": "string"},
        "constants": ["", "a", "b", "é", "a\nb", "007", "日本", "nan", "null"],
        "values": [
            "", "a", "b", "A", "é", "e\u0301", "日本", "a\nb", "a\n", " ", "007", "xxxxx", "\v", "٣",
            "a\u2028b", "😀", "nan", "NULL", "a b", "\r\n", "ab" * 40,
        ],
    },
    "integer": {
        "odcs": {"logicalType": "integer"},
        "constants": [0, 1, 2, 5, -1, 2**53 + 1, 2**63 - 1, -(2**63)],
        "values": [0, 1, 2, 3, 5, 10, -1, -7, 2**53 + 1, 2**63 - 1, -(2**63)],
    },
    "int32": {
        "odcs": {"logicalType": "integer", "physicalType": "INTEGER"},
        "constants": [0, 1, 2, 5, -1, 2**31 - 1],
        "values": [0, 1, 2, 3, 5, -1, 2**31 - 1, -(2**31), 2**31],
    },
    "double": {
        "odcs": {"logicalType": "number"},
        "constants": [0.0, 0.1, 0.3, 1.5, 2.0, -1.0, 1e308],
        "values": [
            0.0, -0.0, 0.1, 0.3, 0.1 + 0.2, 1.5, 2.0, -1.0, 1e308, -1e308, 5e-324, 123456789.12,
            float("inf"), float("-inf"), float("nan"),
        ],
    },
    "float32": {
        "odcs": {"logicalType": "number", "physicalType": "REAL"},
        "constants": [0.0, 0.1, 1.5, 2.0, -1.0],
        "values": [
            0.0, -0.0, float(np.float32(0.1)), 0.1, 1.5, 2.0, -1.0, 16777216.0, float("inf"),
            float("nan"),
        ],
    },
    "decimal": {
        "odcs": {"logicalType": "number", "physicalType": "DECIMAL(12,2)"},
        "constants": [0, 0.1, 1.5, 2, -1, 9999999999.99],
        "values": [
            Decimal("0"), Decimal("0.10"), Decimal("1.5"), Decimal("2.00"), Decimal("-1"),
            Decimal("9999999999.99"), Decimal("0.005"), 0.1, 1.5,
        ],
    },
    "boolean": {
        "odcs": {"logicalType": "boolean"},
        "constants": [True, False],
        "values": [True, False],
    },
    "date": {
        "odcs": {"logicalType": "date"},
        "constants": ["2017-01-01", "2017-01-02", "1960-02-29"],
        "values": [date(2017, 1, 1), date(2017, 1, 2), date(1960, 2, 29), date(9999, 12, 31)],
    },
    "timestamp": {
        "odcs": {"logicalType": "timestamp"},
        "constants": ["2017-01-01T00:00:00", "2017-01-01T23:59:59.999999", "2018-01-01T00:00:00"],
        "values": _MOMENTS,
    },
    "timestamp_tz": {
        "odcs": {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}},
        "constants": ["2017-01-01T00:00:00Z", "2017-01-02T01:00:00+01:00", "2018-01-01T00:00:00Z"],
        "values": [moment.replace(tzinfo=UTC) for moment in _MOMENTS],
    },
}  # fmt: skip
PATTERNS = [
    "", "a", "^a", "b$", "^[0-9]+$", "a.b", r"\s", r"^\w+$", "é", "^.{2,3}$", "a|b", "[^a]", "^$",
    r"\d", r"^\S+$", r"[\s]", r"\bb", "^a$",
]  # fmt: skip
ORDERED = frozenset(KINDS) - {"text", "boolean"}
NUMERIC = frozenset({"integer", "int32", "double", "float32", "decimal"})
WORDS = ("mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan",
         "mustBeLessOrEqualTo")  # fmt: skip
PAIRS = ("mustBeBetween", "mustNotBeBetween")


# Contracts ---------------------------------------------------------------------------------------


@st.composite
def thresholds(draw: st.DrawFn, *, units: bool = True) -> dict[str, Any]:
    unit = draw(st.sampled_from(["rows", "percent"])) if units else "rows"
    numbers = [0, 1, 2, 3] if unit == "rows" else [0, 12.5, 25, 50, 100]
    operator = draw(st.sampled_from(WORDS + PAIRS))
    bound: Any = draw(st.sampled_from(numbers))
    if operator in PAIRS:
        bound = sorted(
            draw(st.lists(st.sampled_from(numbers), min_size=2, max_size=2, unique=True))
        )
    return {operator: bound, **({"unit": unit} if units else {})}


@st.composite
def bounds(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    constants = KINDS[kind]["constants"]
    low = draw(st.sampled_from(["minimum", "exclusiveMinimum"]))
    high = draw(st.sampled_from(["maximum", "exclusiveMaximum"]))
    name, value = draw(st.sampled_from([low, high])), draw(st.sampled_from(constants))
    if kind in ("integer", "decimal") and draw(st.booleans()):
        value = 0.5 if kind == "integer" else 0.125
    return {name: value}


@st.composite
def options(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = dict(KINDS[kind]["odcs"].get("logicalTypeOptions", {}))
    if kind in ORDERED and draw(st.booleans()):
        found |= draw(bounds(kind))
    if kind in NUMERIC and draw(st.integers(0, 2)) == 0:
        found["multipleOf"] = draw(st.sampled_from([1, 2, 5] if "int" in kind else [0.1, 0.5, 2]))
    if kind == "text":
        if draw(st.booleans()):
            found["pattern"] = draw(st.sampled_from(PATTERNS))
        if draw(st.booleans()):
            found["minLength"] = draw(st.integers(0, 2))
        if draw(st.booleans()):
            found["maxLength"] = draw(st.integers(2, 6))
    return found


@st.composite
def metrics(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    metric = draw(st.sampled_from(
        ["nullValues", "missingValues", "invalidValues", "duplicateValues"]
    ))  # fmt: skip
    rule: dict[str, Any] = {"metric": metric, **draw(thresholds())}
    constants = draw(st.lists(st.sampled_from(KINDS[kind]["constants"]), min_size=1, max_size=3,
                              unique_by=repr))  # fmt: skip
    if metric == "missingValues":
        rule["arguments"] = {"missingValues": [*constants, *draw(st.sampled_from([[], [None]]))]}
    if metric == "invalidValues":
        arguments: dict[str, Any] = {"validValues": constants}
        if kind in ORDERED and draw(st.booleans()):
            arguments = draw(bounds(kind))
        if kind == "text" and draw(st.booleans()):
            arguments["pattern"] = draw(st.sampled_from(PATTERNS))
        rule["arguments"] = arguments
    return rule


@st.composite
def properties(draw: st.DrawFn, name: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, **KINDS[kind]["odcs"]}
    found["logicalTypeOptions"] = draw(options(kind))
    found["required"] = draw(st.booleans())
    found["unique"] = draw(st.booleans())
    if draw(st.booleans()):
        constants = st.sampled_from(KINDS[kind]["constants"])
        listed = draw(st.lists(constants, min_size=1, max_size=4, unique_by=repr))
        found["enum"] = [{"value": value} for value in listed]
    found["quality"] = draw(st.lists(metrics(kind), max_size=2))
    return found


@st.composite
def contracts(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """A contract's text, and the kind of each of its columns."""
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    kinds = {name: draw(st.sampled_from(sorted(KINDS))) for name in names}
    columns = [draw(properties(name, kind)) for name, kind in kinds.items()]
    keyed = draw(st.integers(0, len(columns)))
    for position, column in enumerate(columns[:keyed], start=1):
        column |= {"primaryKey": True, "primaryKeyPosition": position}
    quality: list[dict[str, Any]] = []
    if draw(st.booleans()):
        quality.append({"metric": "rowCount", **draw(thresholds(units=False))})
    if draw(st.booleans()):
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        quality.append({"metric": "duplicateValues", "arguments": {"properties": chosen},
                        **draw(thresholds())})  # fmt: skip
    custom: dict[str, Any] = {"allowEmpty": draw(st.booleans())}
    days = [name for name, kind in kinds.items() if kind in ("date", "timestamp", "timestamp_tz")]
    if days and draw(st.booleans()):
        custom["partitions"] = {"cadence": "daily", "column": days[0], "start": "2017-01-01",
                                "end": "2017-01-02"}  # fmt: skip
    return json.dumps(
        {
            "apiVersion": "v3.2.0",
            "kind": "DataContract",
            "id": "order-lines",
            "name": "lines",
            "version": "1.0.0",
            "domain": "order",
            "servers": [{"server": "lake", "type": "custom"}],
            "schema": [{"name": "lines", "properties": columns, "quality": quality}],
            "customProperties": [
                {"property": name, "value": value, "vendor": "mesh"}
                for name, value in custom.items()
            ],
        },
        # JSON is YAML, and written much faster.
        ensure_ascii=False,
    ), kinds


# Frames ------------------------------------------------------------------------------------------


@st.composite
def series(draw: st.DrawFn, kind: str, rows: int) -> pd.Series[Any]:
    """A column, most often of the kind, as one of the ways in which pandas can hold it."""
    if draw(st.integers(0, 7)) == 0:
        kind = draw(st.sampled_from(sorted(KINDS)))
    values = st.sampled_from(KINDS[kind]["values"])
    nothing = draw(st.sampled_from([None, None, float("nan"), pd.NA, pd.NaT]))
    drawn = draw(st.lists(st.one_of(values, values, values, st.just(nothing)), min_size=rows,
                          max_size=rows))  # fmt: skip
    column = pd.Series(drawn, dtype=object)
    if draw(st.booleans()):
        return column
    try:
        return _typed(column, kind, draw)
    except (ValueError, TypeError, OverflowError):
        return column


def _typed(column: pd.Series[Any], kind: str, draw: st.DrawFn) -> pd.Series[Any]:
    match kind:
        case "text":
            return column.astype(draw(st.sampled_from(["string", "category", "string[pyarrow]"])))
        case "integer" | "int32":
            return column.astype(draw(st.sampled_from(["Int64", "float64", "int64", "Int32"])))
        case "double" | "float32":
            return column.astype(draw(st.sampled_from(["float64", "float32", "Float64"])))
        case "boolean":
            return column.astype("boolean")
        case "date" | "timestamp":
            unit = draw(st.sampled_from(["us", "ns"]))
            return pd.to_datetime(column).astype(f"datetime64[{unit}]")
        case "timestamp_tz":
            zone = draw(st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns"]))
            return pd.to_datetime(column, utc=True).dt.tz_convert(zone)
    return column


@st.composite
def frames(draw: st.DrawFn, kinds: Mapping[str, str]) -> pd.DataFrame:
    rows = draw(st.integers(0, 8))
    columns = {name: draw(series(kind, rows)) for name, kind in kinds.items()}
    wrong = draw(st.integers(0, 9))
    if wrong == 0:
        del columns[draw(st.sampled_from(sorted(columns)))]
    if wrong == 1:
        columns["extra"] = pd.Series([1] * rows)
    order = draw(st.permutations(sorted(columns)))
    return pd.DataFrame({name: columns[name] for name in order}, index=range(rows))


# Verdicts ----------------------------------------------------------------------------------------


def failed_by_pandera(contract: Contract, frame: pd.DataFrame) -> dict[str, int | None]:
    """The rules that fail, with the number of rows where pandera names rows."""
    try:
        pandera_schema(contract).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        failed: dict[str, int | None] = {}
        cases = errors.failure_cases
        for error in errors.schema_errors:
            name = getattr(error.check, "name", error.check)
            assert error.reason_code.name != "CHECK_ERROR", error
            if name == "column_in_dataframe":  # so none of the column's rules can hold
                missing = error.failure_cases
                failed |= {r.name: None for r in contract.rules if missing in r.columns}
                continue
            rows = cases.loc[cases["check"] == name, "index"].dropna()
            failed[str(name)] = rows.nunique() or None
        return failed
    return {}


def failed_by_audit(contract: Contract, frame: pd.DataFrame) -> dict[str, int | None]:
    with TemporaryDirectory(prefix="mesh-agreement-") as folder:
        # One file that stands for no partition, as `mesh audit --data` has it.
        files = write_staged(conform(frame, contract), Path(folder), contract, ("",))
        staged = StagedBatch(contract.key, "batch", Path(folder), files)
        report = audit(StagedData(staged), contract)
    return {
        result.rule.name: result.rows_failed or None
        for result in report.results
        if not result.passed and kind_of(result.rule).for_frames
    }


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(st.data())
def test_the_audit_and_the_pandera_schema_agree_rule_by_rule(data: st.DataObject) -> None:
    text, kinds = data.draw(contracts(), label="contract")
    contract = read_contract_text(text, Path("contract.odcs.yaml"))
    frame = data.draw(frames(kinds), label="frame")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_pandera = failed_by_pandera(contract, frame)
    by_audit = failed_by_audit(contract, frame)
    assert sorted(by_pandera) == sorted(by_audit)
    for name, rows in by_audit.items():
        if rows is not None and by_pandera[name] is not None:
            assert by_pandera[name] == rows, name
