"""Every statement that the Snowflake store makes is Snowflake's SQL, and carries no value in its text.

Belongs here: parsing what was said with sqlglot's Snowflake dialect, and the list of what the
stand-in takes and does not execute. Does not belong here: what the statements do (test_conformance).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from shared_resources.contracts.model import Classification, Column
from shared_resources.evidence import keys
from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from tests.stand_ins import StandIns
from tests.stand_ins.servers import environment
from tests.stores.places import Place
from tests.stores.products import (
    LONG,
    TEXT,
    WHY,
    contract,
    day,
    publish,
    published,
    stage,
)
from tests.stores.snowflake_statements import Said, recorded

DAILY = contract(partitioned=True)
NASTY = """it's a "test" \\ of; -- comments
with $1 and two lines"""
# fakesnow takes these and does nothing, or not the same: docs/production.md lists them.
NOT_EXECUTED_BY_THE_STAND_IN = {
    "CREATE TAG": "tags are not kept",
    "WITH TAG": "tags of views and of their columns are left out",
    "COPY GRANTS": "there are no roles and grants",
    "TRANSIENT": "the table is made like any other",
    "TEMPORARY STAGE": "the stage stays until it is dropped",
    "CLONE": "the table is copied",
    "PARALLEL": "files are uploaded one by one",
    "USE_LOGICAL_TYPE": "options of the Parquet format are ignored; types are always read right",
}


@pytest.fixture(scope="module")
def store(stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory) -> SnowflakeStore:
    place = Place("snowflake", tmp_path_factory.mktemp("snowflake"), stand_ins.fresh())
    with environment(place.variables):
        opened = place.open()
    assert isinstance(opened, SnowflakeStore)
    return opened


@pytest.fixture(scope="module")
def said(store: SnowflakeStore) -> Iterator[Said]:
    """Everything that the store can say, said once."""
    with recorded() as heard:
        described = replace(
            DAILY,
            description=NASTY,
            columns=tuple(
                replace(column, description=NASTY, classification=Classification.INTERNAL)
                for column in DAILY.columns
            ),
        )
        publish(store, described, "b1", {day(0): [1], day(1): [2], day(5): [3]})
        publish(store, described, "b2", {day(0): [4], day(5): [5]})
        publish(store, described, "b3", {day(0): [6]}, append=True)
        wider = replace(described, columns=(*described.columns, Column("x", TEXT, "", None)))
        publish(store, wider, "b4", {day(1): [7]})
        store.rollback(wider, 2, WHY, batch_id="r1")
        publish(store, contract(name="plain"), "b1", [1])
        publish(store, contract(name="plain"), "b2", [2])
        stage(store, described, "b5", {day(0): [8]})
        store.discard(described, "b5")
        store.remove_orphans(described.key, timedelta(0))
        store.expire(described, datetime.now(UTC) + timedelta(days=1))
        assert published(store, described.key) == [2, 4, 5]
        store.open(described.key).batches(["id", "at"], [day(0)]).read_all()
        store.relation(described.key)
        store.products()
        store.versions(described.key)
        yield heard


def test_every_statement_is_snowflakes_sql(said: Said) -> None:
    for statement in said.statements:
        parsed = sqlglot.parse(statement, read="snowflake")
        assert len(parsed) == 1, statement
        assert parsed[0] is not None
        # What sqlglot does not know it takes as an opaque command.
        assert not isinstance(parsed[0], exp.Command), statement


def test_every_name_is_quoted(said: Said) -> None:
    for statement in said.statements:
        parsed = sqlglot.parse_one(statement, read="snowflake")
        for table in parsed.find_all(exp.Table):
            if table.db.lower() != "information_schema" and isinstance(table.this, exp.Identifier):
                assert all(part.args["quoted"] for part in table.parts if part.name), statement
        for column in parsed.find_all(exp.Column):
            if not column.find_ancestor(exp.Copy) and "information_schema" not in statement:
                assert column.this.args.get("quoted"), (statement, column)


def test_evidence_and_batches_are_bound_and_not_written(said: Said) -> None:
    for statement, values in zip(said.statements, said.values, strict=True):
        assert keys.RUN_ID not in statement
        assert statement.count("?") == len(values) or "COMMENT" in statement
    assert any(keys.RUN_ID in str(value) for values in said.values for value in values)


def test_the_statements_use_what_the_design_says(said: Said) -> None:
    everything = "\n".join(said.statements)
    for words in NOT_EXECUTED_BY_THE_STAND_IN:
        assert words in everything
    assert "ON_ERROR = ABORT_STATEMENT" in everything
    assert said.starting("CREATE OR REPLACE VIEW")
    assert not said.starting("ALTER VIEW")  # its tags and comments come with it, in one statement
    for statement in said.starting("COPY INTO"):
        assert '$1:"id"::NUMBER(19,0)' in statement


def test_the_documentation_names_what_the_stand_in_does_not_execute() -> None:
    page = (Path(__file__).parents[2] / "docs" / "production.md").read_text(encoding="utf-8")
    section = page.partition("What the stand-ins cannot execute")[2]
    for words in NOT_EXECUTED_BY_THE_STAND_IN:
        assert f"`{words}`" in section


def test_no_ddl_stands_within_a_transaction(said: Said) -> None:
    """Snowflake would commit it."""
    inside = False
    for statement in said.statements:
        word = statement.split()[0]
        if word in ("BEGIN", "COMMIT", "ROLLBACK"):
            inside = word == "BEGIN"
        elif inside:
            assert word in ("DELETE", "INSERT", "COPY"), statement
    assert not inside


def test_descriptions_survive_quotes_and_backslashes(said: Said) -> None:
    view = sqlglot.parse_one(said.starting("CREATE OR REPLACE VIEW")[0], read="snowflake")
    comment = view.find(exp.SchemaCommentProperty)
    assert comment is not None
    assert comment.this.this == NASTY
    columns = list(view.find_all(exp.CommentColumnConstraint))
    assert [column.this.this for column in columns] == [NASTY] * 4


def test_tags_say_what_the_contract_says(said: Said) -> None:
    view = said.starting("CREATE OR REPLACE VIEW")[0]
    assert view.count("""WITH TAG ("mesh"."classification" = 'internal')""") == 4
    assert f'"mesh"."owner" = \'{DAILY.owner}\'' in view
    assert """"mesh"."product" = 'order/sales'""" in view


def test_a_column_without_classification_is_tagged_as_the_most_sensitive(
    store: SnowflakeStore,
) -> None:
    """A masking policy on the tag then hides it."""
    columns = (*DAILY.columns, Column("x", LONG, "", None))
    unclassified = replace(DAILY, name="unclassified", columns=columns)
    with recorded() as heard:
        publish(store, unclassified, "b1", {day(0): [1]})
    view = heard.starting("CREATE OR REPLACE VIEW")[0]
    assert """"x" WITH TAG ("mesh"."classification" = 'restricted')""" in view
