"""Each rule's query means the same on every engine: parsed in each dialect, asked where there is one.

Snowflake's runs on the stand-in, which shows what sqlglot makes of the query, not Snowflake itself.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot

from shared_resources.contracts.model import Partitioning, Rule
from shared_resources.contracts.rules.engines import Engine, NotExpressed, condition_for, query_for
from shared_resources.contracts.rules.kind import RowKind
from shared_resources.contracts.rules.registry import all_kinds, kind_of
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.production.checks import read_settings
from tests.contract_factory import TYPES, make_contract, make_rule, result_of, stage
from tests.stand_ins import StandIns

COLUMNS = {
    "id": "int", "text": "text", "small": "int32", "float": "float", "narrow": "float32",
    "price": "decimal", "flag": "bool", "day": "date", "at": "timestamp", "seen": "timestamp_tz",
}  # fmt: skip
NOON = datetime(2024, 2, 29, 12)
ROWS: dict[str, list[Any]] = {
    "id": [1, 2, 2, 3, None, -(2**63), 2**63 - 1, 5],
    "text": ["a", "", "it's \\d", "é\n", "a\nb", None, "A b", "x" * 40],
    "small": [0, 5, -5, 7, None, 2**31 - 1, -(2**31), 10],
    "float": [0.1, -0.0, math.nan, math.inf, -math.inf, None, 0.30000000000000004, 1e300],
    "narrow": [0.1, 0.2, math.nan, math.inf, None, 0.5, -1.0, 16777216.0],
    "price": [Decimal("0.10"), Decimal("0.05"), Decimal("-0.01"), None, Decimal("9999999999.99"),
              Decimal("0.00"), Decimal("0.20"), Decimal("0.15")],
    "flag": [True, False, None, True, False, True, False, True],
    "day": [date(2024, 1, 1), date(2024, 2, 29), date(2024, 12, 31), None, date(1900, 1, 1),
            date(2025, 1, 1), date(2024, 6, 1), date(2023, 12, 31)],
    "at": [NOON, NOON.replace(microsecond=1), NOON.replace(hour=0), None, datetime(1969, 12, 31),
           datetime(2024, 2, 29, 23, 59, 59, 999999), NOON, NOON],
    "seen": [NOON.replace(tzinfo=UTC), None, datetime(2024, 2, 29, 11, 59, tzinfo=UTC),
             *[NOON.replace(tzinfo=UTC)] * 5],
}  # fmt: skip
KNOWN = {"code": [1, 2, 5]}


def _rules() -> list[Rule]:
    return [
        *(make_rule("required", name, name=f"required_{name}") for name in COLUMNS),
        make_rule("null_values", "float"),
        make_rule("missing_values", "text", missingValues=["", "it's \\d"]),
        make_rule("enumeration", "text", values=["a", "", "it's \\d"], name="enumeration_text"),
        make_rule("enumeration", "flag", values=[True], name="enumeration_flag"),
        make_rule("enumeration", "price", values=[Decimal("0.1")], name="enumeration_price"),
        make_rule("enumeration", "day", values=[date(2024, 2, 29)], name="enumeration_day"),
        make_rule("enumeration", "narrow", values=[0.1, 0.5], name="enumeration_narrow"),
        *(
            make_rule("pattern", "text", pattern=pattern, name=f"pattern_{number}")
            for number, pattern in enumerate(
                ["^a", "b$", "a.b", r"\s", r"\\d", "'", "^(?:a|A b|x+)$", r"[^\s]", "^x{40}$", "b|$"]
            )
        ),
        make_rule("range", "id", minimum=0, maximum=2**62, name="range_id"),
        make_rule("range", "float", exclusiveMinimum=0.1, name="range_float"),
        make_rule("range", "narrow", minimum=0.2, exclusiveMaximum=0.5, name="range_narrow"),
        make_rule("range", "price", minimum=Decimal("0.05"), name="range_price"),
        make_rule("range", "day", minimum=date(2024, 1, 1), name="range_day"),
        make_rule("range", "at", maximum=NOON, name="range_at"),
        make_rule("range", "seen", minimum=NOON.replace(tzinfo=UTC), name="range_seen"),
        make_rule("length", "text", minLength=1, maxLength=3),
        make_rule("multiple_of", "small", multipleOf=5, name="multiple_small"),
        make_rule("multiple_of", "price", multipleOf=Decimal("0.05"), name="multiple_price"),
        make_rule("multiple_of", "float", multipleOf=0.1, name="multiple_float"),
        make_rule("multiple_of", "narrow", multipleOf=0.1, name="multiple_narrow"),
        make_rule("invalid_values", "text", validValues=["a"], pattern="^a", name="invalid_text"),
        make_rule("invalid_values", "small", minimum=0, name="invalid_small"),
        make_rule("minimum_group", "text", "small", minimum=6),
        make_rule("unique", "id"),
        make_rule("duplicate_values", "flag", "at"),
        make_rule(
            "relationship", "id", arguments={"product": "order/codes", "columns": ["code"]}
        ),
        make_rule("partition", "day"),
        make_rule("sql", query='SELECT count(*) FROM batch WHERE "price" < 0'),
        make_rule("personal_data", "text", predicate_patterns=[
            {"name": "it", "pattern": "it's|[A-Z] [a-z]", "min_length": 3}]),
    ]  # fmt: skip


RULES = _rules()
CONTRACT = make_contract(COLUMNS, RULES)
DAILY = make_contract(
    COLUMNS, RULES, partitioning=Partitioning("day", date(2024, 1, 1), date(2025, 1, 1))
)
NO_QUERY = {"columns", "parse", "not_empty", "row_count", "volume", "custom", "names_and_places"}
TABLE = pa.table(
    {name: pa.array(ROWS[name], TYPES[type_].arrow) for name, type_ in COLUMNS.items()}
)


def _contract(rule: Rule) -> Any:
    return DAILY if rule.kind == "partition" else CONTRACT


def _query(rule: Rule, engine: Engine, schema: tuple[str, ...] = ("main",)) -> str:
    return query_for(rule, _contract(rule), engine, (*schema, "lines"), (*schema, "codes"))


def test_every_kind_is_asked_or_has_no_query() -> None:
    assert {rule.kind for rule in RULES} | NO_QUERY == set(all_kinds())
    for kind in sorted(NO_QUERY):
        with pytest.raises(NotExpressed):
            query_for(make_rule(kind), CONTRACT, Engine.SNOWFLAKE, ("lines",))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_of_rows_is_a_condition_and_another_none(rule: Rule) -> None:
    if not isinstance(kind_of(rule), RowKind):
        with pytest.raises(NotExpressed):
            condition_for(rule, _contract(rule), Engine.FLINK)
        return
    said = condition_for(rule, _contract(rule), Engine.FLINK)
    assert said in _query(rule, Engine.FLINK) and "TIMESTAMPNTZ" not in said


# Flink's quotes and literals are SQLite's to sqlglot, which has no dialect of Flink's own.
DIALECTS = {"duckdb": "duckdb", "snowflake": "snowflake", "spark": "spark", "flink": "sqlite"}


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_query_is_one_of_the_engines_dialect(rule: Rule, engine: Engine) -> None:
    query = _query(rule, engine)
    parsed = sqlglot.parse(query, read=DIALECTS[engine])
    assert len(parsed) == 1
    quotes = "`" if engine in (Engine.SPARK, Engine.FLINK) else '"'
    assert f"{quotes}lines{quotes}" in query
    assert quotes == '"' or '"' not in query


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int | float]:
    """What the audit itself finds, of the rules that need no other product and no partition."""
    data = StagedData(stage(tmp_path_factory.mktemp("rows"), TABLE))
    rules = [r for r in RULES if kind_of(r).of_one_file and not r.name.startswith("personal")]
    report = audit(data, CONTRACT, rules=rules)
    return {rule.name: float(result_of(report, rule.name).measured) for rule in rules}


@pytest.fixture(scope="module")
def in_duckdb() -> Iterator[Callable[[str], Any]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("_lines", TABLE)
        connection.register("_codes", pa.table(KNOWN))
        connection.execute("CREATE TABLE lines AS FROM _lines; CREATE TABLE codes AS FROM _codes")
        yield lambda query: connection.execute(query).fetchall()[0][0]


EXPECTED = {"relationship_id": 3, "partition_day": 4, "personal_data_text": 2}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_duckdbs_query_finds_what_the_audit_finds(
    rule: Rule, in_duckdb: Callable[[str], Any], audited: dict[str, float]
) -> None:
    expected = audited.get(rule.name, EXPECTED.get(rule.name))
    assert in_duckdb(_query(rule, Engine.DUCKDB)) == expected


@pytest.fixture(scope="module")
def in_snowflake(stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    settings = read_settings(stand_ins.fresh())
    with settings.snowflake_connection() as connection, connection.cursor() as cursor:
        columns = ", ".join(f'"{c.name}" {_snowflake(c.type)}' for c in CONTRACT.columns)
        cursor.execute("CREATE SCHEMA IF NOT EXISTS RULES_OF_ENGINES")
        cursor.execute(f'CREATE TABLE RULES_OF_ENGINES."lines" ({columns})')
        cursor.execute('CREATE TABLE RULES_OF_ENGINES."codes" ("code" BIGINT)')
        rows = [_row(n) for n in range(TABLE.num_rows)]
        cursor.execute(f'INSERT INTO RULES_OF_ENGINES."lines" {" UNION ALL ".join(rows)}')
        cursor.execute('INSERT INTO RULES_OF_ENGINES."codes" VALUES (1), (2), (5)')
        yield lambda query: cursor.execute(query).fetchone()[0]


def _snowflake(type_: ColumnType) -> str:
    match type_.family:
        case Family.STRING:
            return "VARCHAR"
        case Family.FLOAT:
            return "FLOAT"
        case Family.TIMESTAMP:
            return "TIMESTAMP_NTZ"
        case Family.TIMESTAMP_TZ:
            return "TIMESTAMP_TZ"
    return type_.duckdb


def _row(number: int) -> str:
    """One row as a SELECT of Snowflake's."""
    values = []
    for column in CONTRACT.columns:
        value = TABLE.column(column.name)[number].as_py()
        if value is None:
            values.append(f"CAST(NULL AS {_snowflake(column.type)})")
            continue
        text = repr(value) if isinstance(value, float) else str(value)
        text = text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
        values.append(f"CAST('{text}' AS {_snowflake(column.type)})")
    return "SELECT " + ", ".join(values)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_snowflakes_query_comes_to_the_same_verdict(
    rule: Rule, in_duckdb: Callable[[str], Any], in_snowflake: Callable[[str], Any]
) -> None:
    found = in_snowflake(_query(rule, Engine.SNOWFLAKE, ("RULES_OF_ENGINES",)))
    assert found == in_duckdb(_query(rule, Engine.DUCKDB))


