"""Drift is a check on a schedule, which hangs on no product and so never holds one's runs up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from shared_resources.engines.cloud_warehouse.engine import SnowflakeEngine
from shared_resources.engines.drift import drift_of
from shared_resources.engines.shares import shares_of
from shared_resources.mesh import read_mesh
from shared_resources.wiring.local import LocalEnvironment
from tests.access.test_door import PEOPLE, PURPOSES, agree, people_contract
from tests.cli.commands import call
from tests.engines.cloud_warehouse.test_apply import ROLES
from tests.engines.people import NOW
from tests.stand_ins.snowflake_governance import Governance
from tests.tiny_mesh import TinyMesh

JOB = "crm_access_drift"
VIEW = '"for marketing"."crm.people.care"'


@pytest.fixture
def snowflake(monkeypatch: pytest.MonkeyPatch) -> Governance:
    account = Governance()
    account.publish("crm/people", PEOPLE)
    engines = {"snowflake": SnowflakeEngine(account)}  # type: ignore[arg-type]
    monkeypatch.setattr(LocalEnvironment, "engines", engines)
    return account


@pytest.fixture
def people(mesh: TinyMesh, snowflake: Governance) -> Iterator[TinyMesh]:
    mesh.central(purposes=PURPOSES)
    mesh.product("crm/people", people_contract("warehouse", roles=ROLES))
    mesh.domain("marketing")
    agree(mesh, "marketing", "hidden")
    yield mesh


def checked(mesh: TinyMesh) -> dg.AssetCheckEvaluation:
    job = mesh.definitions("crm").resolve_job_def(JOB)
    done = job.execute_in_process(instance=mesh.instance)
    assert done.success
    (evaluation,) = done.get_asset_check_evaluations()
    return evaluation


def said(evaluation: dg.AssetCheckEvaluation, name: str) -> Any:
    return evaluation.metadata[name].value


def test_the_check_fails_until_what_is_agreed_is_applied(
    people: TinyMesh, snowflake: Governance
) -> None:
    never = checked(people)
    assert never.passed  # an engine that nobody uses does not differ
    assert "mesh access apply" in said(never, "not_granted")[0]
    file = agree(people, "finance", "north")
    assert call("access", "apply").code == 0
    assert checked(people).passed
    file.unlink()
    agree(people, "finance", "hashed")
    snowflake.execute(f"DROP VIEW {VIEW}")
    before = checked(people)
    assert (before.passed, before.check_name) == (False, "as_agreed_in_snowflake")
    assert f"to make: view {VIEW}" in said(before, "differs")
    assert "crm/people to finance" in said(before, "not_granted")[0]
    assert call("access", "apply").code == 0
    assert checked(people).passed
    snowflake.execute(f'GRANT SELECT ON VIEW {VIEW} TO ROLE "ANALYST"')
    by_hand = checked(people)
    assert not by_hand.passed
    assert said(by_hand, "differs") == [
        f'without an agreement: grant SELECT ON VIEW {VIEW} TO ROLE "ANALYST"'
    ]


def test_a_domain_plans_its_own_products_alone(
    people: TinyMesh, snowflake: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hour each domain looks: what others have in the engine is theirs to compare."""
    people.product("shop/people", people_contract("warehouse", roles=ROLES).replace("crm", "shop"))
    snowflake.publish("shop/people", PEOPLE)
    file = people.root / "domains/crm/products/people/agreements/marketing.oaas.yaml"
    other = people.root / "domains/shop/products/people/agreements" / file.name
    other.parent.mkdir()
    other.write_text(file.read_text().replace("crm", "shop"))
    assert call("access", "apply").code == 0
    snowflake.execute('DROP VIEW "for marketing"."shop.people.care"')
    asked: list[str] = []
    original = SnowflakeEngine.desired

    def noting(self: SnowflakeEngine, shares: Any) -> Any:
        asked.extend(share.product for share in shares)
        return original(self, shares)

    monkeypatch.setattr(SnowflakeEngine, "desired", noting)
    assert checked(people).passed and set(asked) == {"crm/people"}
    whole = shares_of(read_mesh(people.root), NOW)
    assert drift_of(SnowflakeEngine(snowflake), whole, "shop").differs  # type: ignore[arg-type]


def test_a_policy_that_was_changed_by_hand_is_drift_of_its_domains(
    people: TinyMesh, snowflake: Governance
) -> None:
    assert call("access", "apply").code == 0
    next(one for one in snowflake.policies.values() if one.returns != "BOOLEAN").body = '"value"'
    shares = shares_of(read_mesh(people.root), NOW)
    drift = drift_of(SnowflakeEngine(snowflake), shares, "crm")  # type: ignore[arg-type]
    assert drift.differs[0].startswith("to replace: masking policy")
    assert not checked(people).passed


def test_the_check_has_a_schedule_and_no_part_in_a_products_run(people: TinyMesh) -> None:
    definitions = people.definitions("crm")
    schedules = {schedule.name: schedule for schedule in definitions.schedules or ()}
    assert str(schedules[f"{JOB}_schedule"].cron_schedule).endswith(" * * * *")  # type: ignore[union-attr]
    people.land("crm/people/people.parquet", PEOPLE)
    done = people.run("crm/people")
    assert done.success
    assert "as_agreed_in_snowflake" not in {
        one.check_name for one in done.get_asset_check_evaluations()
    }


def test_without_agreements_or_engines_there_is_none(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh.central(purposes=PURPOSES)
    mesh.product("crm/people", people_contract("warehouse", roles=ROLES))
    assert f"{JOB}_schedule" not in {one.name for one in mesh.definitions("crm").schedules or ()}
    agree(mesh, "marketing", "hidden")
    monkeypatch.setattr(LocalEnvironment, "engines", {})
    assert f"{JOB}_schedule" not in {one.name for one in mesh.definitions("crm").schedules or ()}
