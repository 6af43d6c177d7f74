"""A contract's numbers stay exact from the file to the verdict: bounds, values, thresholds, budgets."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_resources.contracts.model import Operator, Threshold, Unit
from shared_resources.contracts.numbers import percent, shown
from shared_resources.contracts.odcs import read_contract_text
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.report import RuleResult
from tests.contract_factory import stage
from tests.contracts.reading import column_contract, findings, read

DECIMALS = st.integers(1, 38).flatmap(
    lambda precision: st.integers(0, precision).flatmap(
        lambda scale: st.tuples(
            st.just(precision),
            st.just(scale),
            st.integers(-(10**precision) + 1, 10**precision - 1),
            st.integers(-2, 2),
        )
    )
)


def _audit(text: str, type_: pa.DataType, values: list[object]) -> dict[str, RuleResult]:
    contract = read_contract_text(text, Path("contract.odcs.yaml"))
    with TemporaryDirectory() as folder:
        batch = stage(Path(folder), pa.table({"x": pa.array(values, type_)}))
        report = audit(StagedData(batch), contract)
    return {result.rule.name: result for result in report.results}


def _spelled(number: Decimal) -> str:
    return format(number, "f")


@settings(max_examples=25, deadline=None)
@given(DECIMALS)
def test_bounds_and_values_of_decimals_are_exact(drawn: tuple[int, int, int, int]) -> None:
    precision, scale, unscaled, off = drawn
    value = Decimal(f"{unscaled}e-{scale}")
    near = min(max(unscaled + off, -(10**precision) + 1), 10**precision - 1)
    bound = _spelled(Decimal(f"{near}e-{scale}"))
    results = _audit(
        column_contract(
            f"{{logicalType: number, physicalType: 'DECIMAL({precision},{scale})', "
            f"logicalTypeOptions: {{maximum: {bound}, exclusiveMinimum: {bound}}}, "
            f"quality: [{{metric: invalidValues, arguments: {{validValues: [{bound}]}}, mustBe: 0}}]}}"
        ).replace(f"maximum: {bound}, exclusiveMinimum", "exclusiveMinimum"),
        pa.decimal128(precision, scale),
        [value],
    )
    assert results["range_x"].rows_failed == (unscaled <= near)
    assert results["x_invalid_values"].rows_failed == (unscaled != near)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(-(2**70), 2**70) | st.sampled_from([2**53 + 1, 2**53, 2**63]),
    st.integers(-1, 1),
    st.sampled_from(Operator),
)
def test_a_threshold_sees_every_digit_of_a_whole_answer(
    answer: int, off: int, operator: Operator
) -> None:
    threshold = Threshold(operator, (answer + off, answer + off + 1))
    single = threshold.bounds[0]
    expected = {
        Operator.MUST_BE: answer == single,
        Operator.MUST_NOT_BE: answer != single,
        Operator.GREATER_THAN: answer > single,
        Operator.BETWEEN: single <= answer <= single + 1,
    }
    if operator in expected:
        for measured in (answer, Decimal(answer)):
            assert threshold.holds(measured, 10) is expected[operator]
    assert str(answer + off) in str(threshold)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 10**6), st.decimals(0, 100, places=12))
def test_percent_is_exact(failed: int, of: int, bound: Decimal) -> None:
    threshold = Threshold(Operator.LESS_OR_EQUAL, (bound,), Unit.PERCENT)
    assert threshold.holds(failed, of) is (Fraction(100 * failed, of) <= Fraction(bound))
    assert percent(failed, of) == Fraction(100 * failed, of)


@pytest.mark.parametrize(
    ("query", "operator", "bound", "passes"),
    [
        ("9007199254740993::BIGINT", "mustBeLessThan", "9007199254740993", False),
        ("9007199254740993::BIGINT", "mustBe", "9007199254740993", True),
        ("sum(9007199254740993)", "mustBeGreaterThan", "9007199254740992", True),
        ("18446744073709551615::UBIGINT", "mustBeLessThan", "18446744073709551615", False),
        ("(2::HUGEINT ** 100)::HUGEINT + 1", "mustBe", "1267650600228229401496703205377", True),
        ("340282366920938463463374607431768211455::UHUGEINT", "mustBe",
         "340282366920938463463374607431768211455", True),
        ("'3402823669209384634633746074317682114550'::BIGNUM", "mustBe",
         "3402823669209384634633746074317682114550", True),
        ("12345678901234567.95::DECIMAL(20,2)", "mustBeLessOrEqualTo", "12345678901234567.89", False),
        ("12345678901234567.89::DECIMAL(20,2)", "mustBe", "12345678901234567.89", True),
        ("0.1::DOUBLE", "mustBe", "0.1", True),
        ("0.1::FLOAT", "mustBe", "0.1", True),
        ("9007199254740992::DOUBLE", "mustBeLessThan", "9007199254740993", True),
        ("1e23::DOUBLE", "mustBe", "1e23", True),
        ("0.5::DECIMAL(2,1)", "mustBe", "5e-1", True),
        ("1000", "mustBe", "1e3", True),
        ("255", "mustBe", "0xff", True),
        ("'nan'::DOUBLE", "mustNotBe", "5", False),
        ("'nan'::FLOAT", "mustNotBeBetween", "[1, 2]", False),
        ("'inf'::DOUBLE", "mustBeGreaterThan", "5", False),
        ("-'inf'::DOUBLE", "mustBeLessThan", "5", False),
        ("'7'", "mustBe", "7", False),
    ],
)  # fmt: skip
def test_an_answer_of_every_type_is_compared_as_it_is(
    query: str, operator: str, bound: str, passes: bool
) -> None:
    rule = (
        f'{{name: asked, type: sql, query: "SELECT {query} FROM ${{object}}", {operator}: {bound}}}'
    )
    text = column_contract("{logicalType: integer}", quality=rule)
    result = _audit(text, pa.int64(), [1])["asked"]
    assert result.passed is passes, result.message
    json.loads(json.dumps(result.as_json(), allow_nan=False))


def test_what_is_shown_is_what_was_compared() -> None:
    rule = (
        '{name: asked, type: sql, query: "SELECT 12345678901234567.95 FROM ${object}", '
        "mustBeLessThan: 12345678901234567.89}"
    )
    text = column_contract("{logicalType: integer}", quality=rule)
    result = _audit(text, pa.int64(), [1])["asked"]
    assert "12,345,678,901,234,567.95" in result.message
    assert "12345678901234567.89" in result.message
    assert result.as_json()["measured"] == "12345678901234567.95"
    assert shown(Decimal("0.50")) == "0.5" and shown(9007199254740993) == "9007199254740993"


@pytest.mark.parametrize(
    ("physical", "options", "value", "fails"),
    [
        ("DOUBLE", "maximum: 9007199254740993", 9007199254740992.0, False),
        ("DOUBLE", "exclusiveMaximum: 9007199254740993", 9007199254740992.0, False),
        ("DOUBLE", "maximum: 9007199254740993", 9007199254740994.0, True),
        ("DOUBLE", "minimum: -9007199254740993", -9007199254740992.0, False),
        ("DOUBLE", "minimum: 9007199254740993", 9007199254740992.0, True),
        ("DOUBLE", "maximum: 0.1", 0.1, False),
        ("FLOAT", "maximum: 0.1", 0.1, False),
        ("FLOAT", "maximum: 16777217", 16777216.0, False),
        ("FLOAT", "exclusiveMinimum: 16777217", 16777218.0, False),
        ("FLOAT", "minimum: 16777217", 16777216.0, True),
        ("FLOAT", "minimum: -16777217", -16777218.0, True),
        ("FLOAT", "maximum: 3.4028235e38", 3.4028234663852886e38, False),
    ],
)
def test_a_bound_of_floats_counts_whole_numbers_exactly_and_others_as_the_data_does(
    physical: str, options: str, value: float, fails: bool
) -> None:
    text = column_contract(
        f"{{logicalType: number, physicalType: {physical}, logicalTypeOptions: {{{options}}}}}"
    )
    type_ = pa.float32() if physical == "FLOAT" else pa.float64()
    assert _audit(text, type_, [value])["range_x"].rows_failed == fails


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("physicalType: DOUBLE, enum: [{value: 9007199254740993}]", "9007199254740993, a whole"),
        ("physicalType: FLOAT, enum: [{value: 16777217}]", "16777217, a whole"),
        ("physicalType: 'DECIMAL(12,2)', enum: [{value: 1.005}]", "1.005, which has more decimals"),
        ("physicalType: 'DECIMAL(38,1)', enum: [{value: 9999999999999999999999999999999999999.95}]",
         "9999999999999999999999999999999999999.95, which has more decimals"),
        ("physicalType: 'DECIMAL(12,2)', enum: [{value: 10000000000.00}]", "cannot be"),
        ("physicalType: DOUBLE, enum: [{value: 1e309}]", "cannot be"),
        ("enum: [{value: 1_000}]", "'1_000', which is no number"),
        ("enum: [{value: 1:30}]", "'1:30', which is no number"),
        ("enum: [{value: 010}]", "'010', which is no number"),
        ("enum: [{value: .inf}]", "inf, which is no finite number"),
        ("logicalTypeOptions: {maximum: .nan}", "nan, which is no finite number"),
        ("enum: [{value: 1e401}]", "over 400 digits"),
        ("enum: [{value: 1e99999999999999999999}]", "over 400 digits"),
        ("enum: [{value: 0." + "1" * 401 + "}]", "over 400 digits"),
    ],
)  # fmt: skip
def test_a_number_that_the_column_cannot_hold_is_said_as_it_is_written(
    column: str, said: str
) -> None:
    text = column_contract(f"{{logicalType: number, {column}}}")
    assert any(said in str(finding) for finding in findings(text)), findings(text)


def test_numbers_that_are_text_elsewhere_keep_their_spelling() -> None:
    text = column_contract("{logicalType: integer}").replace("version: 1.0.0", "version: 1.10")
    assert any("not 1.10" in str(finding) for finding in findings(text))


def test_lengths_of_time_and_budgets_are_exact() -> None:
    text = column_contract(
        "{logicalType: integer}", extra="{property: lossBudgetPercent, vendor: mesh, value: 0.1}"
    )
    text += "slaProperties: [{property: latency, value: 0.1, unit: d}]\n"
    contract = read(text)
    assert percent(1, 1000) <= contract.loss_budget_percent < percent(1, 999)
    assert contract.freshness is not None and contract.freshness.total_seconds() == 8640
