"""Agreements in Snowflake: what is made, what each role sees, and what a second look finds.

Over the stand-in of Snowflake's governance, which executes each statement after sqlglot has parsed it.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from shared_resources.engines.applying import apply_to, plan_for
from shared_resources.engines.cloud_warehouse.engine import NotEmpty, SnowflakeEngine
from shared_resources.engines.difference import Plan
from shared_resources.engines.engine import Action
from shared_resources.engines.shares import Shares
from shared_resources.mesh.agreements.model import Status
from tests.access.test_door import PEOPLE
from tests.engines.people import DAY, KEY, NOW, People
from tests.stand_ins.snowflake_governance import Governance
from tests.stand_ins.snowflake_seeing import rows, seen

VIEW = ("for marketing", "crm.people.care")
ROLES: dict[str, dict[str, Any]] = {
    "north": {"columns": ["id", "region"], "rows": "region = 'north'"},
    "not_north": {"columns": ["id", "email", "region"], "rows": "NOT region = 'north'"},
    "years": {
        "columns": ["id", "email", "born"],
        "masks": {"email": "show-last-4", "born": "truncate-to-year"},
    },
    "hidden": {"columns": ["id", "email"], "masks": {"email": "mask-alphanum"}},
    "steps": {"columns": ["spent"], "masks": {"spent": {"generalise": 10}}, "rows": "id < 3"},
    "hashed": {"columns": ["id", "email"], "masks": {"email": "keyed-hash"}},
    "everything": {},
}
DURING = "TIMESTAMPTZ '2026-12-01 12:00:00+00'"


def engine_of(account: Governance) -> SnowflakeEngine:
    return SnowflakeEngine(account)  # type: ignore[arg-type]


def applied(account: Governance, shares: Shares, *, prune: bool = False) -> Plan:
    """Apply; a second look finds nothing more to change."""
    engine = engine_of(account)
    plan = plan_for(engine, shares, prune=prune)
    list(apply_to(engine, plan))
    assert not plan_for(engine, shares, prune=prune).changes
    return plan


@pytest.fixture
def snowflake() -> Governance:
    made = Governance()
    made.publish(KEY, PEOPLE)
    return made


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(tmp_path, "warehouse", roles=ROLES)


def test_a_role_sees_its_agreements_columns_and_rows(snowflake: Governance, people: People) -> None:
    people.agree("marketing", "north", ends=NOW + DAY)
    applied(snowflake, people.shares())
    assert seen(snowflake, "for marketing").keys() == {VIEW}
    assert rows(snowflake, VIEW, DURING) == [{"id": 1, "region": "north"}]


def test_an_agreement_ends_and_begins_by_itself(snowflake: Governance, people: People) -> None:
    people.agree("marketing", "hidden", starts=NOW, ends=NOW + DAY)
    applied(snowflake, people.shares())
    for moment, count in (
        ("2026-11-30 23:59:59", 0), ("2026-12-01 00:00:00", 3), ("2026-12-02 00:00:00", 3),
        ("2026-12-02 00:00:01", 0),
    ):  # fmt: skip
        assert len(rows(snowflake, VIEW, f"TIMESTAMPTZ '{moment}+00'")) == count


def test_a_column_that_is_not_granted_is_not_there(snowflake: Governance, people: People) -> None:
    people.agree("marketing", "steps")
    applied(snowflake, people.shares())
    assert snowflake.views[VIEW].columns == ["spent"]
    assert [str(row["spent"]) for row in rows(snowflake, VIEW, DURING)] == ["10.00", "-10.00"]


def test_classifications_are_tags_of_the_columns(snowflake: Governance, people: People) -> None:
    people.agree("marketing", "years")
    applied(snowflake, people.shares())
    assert snowflake.views[VIEW].tags == {
        "id": "internal",
        "email": "restricted",
        "born": "confidential",
    }


def test_a_mask_that_cannot_be_kept_secret_is_said_and_nothing_is_granted(
    snowflake: Governance, people: People
) -> None:
    people.agree("marketing", "hashed")
    plan = applied(snowflake, people.shares())
    (unsaid,) = plan.withheld
    assert (unsaid.product, unsaid.consumer, unsaid.roles) == (KEY, "marketing", ("hashed",))
    assert unsaid.column == "email"
    assert "key" in unsaid.why
    assert not snowflake.grants


def test_what_is_granted_ends_when_it_cannot_be_said_any_more(
    snowflake: Governance, people: People
) -> None:
    people.agree("marketing", "hidden")
    applied(snowflake, people.shares())
    people.agree("marketing", "hashed")
    plan = applied(snowflake, people.shares())
    assert plan.changes[0].action is Action.REMOVE
    assert not seen(snowflake, "for marketing")
    assert VIEW not in snowflake.views


def test_what_is_not_published_or_not_in_the_warehouse_is_not_granted(tmp_path: Path) -> None:
    people = People(tmp_path / "w", "warehouse", roles=ROLES)
    people.agree("marketing", "hidden")
    (unsaid,) = applied(Governance(), people.shares()).withheld
    assert "not published" in unsaid.why
    lake = People(tmp_path / "l", "lake", roles=ROLES)
    lake.agree("marketing", "hidden")
    assert applied(Governance(), lake.shares()) == Plan("snowflake", ())


def test_columns_that_are_not_published_yet(snowflake: Governance, people: People) -> None:
    snowflake.publish(KEY, PEOPLE.drop(["email", "region"]))
    people.agree("marketing", "years")
    people.agree("finance", "north")
    (unsaid,) = applied(snowflake, people.shares()).withheld
    assert snowflake.views[VIEW].columns == ["id", "born"]
    assert (unsaid.consumer, unsaid.column) == ("finance", "region")
    snowflake.publish(KEY, PEOPLE.select(["region"]))
    people.agree("finance", "steps")
    assert {one.consumer for one in applied(snowflake, people.shares()).withheld} == {
        "marketing", "finance",
    }  # fmt: skip


def test_grants_without_an_agreement_are_listed_and_stay_until_they_are_pruned(
    snowflake: Governance, people: People
) -> None:
    people.agree("marketing", "hidden")
    people.agree("anna@example.com", "north")
    applied(snowflake, people.shares())
    people.agree("marketing", "hidden", status=Status.REJECTED)
    plan = applied(snowflake, people.shares())
    assert not plan.changes
    assert plan.differs
    assert {(item.kind, item.consumer) for item in plan.kept} == {("grant", "marketing")}
    applied(snowflake, people.shares(), prune=True)
    assert not seen(snowflake, "for marketing")
    assert list(snowflake.roles) == ["for anna@example.com"]
    assert "for marketing" not in snowflake.schemas


def test_what_somebody_gave_by_hand_is_drift(snowflake: Governance, people: People) -> None:
    people.agree("marketing", "hidden")
    applied(snowflake, people.shares())
    view = '"for marketing"."crm.people.care"'
    snowflake.execute(f'GRANT SELECT ON VIEW {view} TO ROLE "ANALYST"')
    snowflake.execute('GRANT SELECT ON VIEW "crm"."people" TO DATABASE ROLE "for marketing"')
    plan = applied(snowflake, people.shares())
    assert sorted(item.name for item in plan.kept) == [
        'SELECT ON VIEW "crm"."people" TO DATABASE ROLE "for marketing"',
        f'SELECT ON VIEW {view} TO ROLE "ANALYST"',
    ]
    applied(snowflake, people.shares(), prune=True)
    assert len(snowflake.grants) == 2


@pytest.mark.parametrize(
    "by_hand",
    [
        'ALTER VIEW "for marketing"."crm.people.care" MODIFY COLUMN "email" UNSET MASKING POLICY',
        'ALTER MASKING POLICY {mask} SET BODY -> "value"',
        "ALTER ROW ACCESS POLICY {rows} SET BODY -> TRUE",
        "ALTER VIEW {source} DROP ALL ROW ACCESS POLICIES",
        'REVOKE SELECT ON VIEW "for marketing"."crm.people.care" FROM DATABASE ROLE "for marketing"',
        'REVOKE USAGE ON SCHEMA "for marketing" FROM DATABASE ROLE "for marketing"',
        'DROP VIEW "for marketing"."crm.people.care"',
        'DROP DATABASE ROLE "for marketing"',
    ],
)
def test_what_somebody_changed_by_hand_is_put_right(
    snowflake: Governance, people: People, by_hand: str
) -> None:
    people.agree("marketing", "hidden", ends=NOW + DAY)
    applied(snowflake, people.shares())
    before = seen(snowflake, "for marketing")
    names = {
        "mask": quoted(snowflake.views[VIEW].masks["email"]),
        "rows": quoted(next(name for kind, name in snowflake.policies if "ROW" in kind)),
        "source": quoted(next(name for name in snowflake.views if name[0] == "mesh access")),
    }
    snowflake.execute(by_hand.format(**names))
    assert seen(snowflake, "for marketing") != before
    assert applied(snowflake, people.shares()).changes
    assert seen(snowflake, "for marketing") == before


def quoted(name: tuple[str, str]) -> str:
    return f'"{name[0]}"."{name[1]}"'


def test_a_schema_in_which_others_put_something_is_not_dropped(
    snowflake: Governance, people: People
) -> None:
    file = people.agree("marketing", "hidden")
    applied(snowflake, people.shares())
    file.unlink()
    plan = plan_for(engine_of(snowflake), people.shares(), prune=True)
    snowflake.execute(
        'CREATE OR REPLACE SECURE VIEW "for marketing"."mine" ("id") COMMENT = \'\' '
        'AS SELECT CAST("id" AS NUMBER(19,0)) AS "id" FROM "crm"."people"'
    )
    with pytest.raises(NotEmpty, match="for marketing"):
        list(apply_to(engine_of(snowflake), plan))
    assert not seen(snowflake, "for marketing")


def test_what_other_repositories_granted_stays(snowflake: Governance, people: People) -> None:
    people.agree("marketing", "hidden")
    applied(snowflake, people.shares())
    theirs = Shares((), registered=frozenset({"crm"}))
    assert not plan_for(engine_of(snowflake), theirs, prune=True).differs


def agree_at_random(people: People, made: random.Random) -> None:
    for who in ("marketing", "finance"):
        for purpose in ("care", "more"):
            ends = made.choice([None, NOW + DAY, NOW + 2 * DAY])
            status = made.choice([Status.APPROVED, Status.APPROVED, Status.REJECTED])
            role = made.choice(list(ROLES))
            people.agree(who, role, purpose=purpose, status=status, ends=ends)


def tamper_at_random(snowflake: Governance, made: random.Random) -> None:
    for (kind, _), policy in snowflake.policies.items():
        if made.random() < 0.3:
            open_ = "TRUE" if "ROW" in kind else f'"{policy.arguments[0]}"'
            policy.body = open_
    for view in snowflake.views.values():
        if made.random() < 0.2:
            view.masks.clear()


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 30))]
)
def test_at_each_step_a_role_sees_what_it_saw_or_will_see_or_nothing(
    snowflake: Governance, people: People, seed: int
) -> None:
    """And who is killed there and begins again comes to the same."""
    made = random.Random(seed)
    agree_at_random(people, made)
    applied(snowflake, people.shares(), prune=True)
    if seed % 2:
        tamper_at_random(snowflake, made)
    agree_at_random(people, made)
    roles = ("for marketing", "for finance")
    engine, prune = engine_of(snowflake), bool(made.random() < 0.5)
    before = {role: seen(snowflake, role) for role in roles}
    between = []
    for _ in apply_to(engine, plan_for(engine, people.shares(), prune=prune)):
        between.append({role: seen(snowflake, role) for role in roles})
        if made.random() < 0.1:
            break  # killed
    applied(snowflake, people.shares(), prune=prune)
    after = {role: seen(snowflake, role) for role in roles}
    for shown in between:
        for role in roles:
            for view, query in shown[role].items():
                assert query in (before[role].get(view), after[role].get(view))


def test_a_former_name_is_in_the_view_while_the_product_s_own_view_serves_it(
    snowflake: Governance, people: People
) -> None:
    sees = {"columns": ["id", "address"], "masks": {"address": "mask-to-fixed-value"}}
    people.rename({"reader": sees}, {"name": "email", "until": "2099-12-31"})
    called = PEOPLE.rename_columns(["address" if n == "email" else n for n in PEOPLE.column_names])
    both = called.append_column("email", called["address"])
    for published, columns in ((called, ["id", "address"]), (both, ["id", "address", "email"])):
        snowflake.publish(KEY, published)
        people.agree("marketing", "reader")
        applied(snowflake, people.shares())
        assert snowflake.views[VIEW].columns == columns
    shown = rows(snowflake, VIEW, DURING)
    assert shown and all(row["address"] == row["email"] for row in shown)
    assert {"email": "restricted", "address": "restricted"}.items() <= snowflake.views[
        VIEW
    ].tags.items()
