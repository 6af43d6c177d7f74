"""What a model on DuckDB may do around its query, statement by statement."""

from __future__ import annotations

from pathlib import Path

import pytest
from dbt.adapters.duckdb.impl import DuckDBAdapter
from dbt.adapters.snowflake.impl import SnowflakeAdapter
from dbt_common.exceptions import DbtRuntimeError

from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.dbt.confinement import NotAllowed, check
from shared_resources.data_products.dbt.model import DbtModelFailed, DbtModels
from shared_resources.data_products.dbt.refusals import refuse_python
from tests.data_products.dbt_toy import contract_file, toy, write, write_contract

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


PYTHON = """
{%% materialization %(name)s, adapter='duckdb' %%}
    {%% call statement('main', language='python') %%}
import os
class dbtObj:
    def __init__(self, load): pass
def model(dbt, connection):
    raise ValueError('python ran')
    {%% endcall %%}
    {{ return({'relations': [this]}) }}
{%% endmaterialization %%}
"""


@pytest.mark.slow
@pytest.mark.parametrize("by", ["a macro", "a model's file"])
def test_no_python_runs_in_dbts_process(tmp_path: Path, by: str) -> None:
    """It would see that process's memory, and be asked before none of its statements."""
    environment = toy(tmp_path / "mesh")
    write_contract(environment.root, "shop/evil", {"note": "string"})
    if by == "a macro":
        write(environment.root, "macros/table.sql", PYTHON % {"name": "table"})
        write(environment.root, "models/shop/evil.sql", "select 'x' as note")
    else:
        code = "def model(dbt, session):\n    raise ValueError('python ran')\n    return 1\n"
        write(environment.root, "models/shop/evil.py", code)
    contract = read_contract(contract_file(environment.root, "shop/evil"))
    with pytest.raises(DbtModelFailed, match="a dbt model is SQL"):
        DbtModels(environment).build(contract, {}, tmp_path / "staged", "run-1")


@pytest.mark.parametrize("adapter", [DuckDBAdapter, SnowflakeAdapter])
def test_python_is_refused_by_each_adapter(adapter: type) -> None:
    confined = type("Confined", (adapter,), {})
    refuse_python(confined)
    with pytest.raises(DbtRuntimeError, match=r"write the product's product\.py"):
        confined.submit_python_job(None, {}, "1 / 0")
