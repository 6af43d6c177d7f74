"""What a model on DuckDB may do around its query, statement by statement."""

from __future__ import annotations

import pytest

from shared_resources.data_products.dbt.confinement import NotAllowed, check

INPUTS = ["shop/lines", "paint/colours"]
ALLOWED = [
    'create table "scratch"."shop"."daily__dbt_tmp" as (select * from "scratch"."shop"."lines")',
    "create or replace view scratch.shop.daily as (select * from shop.lines)",
    "create schema if not exists scratch.shop",
    'alter table "scratch"."shop"."daily__dbt_tmp" rename to "daily"',
    "drop table if exists scratch.shop.daily cascade",
    "begin transaction",
    "commit",
    "with a as (from shop.lines) select * from a -- create or replace view shop.lines",
    "insert into shop.daily select * from shop.lines",
    "create or replace temp macro double(x) as 2 * x",
    "select drop from where",
    "",
]
REPLACED = [
    "create or replace view shop.lines as select 1",
    'CREATE OR REPLACE VIEW "scratch"."SHOP"."Lines" AS SELECT 1',
    "create or replace table scratch . shop . lines (n integer)",
    "create /* as ( */ or replace view /* x */ paint.colours as select 1",
    "drop view shop.lines",
    "drop view if exists scratch.shop.lines cascade",
    "alter view shop.lines rename to old_lines",
    "comment on view shop.lines is 'x'",
    "select 1; drop view shop.lines; select 2",
]
REFUSED = [
    "drop schema shop cascade",
    "attach ':memory:' as scratch2",
    "detach scratch",
    "use paint",
    "set search_path = 'paint'",
    "copy (select 1) to 'inputs.json'",
    "explain analyze drop view shop.lines",
    "execute p",
    "pragma database_list",
    "call pragma_version()",
    "load json",
    "export database 'x'",
    "set variable x = 1",
]


@pytest.mark.parametrize("statement", ALLOWED)
def test_a_model_and_what_dbt_does_around_it_are_allowed(statement: str) -> None:
    check(statement, INPUTS)


@pytest.mark.parametrize("statement", REPLACED)
def test_a_pinned_input_is_not_changed(statement: str) -> None:
    with pytest.raises(NotAllowed, match="an input that the run has pinned"):
        check(statement, INPUTS)


@pytest.mark.parametrize("statement", REFUSED)
def test_whatever_is_no_part_of_a_model_is_refused(statement: str) -> None:
    with pytest.raises(NotAllowed):
        check(statement, INPUTS)
