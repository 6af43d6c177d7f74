"""The order of changes, on an engine that is nothing but the port's rules.

Belongs here: that no step opens more than before or after, whatever the two states are.
Does not belong here: any engine's own objects.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from shared_resources.engines.difference import Plan, difference
from shared_resources.engines.engine import Action, Change, Desired, Item, Key, Kind
from shared_resources.engines.shares import Withheld

KINDS = (
    Kind("role", lasting=True),
    Kind("policy"),
    Kind("view"),
    Kind("grant", opens=True),
)
CELLS = "abcd"
State = dict[Key, Item]
Seen = dict[Key, frozenset[str]]


def role(name: str) -> Item:
    return Item("role", name)


def policy(name: str, cells: str) -> Item:
    return Item("policy", name, cells)


def view(name: str, cells: str, *policies: str, product: str = "a/a") -> Item:
    """Shows of the cells what each of its policies lets through."""
    needs = frozenset(("policy", one) for one in policies)
    state = f"{cells} behind {' '.join(sorted(policies))}"
    return Item("view", name, state, product, "someone", "reason", needs)


def grant(to: str, of: str, product: str = "a/a") -> Item:
    needs = frozenset({("role", to), ("view", of)})
    return Item("grant", f"{of} to {to}", "", product, to, "reason", needs)


def state(*items: Item) -> State:
    return {item.key: item for item in items}


def seen(now: State) -> Seen:
    """What each grant shows; one whose view or policy is missing shows nothing."""
    shown: Seen = {}
    for key, item in now.items():
        if item.kind == "grant":
            cells = set(CELLS)
            below = [need for need in item.needs if need[0] == "view"]
            for need in below:
                below += now[need].needs if need in now else []
                cells &= set(now[need].state.partition(" ")[0]) if need in now else set()
            shown[key] = frozenset(cells)
    return shown


def step(now: State, change: Change) -> State:
    after = dict(now)
    if change.action is Action.REMOVE:
        del after[change.item.key]
        users = [item for item in after.values() if change.item.key in item.needs]
        assert not users, f"{change.item.key} is still needed by {users}"
    else:
        assert (change.item.key in now) == (change.action is Action.REPLACE)
        assert all(need in now for need in change.item.needs), change
        after[change.item.key] = change.item
    return after


def walked(now: State, plan: Plan) -> list[State]:
    states = [now]
    for change in plan.changes:
        states.append(step(states[-1], change))
    return states


def planned(now: State, wanted: Iterable[Item], **more: object) -> Plan:
    return difference("toy", KINDS, Desired(frozenset(wanted)), now.values(), **more)  # type: ignore[arg-type]


def drawn(made: random.Random) -> State:
    policies = [policy(f"p{n}", _cells(made)) for n in range(3) if made.random() < 0.7]
    names = [one.name for one in policies]
    views = [
        view(f"v{n}", _cells(made), *made.sample(names, made.randint(0, len(names))))
        for n in range(3)
        if made.random() < 0.7
    ]
    roles = [role(f"r{n}") for n in range(2)]
    grants = [grant(to.name, of.name) for to in roles for of in views if made.random() < 0.6]
    return state(*policies, *views, *roles, *grants)


def _cells(made: random.Random) -> str:
    return "".join(cell for cell in CELLS if made.random() < 0.5)


@pytest.mark.parametrize("prune", [True, False])
@pytest.mark.parametrize("seed", range(0, 2_000, 100))
def test_no_step_shows_more_than_before_or_after(seed: int, prune: bool) -> None:
    for number in range(seed, seed + 100):
        made = random.Random(number)
        old, new = drawn(made), drawn(made)
        plan = planned(old, new.values(), prune=prune)
        states = walked(old, plan)
        first, last = seen(old), seen(states[-1])
        for between in states:
            for key, cells in seen(between).items():
                assert cells <= first.get(key, frozenset()) or cells <= last.get(key, frozenset())
        assert not planned(states[-1], new.values(), prune=prune).changes
        assert all(states[-1][key] == item for key, item in new.items())
        if prune:
            assert states[-1] == new


def test_who_is_killed_between_two_steps_goes_on() -> None:
    for number in range(300):
        made = random.Random(number)
        old, new = drawn(made), drawn(made)
        states = walked(old, planned(old, new.values(), prune=True))
        for between in states:
            assert walked(between, planned(between, new.values(), prune=True))[-1] == new


def test_what_opens_comes_last_and_goes_first() -> None:
    plan = planned(
        state(role("r"), view("old", "ab"), grant("r", "old")),
        [role("r"), policy("p", "a"), view("new", "ab", "p"), grant("r", "new")],
        prune=True,
    )
    assert [(str(change.action), change.item.kind) for change in plan.changes] == [
        ("remove", "grant"),
        ("make", "policy"),
        ("make", "view"),
        ("make", "grant"),
        ("remove", "view"),
    ]


def test_several_replaced_below_one_opening_close_it_meanwhile() -> None:
    old = state(role("r"), policy("p", "ab"), view("v", "a", "p"), grant("r", "v"))
    new = [role("r"), policy("p", "a"), view("v", "ab", "p"), grant("r", "v")]
    actions = [(str(one.action), one.item.kind) for one in planned(old, new).changes]
    assert actions[0] == ("remove", "grant")
    assert actions[-1] == ("make", "grant")
    one = [role("r"), policy("p", "a"), view("v", "a", "p"), grant("r", "v")]
    assert [change.item.kind for change in planned(old, one).changes] == ["policy"]


def test_without_prune_what_nobody_agreed_to_is_listed_and_stays() -> None:
    old = state(role("r"), policy("p", "a"), view("v", "ab", "p"), grant("r", "v"))
    plan = planned(old, [])
    assert not plan.changes
    assert [item.kind for item in plan.kept] == ["grant"]
    assert plan.differs
    assert walked(old, planned(old, [], prune=True))[-1] == {}


def test_what_an_engine_cannot_say_any_more_is_closed_without_pruning() -> None:
    old = state(role("r"), view("v", "ab"), grant("r", "v"))
    unsaid = Withheld("a/a", "r", "reason", ("role",), "email", "no such mask")
    plan = difference("toy", KINDS, Desired(frozenset({role("r")}), (unsaid,)), old.values())
    assert [change.item.kind for change in plan.changes] == ["grant", "view"]
    assert plan.withheld == (unsaid,)


def test_what_other_repositories_agreed_to_is_not_touched() -> None:
    theirs = state(
        role("r"), policy("p", "a"), view("w", "a", "p", product="b/b"), grant("r", "w", "b/b")
    )
    assert not planned(theirs, [], prune=True, elsewhere=lambda key: key == "b/b").differs
    mine = replace(role("mine"))
    assert planned(
        {**theirs, mine.key: mine}, [], prune=True, elsewhere=lambda key: key == "b/b"
    ).changes == (Change(Action.REMOVE, mine),)
