"""What a domain author sees of the generated schema. That it agrees with the audit is shown in
`test_agreement.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest

from shared_resources.contracts.compiling.import_pandera import pandera
from shared_resources.contracts.pandera_schema import pandera_schema, schema_for
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.findings import InvalidFile
from tests.contracts.reading import column_contract, read, rich

ROOT = Path(__file__).parents[2]
TEXT = column_contract(
    "{logicalType: integer, required: true, unique: true, logicalTypeOptions: {minimum: 1}}",
    quality="{name: a_few, metric: rowCount, mustBeGreaterThan: 5, severity: warning}",
)
SCHEMA = pandera_schema(read(TEXT))


def failures(frame: pd.DataFrame) -> pd.DataFrame:
    with pytest.raises(pandera.errors.SchemaErrors) as refused:
        SCHEMA.validate(frame, lazy=True)
    return refused.value.failure_cases


def test_a_frame_that_keeps_the_contract_comes_back_unchanged() -> None:
    frame = pd.DataFrame({"x": range(1, 10)})
    pd.testing.assert_frame_equal(SCHEMA.validate(frame, lazy=True), frame)


def test_failing_rows_are_named_with_the_rule_and_their_value() -> None:
    frame = pd.DataFrame({"x": [1, 0, -1, 7, 7, 8]}, index=list("abcdef"))
    found = failures(frame).set_index("check")[["index", "failure_case"]]
    assert found.loc["range_x"].to_numpy().tolist() == [["b", 0], ["c", -1]]
    assert found.loc["unique_x"].to_numpy().tolist() == [["d", 7], ["e", 7]]
    assert set(found.index) == {"range_x", "unique_x"}


def test_a_missing_and_an_extra_column_are_the_rule_columns() -> None:
    assert "columns" in set(failures(pd.DataFrame({"y": range(9)}))["check"])


@pytest.mark.parametrize("values", [["007"] * 9, [3.7] * 9])
def test_nothing_is_coerced(values: list[object]) -> None:
    assert "columns" in set(failures(pd.DataFrame({"x": values}))["check"])


def test_whole_floats_with_nulls_are_integers_as_in_the_audit() -> None:
    found = failures(pd.DataFrame({"x": [1.0, 2.0, None]}))
    assert set(found["check"]) == {"required_x"}


def test_a_warning_warns() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SCHEMA.validate(pd.DataFrame({"x": [1]}), lazy=True)
    assert any("a_few" in str(warning.message) for warning in caught)


def test_within_its_tolerance_a_rule_says_nothing() -> None:
    quality = "{name: some, metric: nullValues, mustBeLessOrEqualTo: 50, unit: percent}"
    schema = pandera_schema(read(column_contract(f"{{logicalType: string, quality: [{quality}]}}")))
    schema.validate(pd.DataFrame({"x": ["a", None]}), lazy=True)
    with pytest.raises(pandera.errors.SchemaErrors) as refused:
        schema.validate(pd.DataFrame({"x": ["a", None, None]}), lazy=True)
    assert list(refused.value.failure_cases["index"]) == [1, 2]


def test_every_rule_that_can_be_expressed_is_a_check_of_its_name() -> None:
    contract = read(rich())
    schema = pandera_schema(contract)
    names = {check.name for check in schema.checks}
    names |= {check.name for column in schema.columns.values() for check in column.checks}
    assert names == {rule.name for rule in contract.rules if kind_of(rule).for_frames}
    assert schema.columns["line_id"].description == "The number of the line."


def test_using_the_schema_does_not_make_arrow_forget_time_zones() -> None:
    """Importing pandera alone does: a time in Berlin becomes the same hour in UTC."""
    script = (
        "import shared_resources.contracts.pandera_schema, pyarrow\n"
        "from datetime import datetime, timedelta, timezone\n"
        "noon = datetime(2017, 1, 1, 12, tzinfo=timezone(timedelta(hours=1)))\n"
        "assert pyarrow.array([noon], pyarrow.timestamp('us', 'UTC'))[0].as_py() == noon\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYARROW_IGNORE_TIMEZONE"}
    subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, timeout=300, check=True
    )


def test_the_schema_of_a_product_folder_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "contract.odcs.yaml").write_text(TEXT)
    for place in (tmp_path, tmp_path / "contract.odcs.yaml", str(tmp_path)):
        assert list(schema_for(place).columns) == ["x"]
    (tmp_path / "contract.odcs.yaml").write_text("a: 1")
    with pytest.raises(InvalidFile):
        schema_for(tmp_path)
