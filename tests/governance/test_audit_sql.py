"""`sql` rules: one number from one query, on a connection that can do nothing else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from shared_resources.contracts.model import (
    Classification,
    Operator,
    Threshold,
    Unit,
)
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.report import RuleResult
from tests.contract_factory import (
    audit_rows,
    make_column,
    make_contract,
    make_rule,
    result_of,
    stage,
    table,
)


def _ask(folder: Path, query: str, threshold: Threshold = Threshold()) -> RuleResult:  # noqa: B008
    rule = make_rule("sql", name="asked", threshold=threshold, query=query)
    contract = make_contract({"v": "float", "name": "text"}, [rule])
    report = audit_rows(folder, contract, v=[1.0, 2.0, float("nan")], name=["a", "b", None])
    return result_of(report, "asked")


def test_the_number_is_compared_with_the_threshold(tmp_path: Path) -> None:
    passed = _ask(tmp_path / "a", "SELECT count(*) FROM batch WHERE v > 5")
    assert passed.passed and passed.measured == 0 and passed.rows_failed is None
    failed = _ask(tmp_path / "b", "SELECT count(*) FROM batch WHERE v > 1")
    assert not failed.passed and failed.measured == 1
    assert failed.message == "the query answers 1; the contract says: mustBe 0"
    between = Threshold(Operator.BETWEEN, (1, 2))
    assert _ask(tmp_path / "c", "SELECT avg(v) FROM batch", between).measured == 1.5
    share = Threshold(Operator.LESS_THAN, (30,), Unit.PERCENT)
    third = _ask(tmp_path / "d", "SELECT count(*) FROM batch WHERE v = 1", share)
    assert not third.passed and "33.33 % of 3 rows" in third.message


def test_nan_is_null_in_the_batch(tmp_path: Path) -> None:
    query = "SELECT count(*) - count(v) FROM batch"
    assert _ask(tmp_path, query).measured == 1


def test_every_kind_of_query_that_only_reads_is_allowed(tmp_path: Path) -> None:
    for number, query in enumerate(
        (
            "WITH b AS (SELECT * FROM batch) SELECT count(*) FROM b",
            "FROM batch SELECT count(*)",
            "SELECT (SELECT count(*) FROM batch) -- a comment",
            "SELECT sum(n) FROM (SELECT name, count(*) AS n FROM batch GROUP BY ALL)",
        )
    ):
        assert _ask(tmp_path / str(number), query).measured == 3


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT 1; SELECT 2", "must be one SELECT statement"),
        ("", "must be one SELECT statement; it is empty"),
        ("DROP VIEW batch", "must be one SELECT statement; it is DROP"),
        ("SET memory_limit = '1TB'", "must be one SELECT statement; it is SET"),
        ("SELEC 1", "cannot be parsed"),
        ("SELECT count(*) FROM nowhere", "nowhere"),
        ("SELECT missing FROM batch", "missing"),
        ("SELECT v FROM batch", "one row of one number; it answered 2 rows"),
        ("SELECT 1, 2", "one row of one number; it answered 1 rows of 2 columns"),
        ("SELECT v FROM batch WHERE false", "it answered 0 rows"),
        ("SELECT 'many'", "must answer a number; it answered a str"),
        ("SELECT sum(v) FROM batch WHERE false", "it answered NULL (coalesce"),
        ("SELECT sum(CAST(name AS INTEGER)) FROM batch", "Could not convert string 'a'"),
        ("SELECT error('no\nsecond line')", "the query failed"),
    ],
)
def test_a_query_without_an_answer_is_a_failed_rule(tmp_path: Path, query: str, said: str) -> None:
    result = _ask(tmp_path, query)
    assert not result.passed and result.message.startswith("not checked: ")
    assert said in result.message and "\n" not in result.message


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.csv"
    path.write_text("n\n42\n")
    return path


@pytest.mark.parametrize(
    "query",
    [
        "SELECT n FROM read_csv('{secret}')",
        "SELECT n FROM '{secret}'",
        "SELECT length(content) FROM read_text('{secret}')",
        "SELECT size FROM read_blob('{secret}')",
        "SELECT count(*) FROM glob('{folder}/*.csv')",
        "SELECT count(*) FROM read_parquet('{folder}/other/part-00000.parquet')",
        "SELECT count(*) FROM read_parquet('{folder}/staged/../other/part-00000.parquet')",
        "SELECT count(*) FROM read_json('https://example.com/x.json')",
        "SELECT count(*) FROM read_csv('/dev/stdin')",
        "SELECT count(*) FROM sniff_csv('{secret}')",
        "SELECT count(*) FROM parquet_metadata('{folder}/other/part-00000.parquet')",
        "SELECT count(*) FROM query('COPY (SELECT 1) TO ''{folder}/out.csv''')",
        "SELECT n FROM secret_frame",
    ],
)
def test_a_query_cannot_read_anything_but_the_batch(
    tmp_path: Path, secret: Path, query: str
) -> None:
    import pandas as pd

    secret_frame = pd.DataFrame({"n": [42]})
    rule = make_rule("sql", name="asked", query="x")
    contract = make_contract({"v": "int"}, [rule])
    stage(tmp_path / "other", table(contract, v=[1]))
    text = query.format(secret=secret, folder=tmp_path)
    rule = make_rule("sql", name="asked", query=text)
    batch = stage(tmp_path / "staged", table(contract, v=[1]))
    result = result_of(audit(StagedData(batch), contract, rules=[rule]), "asked")
    assert result.message.startswith("not checked"), "it answered"
    assert len(secret_frame) == 1 and not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "COPY batch TO '{folder}/out.parquet'",
        "COPY (SELECT 1) TO '{batch}'",
        "CREATE TABLE t AS SELECT 1",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH '{folder}/new.duckdb'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET lock_configuration",
        "PRAGMA memory_limit='1TB'",
        "EXPORT DATABASE '{folder}/out'",
        "CALL enable_logging()",
    ],
)
def test_no_statement_but_a_select_is_run(tmp_path: Path, statement: str) -> None:
    from shared_resources.governance.audit.domain_rules.sql import confined_connection

    contract = make_contract({"v": "int"})
    batch = stage(tmp_path / "staged", table(contract, v=[1]))
    before = batch.files[0].path.read_bytes()
    text = statement.format(folder=tmp_path, batch=batch.files[0].path)
    rule = make_rule("sql", name="asked", query=text)
    result = result_of(audit(StagedData(batch), contract, rules=[rule]), "asked")
    assert "must be one SELECT statement" in result.message

    # And if a statement did get through, the connection would refuse it.
    data = StagedData(batch)
    with confined_connection(
        lambda connection: data.register(connection, "batch"), data.paths(), tmp_path
    ) as confined:
        if not statement.startswith(("CREATE TABLE", "CALL")):
            with pytest.raises(Exception, match=r"(?i)disabled|locked|cannot"):
                confined.execute(text)
    assert batch.files[0].path.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["staged"]


def test_a_query_that_takes_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_AUDIT_SQL_SECONDS", "0.2")
    result = _ask(tmp_path, "SELECT count(*) FROM range(100000000) a, range(100000000) b")
    assert not result.passed and "took longer than 0.2 s" in result.message


def test_stopping_one_query_does_not_stop_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_AUDIT_SQL_SECONDS", "0.3")
    forever = "SELECT count(*) FROM range(100000000) a, range(100000000) b"
    rules = [
        make_rule("sql", name=f"r{place}", query=forever if place == 1 else "SELECT 0")
        for place in range(4)
    ]
    report = audit_rows(tmp_path, make_contract({"v": "int"}, rules), v=[1])
    assert [result.passed for result in report.results] == [True, False, True, True]


def test_messages_do_not_show_values_of_classified_columns(tmp_path: Path) -> None:
    rule = make_rule("sql", name="asked", query="SELECT sum(mail::INT) FROM batch")
    mail = make_column("mail", "text", classification=Classification.RESTRICTED)
    report = audit_rows(tmp_path, make_contract([mail], [rule]), mail=["ada@example.com"])
    message = result_of(report, "asked").message
    assert "ada@example.com" not in message and "'***'" in message


def test_one_query_cannot_change_what_the_next_one_sees(tmp_path: Path) -> None:
    rules = [
        make_rule("sql", name="first", query="DROP VIEW batch"),
        make_rule("sql", name="second", query="SELECT count(*) FROM batch WHERE v > 1"),
    ]
    report = audit_rows(tmp_path, make_contract({"v": "int"}, rules), v=[1])
    assert [result.passed for result in report.results] == [False, True]


def test_a_query_that_needs_more_than_the_memory_spills_though_files_are_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_AUDIT_MEMORY", "64MB")
    rows = 3_000_000
    query = f"SELECT count(*) - {rows} FROM (SELECT DISTINCT id, id * 3 AS thrice FROM batch)"
    rule = make_rule("sql", name="asked", query=query)
    contract = make_contract({"id": "int"}, [rule])
    batch = stage(tmp_path, pa.table({"id": pa.array(range(rows))}))
    result = result_of(audit(StagedData(batch), contract), "asked")
    assert result.passed, result.message
