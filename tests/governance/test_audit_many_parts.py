"""A domain's query of many parts at once: the answers are those of each part asked by itself."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import pytest

from shared_resources.contracts.model import Contract
from shared_resources.governance.audit.audit import audit, audit_parts
from shared_resources.governance.audit.domain_rules import many_parts
from shared_resources.governance.audit.domain_rules.many_parts import ManyParts, is_plain
from shared_resources.governance.audit.engine.connection import audit_connection
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.stores.protocol import StagedBatch
from tests.contract_factory import make_contract, make_rule, stage, table

DAYS = 12
COLUMNS = {"k": "int", "v": "float", "name": "text"}

PLAIN = (
    "SELECT count(*) FROM batch",
    "SELECT count(*) FROM batch WHERE v > 5 OR name IS NULL",
    "SELECT count(*) - count(v) FROM batch  -- NaN is null",
    "SELECT sum(k) FROM batch WHERE name = 'b'",
    "SELECT avg(v) FROM batch",
    "SELECT max(v) - min(v) FROM batch",
    "SELECT count(DISTINCT name) FROM batch",
    "SELECT count(*) FILTER (k % 2 = 0) FROM batch",
    "SELECT coalesce(sum(CASE WHEN v BETWEEN 1 AND 4 THEN 1 ELSE 0 END), 0) FROM Batch",
    "SELECT count(*) FROM (SELECT name, count(*) AS n FROM batch GROUP BY name) WHERE n > 1",
    "SELECT count(*) FROM (SELECT k FROM batch GROUP BY k HAVING min(v) <> max(v))",
    "SELECT max(n) FROM (SELECT count(*) n FROM (SELECT *, k % 3 g FROM batch WHERE v > 2) GROUP BY g)",
    "SELECT sum(length(name)) FROM batch WHERE name LIKE '%a%'",
)
OTHERS = (
    "WITH b AS (SELECT * FROM batch) SELECT count(*) FROM b",
    "SELECT count(*) FROM batch a JOIN batch b USING (k)",
    "SELECT count(*) FROM batch WHERE k IN (SELECT min(k) FROM batch)",
    "SELECT count(*) FROM (SELECT k FROM batch ORDER BY v LIMIT 3)",
    "SELECT count(*) FROM (SELECT DISTINCT name FROM batch)",
    "SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY k) AS r FROM batch) WHERE r > 2",
    "SELECT k FROM batch",
    "SELECT count(*) FROM batch GROUP BY name",
    "SELECT count(*), 1 FROM batch",
    "SELECT 0",
    "SELECT count(*) FROM temp.batch",
    "SELECT count(*) FROM batch WHERE _mesh_asked > 0",
    "SELECT count(*) FROM (SELECT unnest([1, 2]) FROM batch)",
    "SELECT count(*) FROM batch TABLESAMPLE 50%",
    "SELECT count(*) FROM range(3)",
)


@pytest.fixture
def parts(tmp_path: Path) -> list[StagedBatch]:
    """Days of differing size, one of them without a row."""
    made = random.Random(4)
    contract = make_contract(COLUMNS, [])
    staged = []
    for day in range(DAYS):
        size = 0 if day == 3 else made.randrange(1, 40)
        rows = table(
            contract,
            k=[made.randrange(20) for _ in range(size)],
            v=[made.choice([None, float("nan"), made.random() * 10]) for _ in range(size)],
            name=[made.choice(["a", "b", "ab", None]) for _ in range(size)],
        )
        staged.append(stage(tmp_path / f"day-{day}", rows))
    return staged


def _contract(*queries: str) -> Contract:
    rules = [make_rule("sql", name=f"q{n}", query=query) for n, query in enumerate(queries)]
    return make_contract(COLUMNS, rules)


@pytest.mark.parametrize("most_rows", [60, 1_000_000])
def test_the_answers_are_those_of_each_part(
    parts: list[StagedBatch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_rows: int
) -> None:
    monkeypatch.setattr(many_parts, "MOST_ROWS", most_rows)
    data = {number: StagedData(part) for number, part in enumerate(parts)}
    contract = _contract(*PLAIN)
    alone = [audit(one, contract) for one in data.values()]
    with audit_connection(tmp_path) as connection, ManyParts(connection, data, 60.0) as many:
        answered = 0
        for number, report in enumerate(alone):
            for query, result in zip(PLAIN, report.results, strict=True):
                answer = many.answer(query, number)
                if "NULL" in result.message:
                    assert answer is None, "the part by itself says what is wrong"
                    continue
                assert answer == pytest.approx(result.measured, rel=1e-12)
                assert type(answer) is type(result.measured)
                answered += 1
    assert answered > len(PLAIN) * (DAYS - 2)


def test_an_audit_of_many_parts_reports_of_each_what_an_audit_of_it_alone_does(
    parts: list[StagedBatch],
) -> None:
    fails_on_some = "SELECT count(*) FROM batch WHERE CAST(name AS INTEGER) > 0"
    contract = _contract(*PLAIN, *OTHERS, fails_on_some)
    together = audit_parts(parts, contract)
    alone = [audit(StagedData(part), contract) for part in parts]
    for one, other in zip(together, alone, strict=True):
        for mine, theirs in zip(one.results, other.results, strict=True):
            if "TABLESAMPLE" in mine.rule.arguments["query"]:
                continue  # it never answers the same
            assert mine.message == theirs.message
            assert mine.passed == theirs.passed


@pytest.mark.parametrize("query", PLAIN)
def test_one_aggregate_over_the_batch_is_plain(query: str) -> None:
    with duckdb.connect() as connection:
        assert is_plain(connection, query)


@pytest.mark.parametrize("query", OTHERS)
def test_whatever_else_is_asked_of_each_part(query: str) -> None:
    with duckdb.connect() as connection:
        assert not is_plain(connection, query)


def test_parts_of_two_schemas_are_asked_one_by_one(tmp_path: Path) -> None:
    contract = make_contract(COLUMNS, [])
    narrow = make_contract({"k": "int"}, [])
    staged = [
        stage(tmp_path / "a", table(contract, k=[1], v=[1.0], name=["a"])),
        stage(tmp_path / "b", table(narrow, k=[1])),
    ]
    data = dict(enumerate(map(StagedData, staged)))
    with audit_connection(tmp_path) as connection, ManyParts(connection, data, 60.0) as many:
        assert many.answer("SELECT count(*) FROM batch", 0) is None


def test_what_takes_too_long_at_once_is_asked_of_each_part(tmp_path: Path) -> None:
    contract = make_contract({"k": "int"}, [])
    rows = table(contract, k=range(200_000))
    staged = [stage(tmp_path / str(n), rows) for n in range(2)]
    data = dict(enumerate(map(StagedData, staged)))
    words = "regexp_replace(repeat(k::TEXT, 1500), '(1|2)+', 'x', 'g')"
    slow = f"SELECT count(*) FROM (SELECT {words} AS word FROM batch) WHERE word = ''"
    with audit_connection(tmp_path) as connection, ManyParts(connection, data, 0.5) as many:
        assert many.answer(slow, 0) is None
        assert many.answer("SELECT count(*) FROM batch", 1) == 200_000