def test_sparks_query_comes_to_the_same_verdict(
    in_duckdb: Callable[[str], Any], tmp_path: Path
) -> None:
    if find_spec("pyspark") is None:
        reason = "pyspark is not installed: Spark's queries were parsed, and not asked"
        warnings.warn(reason, stacklevel=1)  # a skip alone is a letter in the summary
        pytest.skip(reason)
    import pyarrow.parquet as pq
    from pyspark import sql

    pq.write_table(TABLE, tmp_path / "lines.parquet", coerce_timestamps="us")
    pq.write_table(pa.table(KNOWN), tmp_path / "codes.parquet")
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    try:
        for name in ("lines", "codes"):
            spark.read.parquet(str(tmp_path / f"{name}.parquet")).createOrReplaceTempView(name)
        for rule in RULES:
            query = query_for(rule, _contract(rule), Engine.SPARK, ("lines",), ("codes",))
            found = spark.sql(query).collect()[0][0]
            assert found == in_duckdb(_query(rule, Engine.DUCKDB)), rule.name
    finally:
        spark.stop()


def test_names_are_found_where_upper_and_lower_case_differ() -> None:
    own = make_rule("sql", query="SELECT count(*) FROM batch WHERE Price < 0")
    assert '"price" < 0' in _query(own, Engine.SNOWFLAKE)
    (orphans,) = [rule for rule in RULES if rule.kind == "relationship"]
    said = _query(orphans, Engine.SNOWFLAKE)
    assert said.count('"_mesh_reference"') == 2
    assert "_mesh_reference" not in said.replace('"_mesh_reference"', "")


@pytest.mark.parametrize(
    ("pattern", "java"),
    [("a.b$", r"a[^\n]b\z"), (r"[.$]\.\$", r"[.$]\.\$"), (r"[\s\v]", r"[\s\x0B]")],
)
def test_javas_expressions_keep_the_meaning_of_re2(pattern: str, java: str) -> None:
    """`$` and `.` know more line breaks in Java, and `\\v` is a class there."""
    rule = make_rule(
        "personal_data", "text", predicate_patterns=[{"name": "x", "pattern": pattern}]
    )
    flink = query_for(rule, CONTRACT, Engine.FLINK, ("lines",))
    assert f"REGEXP(`text`, '{java}')" in flink
