"""What a model may do inside Snowflake: every way out that there is, statement by statement."""

from __future__ import annotations

import pytest

from shared_resources.data_products.dbt.on_snowflake.confinement import NotAllowed, check

OWN = "SCRATCH__20260101T000000__ORDER_DAILY"

ALLOWED = [
    f'create or replace transient table MESH."{OWN}"."order/daily"\n as (\n'
    f'with lines as (select * from MESH."{OWN}"."order/lines")\n'
    "select day, count(*) as n from lines group by day\n)\n;",
    f'select count(*) as failures from (select * from MESH."{OWN}"."order/daily" where n is null)',
    f'show objects in MESH."{OWN}"\n limit 10000\n ;',
    "show terse schemas in database MESH\n limit 10000",
    f'describe table MESH."{OWN}"."order/daily"',
    f'drop table if exists MESH."{OWN}"."order/daily" cascade',
    f'select f.value from "{OWN}"."order/lines" l, lateral flatten(input => l.items) f',
    "select seq4() from table(generator(rowcount => 3))",
    "select * from (values (1), (2)) as v(n)",
    "select current_warehouse() as warehouse",
    *(
        f"select {call} as n"
        for call in (
            "try_to_number('7')",
            "to_timestamp_ntz('2026-01-01')",
            "array_agg(n) within group (order by n)",
            "object_construct('a', 1)",
            "regexp_substr(a, 'x')",
            "strtok_to_array(a, ',')",
            "md5_number_lower64(a)",
            "st_distance(a, b)",
            "iff(a, 1, 2)",
            "zeroifnull(a)",
            "ratio_to_report(n) over ()",
            "dateadd(day, 1, current_date())",
            "current_timestamp()",
            "approx_percentile(n, 0.5)",
            "split_part(a, ',', 1)",
            "listagg(a, ',')",
            "coalesce(a, 1)",
            "row_number() over (order by n)",
        )
    ),
    "use warehouse LARGE",
]

REFUSED = {
    'select * from "shop"."daily"': '"shop"."daily"',
    'select * from MESH."order"."transactions"': '"order"."transactions"',
    "select 1 from (select * from other.public.t) join (select 1) on true": "other.public.t",
    f'create table MESH."{OWN}"."x" as select * from MESH."shop"."daily"': '"shop"."daily"',
    f'create table MESH."{OWN}"."x" clone MESH."shop"."daily"': "no query",
    f'create or replace view MESH."{OWN}"."order/daily" as (select 1 as n)': "no query",
    'create or replace table MESH."shop"."daily" as select 1 as n': '"shop"."daily"',
    'drop table MESH."shop"."daily"': '"shop"."daily"',
    "select count(*) from MESH.information_schema.tables": "information_schema",
    'show objects in MESH."shop"': '"shop"',
    'describe table MESH."shop"."daily"': '"shop"."daily"',
    "select $1 from @~/others": "@~/others",
    "select $1 from @mesh.public.stage/file": "@mesh.public.stage/file",
    "copy into @~/leak from (select 1)": "COPY INTO",
    'insert into "shop"."daily" select 1': "no query",
    'delete from "shop"."daily"': "no query",
    "call mesh.public.do_something()": "no query",
    "execute immediate 'drop table x'": "no query",
    "grant select on all tables in database MESH to role PUBLIC": "no query",
    "alter session set timezone = 'Asia/Tokyo'": "no query",
    "use schema shop": "no query",
    "use role ACCOUNTADMIN": "no query",
    "create stage leak": "no query",
    "create function f() returns int as '1'": "no query",
    "select * from identifier('shop.daily')": "identifier",
    "select * from table('shop.daily')": "shop.daily",
    "select * from table(result_scan('01b2'))": "result_scan",
    "select * from mesh.public.rows_of(1)": "rows_of",
    "select mesh.public.secret(1) as n": "mesh.public.secret",
    "select system$typeof(1) as n": "system$typeof",
    "select get_ddl('table', 'shop.daily') as n": "get_ddl",
    "select 1; select * from shop.daily": "shop.daily",
    **{
        f"show {what} {where}": "no query"
        for what in ("tables", "terse objects", "views", "columns", "stages", "grants", "users")
        for where in (
            "in schema OTHER",
            "in OTHER",
            'in MESH."shop"',
            "in account",
            "",
            "in database MESH",
        )
    },
    "show schemas in account": "no query",
    "show schemas": "no query",
    "describe schema shop": "no query",
    "describe stage others": "no query",
    **{
        f"select {call} as n": call.split("(")[0]
        for call in (
            "build_stage_file_url(@others, 'a')",
            "build_scoped_file_url('@others', 'a')",
            "get_presigned_url(@others, 'a')",
            "get_stage_location(@others)",
            "get_relative_path(@others, 'a')",
            "get_absolute_path(@others, 'a')",
            "parse_document(@others, 'a')",
            "ai_parse_document(to_file('@others/a'))",
            "to_file('@others', 'a')",
            "fl_get_size('@others/a')",
            "ai_complete('model', 'say it')",
            "current_user()",
            "current_account()",
            "current_role()",
            "is_role_in_session('X')",
            "last_query_id()",
            "getvariable('x')",
            "a_function_of_next_year(1)",
        )
    },
    "select upper(get_ddl('table', 'x')) as n": "get_ddl",
    "select * from directory(@others)": "directory",
    "select * from table(infer_schema(location => '@others'))": "infer_schema",
    "select day from lines where where": "syntax error line 1 at position",
}


@pytest.mark.parametrize("statement", ALLOWED)
def test_a_model_and_what_dbt_does_around_it_are_allowed(statement: str):
    check(statement, OWN)


@pytest.mark.parametrize("statement", REFUSED)
def test_whatever_reaches_beyond_the_run_is_refused(statement: str):
    with pytest.raises(NotAllowed) as refused:
        check(statement, OWN)
    assert REFUSED[statement].lower() in str(refused.value).lower()


@pytest.mark.parametrize(
    "statement",
    [
        'create or replace table "order/lines" as select 1 as n',
        f'create or replace table MESH."{OWN}"."ORDER/LINES" (n integer)',
        f'drop view MESH."{OWN}"."order/lines"',
        'drop table if exists "order/daily", "order/lines"',
        "comment on table \"order/lines\" is 'x'",
    ],
)
def test_a_pinned_input_is_not_changed(statement: str):
    with pytest.raises(NotAllowed, match=r"(?i)order/lines, an input that the run has pinned"):
        check(statement, OWN, {"order/lines"})
