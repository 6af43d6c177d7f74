"""`mesh housekeeping`: compact, expire and clear up now, without waiting for the schedules.

Belongs here: the command and its table. Does not belong here: what is done (`housekeeping/`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from shared_resources import wiring
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.mesh import look_at_mesh
from shared_resources.running.selection import product_contract, select

if TYPE_CHECKING:
    from shared_resources.housekeeping.tasks import Done


@click.command(epilog="Example: mesh housekeeping order --expire --dry-run")
@click.argument("selection", nargs=-1, metavar="[SELECTION…]")
@click.option("--compact", is_flag=True, help="Rewrite small files as fewer.")
@click.option("--expire", is_flag=True, help="Remove versions past their retention.")
@click.option("--orphans", is_flag=True, help="Remove files that nobody needs.")
@click.option("--quarantine", is_flag=True, help="Remove what was rejected too long ago.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def housekeeping(
    selection: tuple[str, ...],
    compact: bool,
    expire: bool,
    orphans: bool,
    quarantine: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Do now what Dagster's schedules do every night: these tasks, or all four.

    A version is removed when its contract's retention is over, and never the current one, one that
    was current or pinned by a run within a day, or one that a kept version restored.
    """
    from shared_resources.housekeeping.tasks import NOTHING, Task, Unfinished, perform

    environment = wiring.current()
    products = [product.key for product in look_at_mesh(environment).own_products]
    asked = dict(zip(Task, (compact, expire, orphans, quarantine), strict=True))
    chosen = [task for task in Task if asked[task] or not any(asked.values())]
    done: list[Done] = []
    failed: list[Unfinished] = []
    for product in select(selection, dict.fromkeys(products, ())):
        contract = product_contract(environment, product)
        for task in chosen:
            try:
                done += perform(environment, contract, task, dry_run=dry_run)
            except Unfinished as problem:
                done += problem.done
                failed.append(problem)
    if as_json:
        print_json([_row(one) | {"changed": one.changed and not dry_run} for one in done])
    else:
        said = "would" if dry_run else "did"
        shown = [_place(one) | {said: one.summary} for one in done if one.summary != NOTHING]
        if shown:
            print_table(shown, shown[0])
        say(f"{len(done) - len(shown)} of {len(done)} looked at: {NOTHING}")
    for unfinished in failed:
        say(f"mesh: {unfinished}", err=True)
    sys.exit(1 if failed else 0)


def _place(done: Done) -> dict[str, object]:
    return {"product": done.product, "task": done.task.value, "place": done.place}


def _row(done: Done) -> dict[str, object]:
    return {**_place(done), "summary": done.summary, **done.details}
