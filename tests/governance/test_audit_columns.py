"""The COLUMNS rule: every file, what was found and expected, and what can still be checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from shared_resources.contracts.model import Classification
from shared_resources.contracts.values.lossless import conform
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.connection import UnreadableBatch
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.report import AuditReport
from shared_resources.governance.quarantine.folder import QuarantineFolder
from shared_resources.governance.quarantine.quarantine import Quarantine, Rejection
from shared_resources.governance.quarantine.view import shown_rows
from shared_resources.stores.protocol import StagedBatch, StagedFile
from shared_resources.stores.staging.staging import write_staged
from tests.contract_factory import failing, make_column, make_contract, make_rule, result_of, stage

CONTRACT = make_contract(
    {"id": "int", "name": "text", "price": "decimal", "at": "timestamp_tz"},
    [
        make_rule("columns"),
        make_rule("required", "id"),
        make_rule("unique", "id"),
        make_rule("range", "price", minimum=0),
        make_rule("pattern", "name", pattern="^a"),
    ],
)
GOOD: dict[str, Any] = {
    "id": pa.array([1, 1], pa.int64()),
    "name": pa.array(["a", "b"]),
    "price": pa.array([1, -1], pa.decimal128(12, 2)),
    "at": pa.array([0, 1], pa.timestamp("us", tz="UTC")),
}


def _audit(tmp_path: Path, *files: dict[str, Any]) -> AuditReport:
    tables = [pa.table(columns) for columns in files]
    return audit(StagedData(stage(tmp_path, *tables)), CONTRACT)


def test_the_contracts_own_columns_pass(tmp_path: Path) -> None:
    report = _audit(tmp_path, GOOD)
    assert result_of(report, "columns").passed
    assert [failing(report, rule.name) for rule in CONTRACT.rules[1:]] == [0, 2, 1, 1]


def test_a_missing_column_is_named_and_the_others_are_still_checked(tmp_path: Path) -> None:
    report = _audit(tmp_path, {name: GOOD[name] for name in ("id", "name", "at")})
    assert "column price (DECIMAL(12,2)) is missing" in result_of(report, "columns").message
    assert failing(report, "unique_id") == 2 and failing(report, "pattern_name") == 1
    price = result_of(report, "range_price")
    assert not price.passed and price.rows_failed is None
    assert price.message == "not checked: column price is missing"


def test_an_extra_column_is_named_with_its_type(tmp_path: Path) -> None:
    report = _audit(tmp_path, {**GOOD, "e_mail": pa.array(["x", "y"])})
    assert result_of(report, "columns").message == "column e_mail (string) is not in the contract"
    assert failing(report, "unique_id") == 2


@pytest.mark.parametrize(
    ("column", "found", "said"),
    [
        ("id", pa.array(["1", "2"]), "column id is string, the contract says BIGINT"),
        ("id", pa.array([1, 2], pa.int32()), "column id is int32, the contract says BIGINT"),
        ("id", pa.array([1.0, 2.0]), "column id is double, the contract says BIGINT"),
        ("name", pa.array([1, 2]), "column name is int64, the contract says VARCHAR"),
        ("price", pa.array([1.0, 2.0]), "column price is double, the contract says DECIMAL(12,2)"),
        (
            "price",
            pa.array([1, 2], pa.decimal128(12, 3)),
            "column price is decimal128(12, 3), the contract says DECIMAL(12,2)",
        ),
        (
            "at",
            pa.array([0, 1], pa.timestamp("us")),
            "column at is timestamp[us], the contract says TIMESTAMP WITH TIME ZONE",
        ),
        (
            "at",
            pa.array([0, 1], pa.timestamp("ns", tz="UTC")),
            "column at is timestamp[ns, tz=UTC], the contract says TIMESTAMP WITH TIME ZONE",
        ),
    ],
)
def test_another_type_is_named_with_both(
    tmp_path: Path, column: str, found: pa.Array, said: str
) -> None:
    columns = result_of(_audit(tmp_path, {**GOOD, column: found}), "columns")
    assert not columns.passed and columns.message == said


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        (
            [1.0, 2.345],
            "column price is double, the contract says DECIMAL(12,2): row 2 holds 2.345",
        ),
        (
            ["1.0", "x"],
            "column price is string, the contract says DECIMAL(12,2): row 1 holds '1.0'",
        ),
        (
            [1, "x"],
            "column price is of other types than the contract's DECIMAL(12,2): row 1 holds 1",
        ),
    ],
)
def test_the_value_that_kept_a_column_from_the_contracts_type_is_named(
    tmp_path: Path, prices: list[Any], said: str
) -> None:
    frame = pd.DataFrame({**pa.table(GOOD).to_pydict(), "price": prices})
    files = write_staged(conform(frame, CONTRACT), tmp_path, CONTRACT, ("",))
    report = audit(StagedData(StagedBatch("order/lines", "b", tmp_path, files)), CONTRACT)
    remedy = "convert the column where it is made, or declare the type that it has"
    message = f"{said}, which is no DECIMAL(12,2) without a loss; {remedy}"
    assert result_of(report, "columns").message == message


FAR = 253_402_300_800  # the first second of the year 10000
US = pa.timestamp("us")
ENDLESS: dict[str, tuple[str, Callable[[], Any], str]] = {
    "arrow": ("date", lambda: pa.table({"x": pa.array([0, 2**31 - 1], pa.int32()).cast(pa.date32())}),
              "infinity"),
    "batches": ("timestamp", lambda: iter([pa.record_batch({"x": pa.array([-(2**62)]).cast(US)})]),
                "-144169-"),
    "pandas": ("timestamp", lambda: pd.DataFrame({"x": np.array([0, FAR], "datetime64[s]")}),
               "10000-01-01 00:00:00"),
    "pandas' day": ("date", lambda: pd.DataFrame({"x": np.array([0, FAR], "datetime64[s]")}),
                    "10000-01-01"),
    "polars": ("date", lambda: pl.DataFrame({"x": pl.Series([-800_000]).cast(pl.Date)}).lazy(),
               "-0221-"),
    "polars' zone": ("timestamp_tz",
                     lambda: pl.DataFrame({"x": pl.Series([FAR * 1000]).cast(pl.Datetime("ms", "UTC"))}),
                     "10000-01-01 00:00:00"),
    "duckdb": ("timestamp_tz", lambda: duckdb.sql("SELECT TIMESTAMPTZ '-infinity' AS x"), "-infinity"),
    "duckdb's day": ("date", lambda: duckdb.sql("SELECT DATE '0044-03-15 (BC)' AS x"), "-0043-03-15"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize("classified", [False, True])
def test_a_day_out_of_the_years_1_to_9999_is_refused_whoever_made_it(
    tmp_path: Path, kind: str, classified: bool
) -> None:
    """It would be published and read by nobody: Python has no such day."""
    type_, frame, value = ENDLESS[kind]
    classification = Classification.RESTRICTED if classified else Classification.INTERNAL
    rules = [make_rule("columns"), make_rule("required", "x"), make_rule("unique", "x")]
    contract = make_contract([make_column("x", type_, classification=classification)], rules)
    files = write_staged(conform(frame(), contract), tmp_path / "staged", contract, ("",))
    batch = StagedBatch("order/lines", "b", tmp_path / "staged", files)
    columns, *others = audit(StagedData(batch), contract).results
    assert columns.message.startswith(f"column x holds {'***' if classified else value}")
    assert "out of the years 1 to 9999" in columns.message
    assert [result.message.split(":")[0] for result in others] == ["not checked"] * 2

    quarantine = Quarantine(QuarantineFolder(tmp_path / "quarantine"))
    reasons = ((columns.rule.name, columns.rule.clause, None, columns.message),)
    rejection = Rejection(contract.key, "batch", "b", "run", 2, reasons, "1.0.0", "d" * 64)
    entry = quarantine.put(rejection, [file.path for file in files])
    shown = [row["x"] for row in shown_rows(quarantine, entry, contract)]
    assert str(shown[-1]).startswith("***" if classified else value)


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ("name", pa.array(["a", "b"]).dictionary_encode()),
        ("name", pa.array(["a", "b"], pa.large_string())),
        ("at", pa.array([0, 1], pa.timestamp("us", tz="Europe/Berlin"))),
    ],
)
def test_what_parquet_stores_alike_is_alike(tmp_path: Path, column: str, found: pa.Array) -> None:
    assert result_of(_audit(tmp_path, {**GOOD, column: found}), "columns").passed


def test_a_rule_on_values_of_another_kind_is_not_checked_but_presence_is(tmp_path: Path) -> None:
    rules = [make_rule("required", "price"), make_rule("range", "price", minimum=0)]
    data = StagedData(stage(tmp_path, pa.table({**GOOD, "price": pa.array(["1", None])})))
    required, in_range = audit(data, CONTRACT, rules=rules).results
    assert required.rows_failed == 1
    assert in_range.message == "not checked: column price is string, not DECIMAL(12,2)"


def test_an_integer_of_another_width_is_still_checked(tmp_path: Path) -> None:
    rules = [make_rule("range", "id", minimum=2)]
    narrow = pa.table({**GOOD, "id": pa.array([1, 2], pa.int32())})
    report = audit(StagedData(stage(tmp_path, narrow)), CONTRACT, rules=rules)
    assert failing(report, "range_id") == 1


def test_every_file_is_checked(tmp_path: Path) -> None:
    odd = {**GOOD, "id": pa.array(["x", "y"])}
    missing = {name: GOOD[name] for name in ("id", "price", "at")}
    report = _audit(tmp_path, GOOD, GOOD, odd, missing, missing)
    message = result_of(report, "columns").message
    assert "column id is string, the contract says BIGINT in " in message
    assert "part-00002.parquet" in message
    assert "column name (VARCHAR) is missing in 2 of 5 files, first " in message
    assert report.rows == 10
    assert failing(report, "range_price") == 5, "what every file has is checked in every file"


def test_columns_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    report = _audit(tmp_path, {"ID": pa.array([5, 6]), **GOOD})
    columns = result_of(report, "columns")
    assert "column id is there twice, in different upper and lower case" in columns.message
    assert result_of(report, "required_id").message.startswith("not checked: column id")


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays(
        [pa.array([1]), pa.array([2]), *[GOOD[n].slice(0, 1) for n in ("name", "price", "at")]],
        names=["id", "id", "name", "price", "at"],
    )
    report = audit(StagedData(stage(tmp_path, twice)), CONTRACT)
    assert "column id is there 2 times" in result_of(report, "columns").message


def test_files_of_types_that_do_not_go_together_are_reported_not_raised(tmp_path: Path) -> None:
    report = _audit(
        tmp_path,
        {**GOOD, "id": pa.array([[1], [2]])},
        {**GOOD, "id": pa.array([True, False])},
        {**GOOD, "id": pa.array([b"x", b"y"])},
    )
    assert "list<" in result_of(report, "columns").message
    said = result_of(report, "required_id").message
    assert said == "not checked: column id has another type in each of several files"
    assert report.rows == 6 and failing(report, "range_price") == 3


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "part-00000.parquet"
    path.write_text("id,name\n1,a\n")
    batch = StagedBatch("order/lines", "b", tmp_path, (StagedFile(path, "", 1),))
    with pytest.raises(UnreadableBatch, match=r"part-00000\.parquet cannot be read as Parquet"):
        audit(StagedData(batch), CONTRACT)


def test_damaged_pages_are_named_too(tmp_path: Path) -> None:
    batch = stage(tmp_path, pa.table(GOOD))
    path = batch.files[0].path
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableBatch, match="cannot be read"):
        audit(StagedData(batch), CONTRACT)
