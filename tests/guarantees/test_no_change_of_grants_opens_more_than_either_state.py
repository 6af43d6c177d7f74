"""Promise: while engines are given what is agreed, nobody sees more than before or after, at no step.

Whatever the two states are; and whoever is killed in between leaves no more open, and is followed by one
who ends it. Statements of grants that are made one after the other in any order do not keep it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from shared_resources.engines.cloud_warehouse.engine import SnowflakeEngine
from shared_resources.engines.engine import Change
from shared_resources.wiring.local import LocalEnvironment
from tests.access.test_door import PEOPLE, PURPOSES, agree, people_contract
from tests.cli.commands import call
from tests.engines import test_difference as toy
from tests.engines.cloud_warehouse.test_apply import ROLES
from tests.stand_ins.snowflake_governance import Governance
from tests.stand_ins.snowflake_seeing import rows, seen
from tests.tiny_mesh import TinyMesh

Shown = dict[str, frozenset[str]]


def test_whatever_the_two_states_are() -> None:
    for seed in range(10_000, 10_400):
        made = random.Random(seed)
        old, new = toy.drawn(made), toy.drawn(made)
        states = toy.walked(old, toy.planned(old, new.values(), prune=True))
        first, last = toy.seen(old), toy.seen(states[-1])
        for between in states:
            for key, cells in toy.seen(between).items():
                assert cells <= first.get(key, frozenset()) or cells <= last.get(key, frozenset())
            killed = toy.walked(between, toy.planned(between, new.values(), prune=True))
            assert killed[-1] == new


def test_in_any_other_order_more_would_be_seen() -> None:
    """The same changes backwards: so the order is what keeps the promise."""
    opened = 0
    for seed in range(10_000, 10_400):
        made = random.Random(seed)
        old, new = toy.drawn(made), toy.drawn(made)
        changes = toy.planned(old, new.values(), prune=True).changes
        first, last, now = toy.seen(old), toy.seen(new), dict(old)
        for change in reversed(changes):
            now.pop(change.item.key, None)
            if change.action != "remove":
                now[change.item.key] = change.item
            opened += any(
                not cells <= first.get(key, frozenset()) and not cells <= last.get(key, frozenset())
                for key, cells in toy.seen(now).items()
            )
    assert opened


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
    mesh.product("crm/people", people_contract("warehouse", roles=ROLES))
    mesh.domain("marketing")
    yield mesh


def shown(account: Governance) -> Shown:
    """The rows, as text, of each view that somebody may read."""
    readers = ("for marketing", "for finance")
    views = [view for reader in readers for view in seen(account, reader)]
    return {str(view): frozenset(str(row) for row in rows(account, view)) for view in views}


@pytest.mark.parametrize(
    ("before", "after"),
    [("north", "not_north"), ("everything", "hidden"), ("hidden", "years"), ("years", "steps")],
)
def test_over_snowflake_by_the_command(
    people: TinyMesh,
    snowflake: Governance,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    after: str,
) -> None:
    own = agree(people, "marketing", before)
    gone = agree(people, "finance", before)
    assert call("access", "apply").code == 0
    first, between = shown(snowflake), list[Shown]()
    own.unlink()
    agree(people, "marketing", after)
    gone.unlink()
    original = SnowflakeEngine.execute

    def watched(self: SnowflakeEngine, change: Change) -> None:
        original(self, change)
        between.append(shown(snowflake))

    monkeypatch.setattr(SnowflakeEngine, "execute", watched)
    assert call("access", "apply", "--prune").code == 0
    last = shown(snowflake)
    assert between and len(first) == 2 and len(last) == 1
    for now in between:
        for view, some in now.items():
            assert some in (first.get(view), last.get(view), frozenset())
