"""Every statement of `mesh access apply` is Snowflake's SQL, quotes each name, and shows no secret.

Belongs here: what was said to the stand-in, and the words that fakesnow does not execute.
Does not belong here: what the statements do (`test_apply.py`).
"""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from shared_resources.engines.applying import apply_to, plan_for
from shared_resources.engines.cloud_warehouse.engine import SnowflakeEngine
from tests.engines.cloud_warehouse.test_apply import ROLES, applied, people, snowflake
from tests.engines.people import DAY, NOW, People
from tests.stand_ins.snowflake_governance import Governance

__all__ = ["people", "snowflake"]
# fakesnow takes none of these: docs/production.md lists them.
NOT_EXECUTED_BY_FAKESNOW = (
    "CREATE DATABASE ROLE",
    "CREATE MASKING POLICY",
    "CREATE ROW ACCESS POLICY",
    "SET BODY",
    "WITH MASKING POLICY",
    "WITH ROW ACCESS POLICY",
)


@pytest.fixture
def said(snowflake: Governance, people: People) -> list[str]:
    """Everything that changes anything, said once."""
    for number, role in enumerate(ROLES):
        people.agree(f"agent:{number}'s", role, ends=NOW + DAY)
    applied(snowflake, people.shares())
    for policy in snowflake.policies.values():
        policy.body = "TRUE" if policy.returns == "BOOLEAN" else "NULL"
    applied(snowflake, people.shares())
    for file in people.root.rglob("*.oaas.yaml"):
        file.unlink()
    applied(snowflake, people.shares(), prune=True)
    assert not snowflake.roles
    return snowflake.executed


def test_every_statement_is_executed_by_the_stand_in_and_whole_ones_are_parsed(
    said: list[str],
) -> None:
    """sqlglot knows no policies and database roles: the stand-in takes those apart, and parses their
    bodies; what it does know is no opaque command."""
    opaque = set()
    for statement in said:
        try:
            parsed = sqlglot.parse(statement, read="snowflake")
        except SqlglotError:
            opaque.add(statement.split(" IF ")[0])
            continue
        assert len(parsed) == 1
        if isinstance(parsed[0], exp.Command):
            opaque.add(" ".join(statement.split()[:3]))
    assert opaque == {
        "CREATE DATABASE ROLE", "DROP DATABASE ROLE", "CREATE MASKING POLICY", "CREATE ROW ACCESS POLICY",
        "ALTER MASKING POLICY", "ALTER ROW ACCESS", "DROP MASKING POLICY", "DROP ROW ACCESS",
        "GRANT USAGE ON", "GRANT SELECT ON", "REVOKE USAGE ON", "REVOKE SELECT ON",
    }  # fmt: skip


def test_the_documentation_names_what_fakesnow_does_not_execute(said: list[str]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "production.md").read_text(encoding="utf-8")
    section = page.partition("What the stand-ins cannot execute")[2]
    everything = "\n".join(said)
    for words in NOT_EXECUTED_BY_FAKESNOW:
        assert words in everything
        assert words in section


def test_a_plan_says_the_statements_that_apply_executes(
    snowflake: Governance, people: People
) -> None:
    people.agree("marketing", "north")
    engine = SnowflakeEngine(snowflake)  # type: ignore[arg-type]
    plan = plan_for(engine, people.shares())
    words = [statement for change in plan.changes for statement in engine.words(change)]
    list(apply_to(engine, plan))
    assert words == snowflake.executed
