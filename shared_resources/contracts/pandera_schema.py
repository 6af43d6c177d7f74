"""The contract as a pandera schema, for authors' own tests of the frames that they return.

    from shared_resources.contracts.pandera_schema import schema_for

    def test_baskets_keep_the_contract():
        schema_for(Path("domains/order/products/baskets")).validate(baskets(lines), lazy=True)

Belongs here: one pandera check a rule, of the rule's name, with its threshold and severity.
Does not belong here: which rows break a rule (its kind, in `contracts/rules/`) or the audit
that decides about publishing (`governance/audit/audit.py`); the two agree on every rule that both
can express.

Not expressed, because a frame alone does not tell: `sql` and `custom` rules (call the function in
your test), relationships (they need the other product), `parse` (a frame is parsed already), and
central policies. `partition` checks that days lie among the product's, not which one is published.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from shared_resources.contracts.compiling.import_pandera import pandera
from shared_resources.contracts.compiling.shared_keys import sharing_rows
from shared_resources.contracts.model import Column, Contract, Rule, Severity
from shared_resources.contracts.odcs import read_contract
from shared_resources.contracts.rules.arrow import day_of
from shared_resources.contracts.rules.kind import BatchKind, KeyKind, RowKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.types import ColumnType
from shared_resources.contracts.values.conversions import convert, family_of, plain
from shared_resources.contracts.values.pandas_columns import to_arrow

_CONTRACT_FILE = "contract.odcs.yaml"
Failing = np.ndarray[Any, np.dtype[np.bool_]]


def schema_for(place: Path | str) -> pandera.DataFrameSchema:
    """The schema of the contract in a product's folder, or of a contract file.

    Raises `InvalidFile` with every finding when the contract is not valid.
    """
    path = Path(place)
    return pandera_schema(read_contract(path / _CONTRACT_FILE if path.is_dir() else path))


def pandera_schema(contract: Contract) -> pandera.DataFrameSchema:
    """A schema whose checks are named as the contract's rules are; warnings warn.

    Validate with `lazy=True` to see everything at once: `failure_cases` has the rule's name, the
    row's index and the value. The frame is not changed, and nothing in it is converted.
    """
    rules = [rule for rule in contract.rules if kind_of(rule).for_frames]
    of_frame = [rule for rule in rules if _needs_frame(rule, contract)]
    return pandera.DataFrameSchema(
        {column.name: _column(column, rules, contract) for column in contract.columns},
        checks=[_check(rule, _frame_holds(rule, contract)) for rule in of_frame],
        name=contract.key,
        description=contract.description,
    )


def _needs_frame(rule: Rule, contract: Contract) -> bool:
    """Whether the rule looks at more of the frame than one column of it."""
    kind = kind_of(rule)
    within_days = isinstance(kind, KeyKind) and contract.partitioning is not None
    return isinstance(kind, BatchKind) or len(rule.columns) > 1 or within_days


def _column(column: Column, rules: list[Rule], contract: Contract) -> pandera.Column:
    checks = []
    for rule in rules:
        kind = kind_of(rule)
        if isinstance(kind, BatchKind) and kind.types:
            checks.append(_check(rule, _type_holds(column)))
        elif rule.columns == (column.name,) and not _needs_frame(rule, contract):
            checks.append(_check(rule, _column_holds(rule, column, contract)))
    return pandera.Column(
        checks=checks,
        nullable=True,  # the contract's own rules say what may be null
        required=True,
        title=column.business_name or None,
        description=column.description or None,
    )


def _check(rule: Rule, holds: Callable[[Any], Any]) -> pandera.Check:
    return pandera.Check(
        holds,
        name=rule.name,
        description=rule.description or None,
        raise_warning=rule.severity is Severity.WARNING,
        ignore_na=False,  # each rule says itself what a null is to it
    )


# One column --------------------------------------------------------------------------------------


def _type_holds(column: Column) -> Callable[[pd.Series[Any]], bool]:
    return lambda series: convert(to_arrow(series), column.type) is not None


def _column_holds(
    rule: Rule, column: Column, contract: Contract
) -> Callable[[pd.Series[Any]], Any]:
    def holds(series: pd.Series[Any]) -> Any:
        values = _values(series, column.type)
        if not _fits(rule, values, column.type):
            return False
        verdict = _judge(rule, _failing(rule, values, column.type, contract), series.index)
        if isinstance(series.dtype, pd.CategoricalDtype):
            return verdict is True  # pandera cannot show the failing rows of a category with nulls
        return verdict

    return holds


def _values(series: pd.Series[Any], type_: ColumnType) -> pa.ChunkedArray:
    """The column in the contract's type, or in its own where that would lose something."""
    own = to_arrow(series)
    converted = convert(own, type_)
    values = plain(own) if converted is None else converted
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values


def _fits(rule: Rule, values: pa.ChunkedArray, type_: ColumnType) -> bool:
    """Whether the rule means something for values of this type."""
    return kind_of(rule).of_any_type or family_of(values.type) is type_.family


def _failing(rule: Rule, values: pa.ChunkedArray, type_: ColumnType, contract: Contract) -> Failing:
    kind = kind_of(rule)
    if not isinstance(kind, RowKind):
        return sharing_rows([values])
    return np.asarray(kind.mask(rule, contract, values, type_).to_numpy(), dtype=np.bool_)


def _judge(rule: Rule, failing: Failing, index: pd.Index[Any]) -> Any:
    """What pandera is to see: everything passes, these rows fail, or (no row does) it fails."""
    count = int(failing.sum())
    if rule.threshold.holds(count, len(failing)):
        return True
    return pd.Series(~failing, index=index) if count else False


# The frame ---------------------------------------------------------------------------------------


def _frame_holds(rule: Rule, contract: Contract) -> Callable[[pd.DataFrame], Any]:
    kind = kind_of(rule)
    if isinstance(kind, BatchKind):
        return lambda frame: kind.holds(rule, contract, _labels(frame), _rows(frame))
    return lambda frame: _key_holds(frame, rule, contract)


def _labels(frame: pd.DataFrame) -> list[str]:
    return [str(label) for label in frame.columns]


def _rows(frame: pd.DataFrame) -> int:
    """An index without columns holds no rows that could be published."""
    return len(frame) if frame.shape[1] else 0


def _key_holds(frame: pd.DataFrame, rule: Rule, contract: Contract) -> Any:
    names = _labels(frame)
    if any(names.count(name) != 1 for name in rule.columns):
        return False
    keys = [_named_values(frame, name, contract) for name in rule.columns]
    within = None
    partitioning = contract.partitioning
    if partitioning is not None:
        if names.count(partitioning.column) != 1:
            return False
        days = _named_values(frame, partitioning.column, contract)
        if family_of(days.type) is not contract.column(partitioning.column).type.family:
            return False
        within = day_of(days)
    return _judge(rule, sharing_rows(keys, within), frame.index)


def _named_values(frame: pd.DataFrame, name: str, contract: Contract) -> pa.ChunkedArray:
    place = _labels(frame).index(name)
    return _values(frame.iloc[:, place], contract.column(name).type)
