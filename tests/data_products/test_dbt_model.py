"""A dbt model from pinned inputs to staged files, on a toy project and with dbt itself."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from filelock import FileLock

from shared_resources.contracts.model import Contract, Severity
from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.dbt import process as dbt_process
from shared_resources.data_products.dbt.model import DbtModelFailed, DbtModels, DbtOutcome
from shared_resources.environment import Environment
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.stores.protocol import Snapshot, StagedBatch
from tests.contract_factory import result_of
from tests.data_products.dbt_toy import (
    COLUMNS,
    MemorySnapshot,
    contract_file,
    published,
    published_in_database,
    toy,
    write,
    write_contract,
)

LINES = [
    (date(2026, 1, 1), 2.0, "red"),
    (date(2026, 1, 1), 3.0, "red"),
    (date(2026, 1, 2), 4.5, "green"),
]


@dataclass
class Shop:
    """The toy mesh, its inputs published, and one build of `shop/daily`."""

    environment: Environment
    models: DbtModels
    contract: Contract
    inputs: dict[str, Snapshot]
    outcome: DbtOutcome
    files_before: dict[str, bytes]


def project_files(root: Path) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in (root / "dbt_project").rglob("*") if f.is_file()}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    root = tmp_path_factory.mktemp("mesh")
    environment = toy(root)
    before = project_files(root)
    data = root / "data"
    data.mkdir()
    inputs: dict[str, Snapshot] = {
        "shop/lines": published(data, "shop/lines", LINES),
        "paint/colours": published_in_database(data, "paint/colours", [("red",), ("blue",)]),
    }
    models = DbtModels(environment)
    contract = read_contract(contract_file(root, "shop/daily"))
    outcome = models.build(contract, inputs, root / "staged", "run-1")
    return Shop(environment, models, contract, inputs, outcome, before)


def test_inputs_are_the_products_that_the_model_and_its_tests_read(shop: Shop):
    assert shop.models.inputs("shop/daily") == ("paint/colours", "shop/lines")


def test_dbt_tests_are_named_after_what_they_test(shop: Shop):
    tests = {test.name: test for test in shop.models.tests("shop/daily")}
    assert sorted(tests) == [
        "dbt_accepted_values_colour",
        "dbt_not_null_day",
        "dbt_relationships_colour",
        "dbt_totals_agree",
        "dbt_unique_day",
    ]
    assert tests["dbt_accepted_values_colour"].severity is Severity.WARNING
    assert tests["dbt_not_null_day"].severity is Severity.BLOCKING
    assert "red" in tests["dbt_accepted_values_colour"].description
    rule = tests["dbt_totals_agree"].rule
    assert (rule.name, rule.clause) == (
        "dbt_totals_agree",
        "dbt_project/tests/shop/totals_agree.sql",
    )


def test_the_table_is_staged_as_its_contract_says(shop: Shop):
    (file,) = shop.outcome.files
    staged = pq.read_table(file.path)
    assert file.rows == 2
    assert staged.schema.names == [column.name for column in shop.contract.columns]
    assert staged.schema.types == [column.type.arrow for column in shop.contract.columns]
    assert sorted(staged.to_pylist(), key=lambda row: row["day"]) == [
        {"day": date(2026, 1, 1), "lines": 2, "total": 5.0, "colour": "red"},
        {"day": date(2026, 1, 2), "lines": 1, "total": 4.5, "colour": "green"},
    ]


@pytest.mark.slow
def test_a_number_that_arrow_misdescribes_is_itself_or_refused(tmp_path: Path):
    """DuckDB hands the greatest UHUGEINT to Arrow as -1."""
    environment = toy(tmp_path)
    write(
        tmp_path,
        "models/paint/weekly.sql",
        "select date '2026-01-01' as first_day, x as total from "
        "(values (5::uhugeint), (340282366920938463463374607431768211455)) as t(x)",
    )
    contract = read_contract(contract_file(tmp_path, "paint/weekly"))
    outcome = DbtModels(environment).build(contract, {}, tmp_path / "staged", "run-1")
    batch = StagedBatch(contract.key, "b", tmp_path, outcome.files)
    columns = result_of(audit(StagedData(batch), contract), "columns")
    assert "column total is of other types than the contract's DOUBLE" in columns.message
    assert "row 2 holds 340282366920938463463374607431768211455" in columns.message


def test_failing_tests_are_results_and_do_not_stop_the_export(shop: Shop):
    results = {result.name: result for result in shop.outcome.tests}
    assert {name for name, result in results.items() if not result.passed} == {
        "dbt_accepted_values_colour",
        "dbt_relationships_colour",
    }
    assert results["dbt_accepted_values_colour"].severity is Severity.WARNING
    assert results["dbt_relationships_colour"].severity is Severity.BLOCKING
    assert results["dbt_relationships_colour"].failures == 1


def test_a_failed_test_refuses_the_batch_only_if_it_is_an_error(shop: Shop):
    refusing = [result.rule.name for result in shop.outcome.results if result.refuses]
    assert refusing == ["dbt_relationships_colour"]
    assert len(shop.outcome.results) == len(shop.models.tests("shop/daily"))


def test_column_lineage_is_kept_in_product_keys(shop: Shop):
    assert shop.outcome.column_lineage == {
        "colour": [("shop/lines", "colour")],
        "day": [("shop/lines", "day")],
        "lines": [],
        "total": [("shop/lines", "amount")],
    }


def test_nothing_is_written_into_the_project_and_no_run_is_left(shop: Shop):
    assert project_files(shop.environment.root) == shop.files_before
    assert list((shop.environment.dbt / "runs").iterdir()) == []


def test_what_is_compiled_already_is_not_compiled_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise AssertionError("dbt was started")

    monkeypatch.setattr(dbt_process, "parse", refuse)
    again = DbtModels(shop.environment)
    assert again.inputs("shop/daily") == shop.models.inputs("shop/daily")
    assert again.manifest("shop") == shop.models.manifest("shop")


def test_a_snapshot_that_only_this_process_can_read_is_copied(shop: Shop):
    stored = published(shop.environment.root / "data", "paint/colours", [("red",), ("green",)])
    inputs = {**shop.inputs, "paint/colours": MemorySnapshot(stored.product, stored.file)}
    outcome = shop.models.build(
        shop.contract, inputs, shop.environment.root / "staged-memory", "run-2"
    )
    results = {result.name: result.passed for result in outcome.tests}
    assert results["dbt_relationships_colour"]


def test_an_empty_input_makes_an_empty_batch_of_the_contracts_types(shop: Shop):
    data = shop.environment.root / "data-empty"
    data.mkdir()
    inputs = {**shop.inputs, "shop/lines": published(data, "shop/lines", [])}
    outcome = shop.models.build(shop.contract, inputs, shop.environment.root / "empty", "run-3")
    (file,) = outcome.files
    assert file.rows == 0
    assert pq.read_schema(file.path).types == [c.type.arrow for c in shop.contract.columns]


def test_a_missing_input_is_named(shop: Shop):
    inputs = {"shop/lines": shop.inputs["shop/lines"]}
    with pytest.raises(DbtModelFailed, match="no published version was given of paint/colours"):
        shop.models.build(shop.contract, inputs, shop.environment.root / "missing", "run-4")


def test_builds_at_the_same_time_do_not_meet(shop: Shop):
    outcomes: dict[int, DbtOutcome] = {}

    def build(number: int) -> None:
        folder = shop.environment.root / f"parallel-{number}"
        outcomes[number] = shop.models.build(shop.contract, shop.inputs, folder, "run-5")

    stdout = sys.stdout
    threads = [threading.Thread(target=build, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sys.stdout is stdout
    staged = [pq.read_table(outcomes[n].files[0].path).sort_by("day") for n in range(3)]
    assert staged[0].num_rows == 2
    assert staged[0] == staged[1] == staged[2]


def test_what_a_killed_run_left_is_removed_and_a_live_run_is_not(shop: Shop):
    runs = shop.environment.dbt / "runs"
    for name in ("killed", "live"):
        (runs / name).mkdir()
        (runs / name / "scratch.duckdb").write_bytes(b"half")
        (runs / f"{name}.lock").touch()
    with FileLock(runs / "live.lock"):
        shop.models.build(shop.contract, shop.inputs, shop.environment.root / "after", "run-6")
        assert sorted(f.name for f in runs.iterdir()) == ["live", "live.lock"]


# --- models that break -------------------------------------------------------------------------

BROKEN = {
    "unknown_column": (
        "select day,\n       amuont as total\nfrom {{ source('shop', 'lines') }}",
        r"models/shop/unknown_column\.sql:2: .*amuont",
    ),
    "unknown_column_far_down": (
        "with lines as (\n    select day, amount from {{ source('shop', 'lines') }}\n)\n\n"
        "select\n    cast(day as varchar) as day,\n    sum(amuont) as total,\n"
        "    cast(sum(amount) as decimal(12, 2)) as cents,\n"
        "    cast(max(amount) as decimal(12, 2)) as most\nfrom lines\ngroup by day",
        r"far_down\.sql:7: (?!.*decimal).*amuont",
    ),
    "unknown_function": (
        "select\n    summ(amount) as total\nfrom {{ source('shop', 'lines') }}",
        r"unknown_function\.sql:2: .*summ",
    ),
    "unknown_qualified_column": (
        "select\n    l.day,\n    l.amuont as total\nfrom {{ source('shop', 'lines') }} as l",
        r"unknown_qualified_column\.sql:3: .*amuont",
    ),
    "bad_syntax": (
        "select day\nform {{ source('shop', 'lines') }} where",
        r"models/shop/bad_syntax\.sql:2: .*Parser Error",
    ),
    "bad_cast": (
        "select cast(colour as integer) as total from {{ source('shop', 'lines') }}",
        r"models/shop/bad_cast\.sql:1: (?!.*red).*Could not convert string \(a value\) to INT32",
    ),
    "reads_a_file": (
        "select * from read_csv('/etc/passwd')",
        r"models/shop/reads_a_file\.sql: .*Cannot access file",
    ),
    "writes_a_file": (
        "{{ config(post_hook=\"copy (select 1) to '/tmp/leak.csv'\") }} select 1 as total",
        r"models/shop/writes_a_file\.sql: .*copy \(select 1\) to .*is no query",
    ),
    "replaces_its_input": (
        '{{ config(pre_hook="create or replace view shop.lines as select 1 as amount") }}'
        " select amount as total from {{ source('shop', 'lines') }}",
        r"models/shop/replaces_its_input\.sql: .*it changes shop/lines, an input that the run",
    ),
    "raises": (
        "{% if execute %}{{ exceptions.raise_compiler_error('no rates today') }}{% endif %}"
        " select 1 as total",
        r"models/shop/raises\.sql: .*no rates today",
    ),
    "only_a_step": (
        "{{ config(materialized='ephemeral') }} select 1 as total",
        r"models/shop/only_a_step\.sql: a product is materialized as a table, not as ephemeral",
    ),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Environment, DbtModels]]:
    root = tmp_path_factory.mktemp("broken")
    environment = toy(root)
    for name, (sql, _) in BROKEN.items():
        write(root, f"models/shop/{name}.sql", sql)
        COLUMNS[f"shop/{name}"] = {"total": "number"}
        write_contract(root, f"shop/{name}", {"total": "number"})
    yield environment, DbtModels(environment)
    for name in BROKEN:
        del COLUMNS[f"shop/{name}"]


TYPICAL = ("unknown_column_far_down", "bad_cast", "reads_a_file")  # dbt takes seconds to start


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in TYPICAL else pytest.mark.slow) for name in BROKEN],
)
def test_a_model_that_does_not_run_says_where_and_why(
    broken: tuple[Environment, DbtModels], tmp_path: Path, name: str
):
    environment, models = broken
    contract = read_contract(contract_file(environment.root, f"shop/{name}"))
    inputs = {"shop/lines": published(tmp_path, "shop/lines", LINES)}
    with pytest.raises(DbtModelFailed) as failed:
        models.build(contract, inputs, tmp_path / "staged", "run-1")
    message = str(failed.value)
    pattern = BROKEN[name][1]
    assert re.search(pattern, message, re.DOTALL), message
    assert "Traceback" not in message
    assert not list((tmp_path / "staged").glob("**/*.parquet"))


def test_a_model_that_does_not_compile_stops_itself_and_what_is_made_of_it(tmp_path: Path):
    environment = toy(tmp_path)
    # Whoever reads a product whose contract is not valid is stopped by the policies, and it alone.
    contract_file(tmp_path, "shop/lines").write_text("nonsense: true\n")
    for name, sql in {
        "weekly": "select * from {{ source('shop', 'nothing') }}",
        "torn": "select {{ 1 + }} as total",
        "of_weekly": "select * from {{ ref('weekly') }}",
        "step": "{{ config(materialized='ephemeral') }} select * from {{ ref('torn') }}",
        "of_step": "select * from {{ ref('step') }}",
        "other": "select day from {{ source('shop', 'lines') }}",
    }.items():
        write(tmp_path, f"models/paint/{name}.sql", sql)
        write_contract(tmp_path, f"paint/{name}", {"total": "number"})
    models = DbtModels(environment)
    missing = r"dbt_project/models/paint/weekly\.sql.*source named 'shop.nothing'"
    for name, said in {
        "weekly": missing,
        "of_weekly": missing,
        "torn": r"dbt_project/models/paint/torn\.sql",
        "of_step": r"dbt_project/models/paint/torn\.sql",
    }.items():
        with pytest.raises(DbtModelFailed, match=f"(?s){said}"):
            models.inputs(f"paint/{name}")
    assert models.inputs("paint/other") == ("shop/lines",)


def test_a_dbt_test_that_names_what_there_is_not_is_no_test_less(tmp_path: Path):
    environment = toy(tmp_path)
    wrong = ("source('shop', 'dialy')", "ref('dialy')")
    tests = [{"relationships": {"arguments": {"to": to, "field": "day"}}} for to in wrong]
    model = {"name": "weekly", "columns": [{"name": "first_day", "data_tests": tests}]}
    write(tmp_path, "models/paint/schema.yml", yaml.safe_dump({"models": [model]}))
    with pytest.raises(DbtModelFailed, match=r"(?s)models/paint/schema\.yml.*dialy.*'dialy'"):
        DbtModels(environment).tests("paint/weekly")


# --- steps, references and tests in all their forms ---------------------------------------------


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, DbtModels]:
    root = tmp_path_factory.mktemp("forms")
    environment = toy(root)
    write(
        root,
        "models/shop/steps/cleaned.sql",
        "{{ config(materialized='ephemeral') }}"
        " select day, amount from {{ source('shop', 'lines') }}",
    )
    write(
        root,
        "models/shop/best.sql",
        "{{ config(materialized='view') }}"
        " select max(amount) as total, cast(max(d.day) as varchar) as shade, 7 as extra"
        " from {{ ref('cleaned') }} c join {{ ref('daily') }} d on c.day = d.day",
    )
    write_contract(root, "shop/best", {"total": "number"})
    write(
        root,
        "tests/shop/best_of_daily.sql",
        "{{ config(meta={'model': 'best'}) }}"
        " select 1 from {{ ref('best') }}"
        " where total > (select max(total) from {{ ref('daily') }})",
    )
    write(root, "tests/shop/cannot_run.sql", "select no_such_column from {{ ref('best') }}")
    return environment, DbtModels(environment)


def test_steps_are_seen_through_and_models_of_the_domain_are_inputs(
    forms: tuple[Environment, DbtModels], tmp_path: Path
):
    environment, models = forms
    assert models.inputs("shop/best") == ("shop/daily", "shop/lines")
    contract = read_contract(contract_file(environment.root, "shop/best"))
    inputs = {
        "shop/lines": published(tmp_path, "shop/lines", LINES),
        "shop/daily": published(tmp_path, "shop/daily", [(date(2026, 1, 2), 1, 9.0, "red")]),
    }
    outcome = models.build(contract, inputs, tmp_path / "staged", "run-1")

    # What the contract does not have stays for the audit to find, after what it has.
    staged = pq.read_table(outcome.files[0].path)
    assert staged.to_pylist() == [{"total": 4.5, "shade": "2026-01-02", "extra": 7}]
    assert staged.schema.field("total").type == pa.float64()
    assert outcome.column_lineage["total"] == [("shop/lines", "amount")]
    assert outcome.column_lineage["shade"] == [("shop/daily", "day")]

    results = {result.name: result for result in outcome.tests}
    assert results["dbt_best_of_daily"].passed
    assert not results["dbt_cannot_run"].passed
    assert results["dbt_cannot_run"].severity is Severity.BLOCKING
    assert results["dbt_cannot_run"].failures is None
    assert "no_such_column" in results["dbt_cannot_run"].message


def test_a_test_of_several_models_must_say_whose_it_is(tmp_path: Path):
    environment = toy(tmp_path)
    write(tmp_path, "models/shop/other.sql", "select 1 as total")
    write_contract(tmp_path, "shop/other", {"total": "number"})
    write(
        tmp_path,
        "tests/shop/both.sql",
        "select 1 from {{ ref('other') }} cross join {{ ref('daily') }} where false",
    )
    with pytest.raises(DbtModelFailed, match=r"tests/shop/both\.sql: .*meta=\{'model'"):
        DbtModels(environment).tests("shop/daily")


def test_a_table_that_is_no_product_cannot_be_read(tmp_path: Path):
    environment = toy(tmp_path)
    write(tmp_path, "models/paint/helper.sql", "select 1 as total")
    write(tmp_path, "models/paint/weekly.sql", "select total from {{ ref('helper') }}")
    with pytest.raises(DbtModelFailed, match=r"models/paint/helper\.sql: .*ephemeral"):
        DbtModels(environment).inputs("paint/weekly")


def test_a_callers_dbt_settings_do_not_reach_the_run(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DBT_TARGET", "production")
    monkeypatch.setenv("DBT_VARS", "{a: 1}")
    monkeypatch.setenv("DBT_TARGET_PATH", str(shop.environment.root / "elsewhere"))
    outcome = shop.models.build(
        shop.contract, shop.inputs, shop.environment.root / "settings", "run-7"
    )
    assert outcome.files[0].rows == 2
    assert not (shop.environment.root / "elsewhere").exists()


@pytest.mark.slow
def test_a_model_larger_than_memory_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shared_resources.data_products.dbt.on_duckdb.MEMORY_LIMIT", "300MB")
    environment = toy(tmp_path)
    write(
        tmp_path,
        "models/paint/weekly.sql",
        "select cast(range as double) as total, md5(range::varchar) || repeat('x', 80) as first_day"
        " from range(4000000) order by md5(range::varchar)",
    )
    contract = read_contract(contract_file(tmp_path, "paint/weekly"))
    outcome = DbtModels(environment).build(contract, {}, tmp_path / "staged", "run-1")
    assert sum(file.rows for file in outcome.files) == 4_000_000
    summed = duckdb.sql(f"SELECT sum(total) FROM '{tmp_path}/staged/*.parquet'").fetchall()
    assert summed == [(3_999_999 * 2_000_000.0,)]


@pytest.mark.parametrize(
    "name", ["sql", *(pytest.param(name, marks=pytest.mark.slow) for name in ("py", "csv"))]
)
def test_a_model_named_as_the_end_of_a_file_is_built(tmp_path: Path, name: str):
    environment = toy(tmp_path)
    write(tmp_path, f"models/paint/{name}.sql", "select cast(7 as double) as total")
    write_contract(tmp_path, f"paint/{name}", {"total": "number"})
    contract = read_contract(contract_file(tmp_path, f"paint/{name}"))
    built = DbtModels(environment).build(contract, {}, tmp_path / "staged", "run-1")
    assert [file.rows for file in built.files] == [1]
