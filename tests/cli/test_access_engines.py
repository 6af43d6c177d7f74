"""`mesh access plan`, `apply`, `export`: over the stand-in of Snowflake's governance."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from shared_resources.engines.cloud_warehouse.engine import SnowflakeEngine
from shared_resources.engines.engine import Change
from shared_resources.stores.cloud_warehouse.session import SnowflakeProblem
from shared_resources.wiring.local import LocalEnvironment
from tests.access.test_door import PEOPLE, PURPOSES, agree, people_contract
from tests.cli.commands import call
from tests.engines.cloud_warehouse.test_apply import ROLES
from tests.stand_ins.snowflake_governance import Governance
from tests.stand_ins.snowflake_seeing import seen
from tests.tiny_mesh import TinyMesh

GRANT = 'GRANT SELECT ON VIEW "for marketing"."crm.people.care" TO DATABASE ROLE "for marketing"'


@pytest.fixture
def snowflake(monkeypatch: pytest.MonkeyPatch) -> Governance:
    account = Governance()
    account.publish("crm/people", PEOPLE)
    engines = {"snowflake": SnowflakeEngine(account)}  # type: ignore[arg-type]
    monkeypatch.setattr(LocalEnvironment, "engines", engines)
    return account


@pytest.fixture
def people(mesh: TinyMesh) -> Iterator[TinyMesh]:
    mesh.central(purposes=PURPOSES)
    mesh.product("crm/people", people_contract("warehouse", "lake", roles=ROLES))
    mesh.domain("marketing")
    agree(mesh, "marketing", "north")
    agree(mesh, "finance", "hashed")
    yield mesh


def test_a_plan_shows_what_apply_then_does(people: TinyMesh, snowflake: Governance) -> None:
    planned = call("access", "plan")
    assert planned.code == 0
    assert not snowflake.executed
    assert planned.out.splitlines()[-2] == f"snowflake: {GRANT}"
    assert "not granted: crm/people to finance for care (role hashed, column email)" in planned.out
    assert call("access", "plan", "--check").code == 1

    applied = call("access", "apply", "--engine", "snowflake")
    assert applied.out == planned.out
    assert seen(snowflake, "for marketing")
    again = call("access", "apply")
    assert "nothing differs" in again.out
    assert GRANT not in again.out
    assert call("access", "plan", "--check").code == 0


def test_json_is_alone_and_says_the_same(people: TinyMesh, snowflake: Governance) -> None:
    (planned,) = call("access", "plan", "--json").json
    assert planned["engine"] == "snowflake"
    assert planned["changes"][-1]["statements"] == [GRANT]
    assert planned["changes"][-1]["consumer"] == "marketing"
    assert [one["column"] for one in planned["withheld"]] == ["email"]
    assert call("access", "apply", "--json").json == [planned | {"left": 0}]


def test_apply_plans_anew_whatever_was_shown_before(
    people: TinyMesh, snowflake: Governance
) -> None:
    """Agreements and engine have moved since: what counts is this moment's."""
    assert call("access", "apply").code == 0
    file = people.root / "domains/crm/products/people/agreements/marketing.oaas.yaml"
    file.unlink()
    agree(people, "marketing", "hidden")
    shown = call("access", "plan").out
    file.unlink()
    agree(people, "marketing", "years")
    snowflake.execute(f"REVOKE {GRANT.removeprefix('GRANT ').replace(' TO ', ' FROM ')}")
    applied = call("access", "apply").out
    assert applied != shown and "show-last-4" in applied and GRANT in applied
    assert call("access", "plan", "--check").code == 0


def test_who_is_rejected_is_said_to_be_open_in_engines_until_they_are_pruned(
    people: TinyMesh, snowflake: Governance
) -> None:
    assert call("access", "apply").code == 0
    owner = ("--by", "crm@example.com")
    rejected = call("access", "reject", "crm/people", "--for", "marketing", *owner)
    assert rejected.code == 0 and "until `mesh access apply --prune`" in rejected.out, rejected
    assert call("access", "plan", "--check").code == 1
    assert call("access", "apply", "--prune").code == 0
    assert not seen(snowflake, "for marketing")


def test_what_has_no_agreement_stays_until_it_is_pruned(
    people: TinyMesh, snowflake: Governance
) -> None:
    assert call("access", "apply").code == 0
    (people.root / "domains/crm/products/people/agreements/marketing.oaas.yaml").unlink()
    kept = call("access", "apply")
    assert "without an agreement: the grant SELECT ON VIEW" in kept.out
    assert "--prune removes it" in kept.out
    assert "nothing to change" in kept.out
    assert call("access", "plan", "--check").code == 1
    assert call("access", "apply", "--prune").code == 0
    assert not seen(snowflake, "for marketing")


def test_a_failing_statement_is_one_message_and_the_next_apply_goes_on(
    people: TinyMesh, snowflake: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, left = SnowflakeEngine.execute, [4]

    def failing(self: SnowflakeEngine, change: Change) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise SnowflakeProblem("Snowflake said: insufficient privileges")
        original(self, change)

    monkeypatch.setattr(SnowflakeEngine, "execute", failing)
    failed = call("access", "apply")
    assert (failed.code, failed.err) == (1, "mesh: Snowflake said: insufficient privileges\n")
    assert len(failed.out.splitlines()) == len(snowflake.executed) == 4
    left[0] = 2
    more = call("access", "apply", "--json")
    (said,) = json.loads(more.out)
    assert more.code == 1 and len(said["changes"]) == 2 and said["left"] > 0
    monkeypatch.setattr(SnowflakeEngine, "execute", original)
    assert call("access", "apply").code == 0
    assert seen(snowflake, "for marketing")


def test_an_engine_that_there_is_not(people: TinyMesh, snowflake: Governance) -> None:
    call("access", "plan", "--engine", "oracle").refused("oracle", "snowflake")


def test_a_branch_has_no_engines(people: TinyMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("branch", "create", "try").code == 0
    monkeypatch.setenv("MESH_BRANCH", "try")
    call("access", "plan").refused("no engine")


def test_export_gives_read_restrictions_and_what_they_cannot_say(people: TinyMesh) -> None:
    people.land("crm/people/people.parquet", PEOPLE)
    assert people.run("crm/people").success
    said = call("access", "export").json
    assert [one["principal"] for one in said["restrictions"]] == ["marketing"]
    assert [one["consumer"] for one in said["withheld"]] == ["finance"]
    assert not call("access", "export", "--as", "nobody").json["restrictions"]
    call("access", "export", "crm/peple").refused("did you mean crm/people?")
