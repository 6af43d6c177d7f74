"""`mesh access plan` and `apply`: what engines grant otherwise than is agreed, and making it so.

Belongs here: the two commands, and how a plan is printed.
Does not belong here: what differs and in which order it is changed (`engines/`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from shared_resources import wiring
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json
from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    from shared_resources.engines.difference import Plan
    from shared_resources.engines.engine import AccessEngine, Change, Item
    from shared_resources.engines.shares import Shares


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON alone."),
        click.option("--prune", is_flag=True, help="Also remove what no agreement is behind."),
        click.option(
            "--engine",
            "engines",
            multiple=True,
            metavar="E",
            help="This engine alone; default: all.",
        ),
    ):
        command = option(command)
    return command


@click.command(epilog="Example: mesh access plan --engine snowflake --check")
@_options
@click.option("--check", is_flag=True, help="Exit 1 where anything differs.")
def plan(engines: tuple[str, ...], prune: bool, as_json: bool, check: bool) -> None:
    """What the engines' own grants differ in from the agreements, as the statements of `apply`."""
    from shared_resources.engines.applying import plan_for

    shares, chosen = _shares(), _chosen(engines)
    plans = [(engine, plan_for(engine, shares, prune=prune)) for engine in chosen]
    if as_json:
        print_json([_as_json(engine, one) for engine, one in plans])
    else:
        for engine, one in plans:
            for change in one.changes:
                _print_statements(engine, change)
            _print_rest(one)
    if check and any(one.differs for _, one in plans):
        sys.exit(1)


@click.command(epilog="Example: mesh access apply --engine snowflake --prune")
@_options
def apply(engines: tuple[str, ...], prune: bool, as_json: bool) -> None:
    """Give the engines what is agreed, and nothing else: each statement is printed when it is made.

    It plans by itself, from the agreements and the live state of this moment, whatever an earlier `plan`
    has shown. Where an engine refuses, what was changed until then is printed all the same, also as JSON
    (`left`: changes that were not made), and the next `apply` goes on from there.
    """
    from shared_resources.engines.applying import apply_to, plan_for

    chosen, shares = _chosen(engines), _shares()
    done: list[dict[str, Any]] = []
    try:
        for engine in chosen:
            planned = plan_for(engine, shares, prune=prune)
            done.append(_as_json(engine, planned, made=0))
            for number, change in enumerate(apply_to(engine, planned), 1):
                done[-1] = _as_json(engine, planned, made=number)
                if not as_json:
                    _print_statements(engine, change)
            if not as_json:
                _print_rest(planned, done=True)
    finally:
        if as_json:
            print_json(done)


@click.command(epilog="Example: mesh access export --as recommendation order/transactions")
@click.argument("products", nargs=-1, metavar="[DOMAIN/PRODUCT]…")
@click.option("--as", "consumer", metavar="WHO", help="The agreements of this consumer alone.")
def export(products: tuple[str, ...], consumer: str | None) -> None:
    """The agreements as Iceberg's read restrictions, as JSON: what a REST catalog answers each reader.

    What they cannot say is under `withheld`: whoever it is about is to be given no table.
    """
    from shared_resources.engines.read_restrictions import restrictions_of
    from shared_resources.running.selection import product_folder

    for key in products:
        product_folder(wiring.current(), key, anew=False)  # a typo is not a product without readers
    shares = _shares()
    chosen = [
        share
        for share in shares.given
        if share.product in (products or (share.product,))
        and str(share.consumer) in (consumer or str(share.consumer),)
    ]
    said, unsaid = restrictions_of(wiring.current(), chosen)
    print_json({"restrictions": said, "withheld": [vars(one) for one in unsaid]})


class _NoEngine(MeshProblem):
    exit_code = 2


def _chosen(names: Sequence[str]) -> list[AccessEngine]:
    there = wiring.current().engines
    if unknown := [name for name in names if name not in there]:
        known = ", ".join(sorted(there)) or "none"
        raise _NoEngine(
            f"there is no engine {unknown[0]!r} in this environment; there are {known} (MESH_ENV)"
        )
    if not there:
        raise _NoEngine("this environment has no engine that keeps grants of its own")
    return [there[name] for name in names or there]


def _shares() -> Shares:
    from shared_resources.engines.shares import shares_of
    from shared_resources.mesh import look_at_mesh

    return shares_of(look_at_mesh(wiring.current()), datetime.now(UTC))


def _as_json(engine: AccessEngine, plan: Plan, made: int | None = None) -> dict[str, Any]:
    """With `made` the first so many changes alone, and how many are left."""
    return {
        "engine": plan.engine,
        "changes": [
            {
                "action": change.action.value,
                **_item(change.item),
                "statements": list(engine.words(change)),
            }
            for change in plan.changes[:made]
        ],
        **({} if made is None else {"left": len(plan.changes) - made}),
        "without_agreement": [_item(item) for item in plan.kept],
        "withheld": [vars(one) for one in plan.withheld],
    }


def _item(item: Item) -> dict[str, str]:
    return {
        "kind": item.kind,
        "name": item.name,
        "product": item.product,
        "consumer": item.consumer,
        "purpose": item.purpose,
    }


def _print_statements(engine: AccessEngine, change: Change) -> None:
    for statement in engine.words(change):
        say(f"{engine.name}: {statement}")


def _print_rest(plan: Plan, *, done: bool = False) -> None:
    """What is not granted, and what is there without an agreement."""
    for one in _in_order(plan):
        say(f"{plan.engine}: {one}")
    if not plan.changes and not plan.kept:
        say(f"{plan.engine}: nothing differs from what is agreed")
    elif done and not plan.changes:
        say(f"{plan.engine}: nothing to change")


def _in_order(plan: Plan) -> Iterable[str]:
    for one in plan.withheld:
        column = f", column {one.column}" if one.column else ""
        roles = ", ".join(one.roles)
        yield (
            f"not granted: {one.product} to {one.consumer} for {one.purpose} (role {roles}{column}): "
            f"{one.why}"
        )
    for item in plan.kept:
        whose = f" ({item.product} to {item.consumer})" if item.product else ""
        yield f"without an agreement: the {item.kind} {item.name}{whose}; --prune removes it"
