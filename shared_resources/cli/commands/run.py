"""`mesh run`: materialize products in dependency order across domains.

Belongs here: the command, and what it prints.
Does not belong here: running the products (`running/engine.py`), the display (`cli/progress.py`).
"""

from __future__ import annotations

import os
import sys

import click

from shared_resources.cli.branch_option import branch_option
from shared_resources.environment import Environment
from shared_resources.running.workers.forkserver import imports_meanwhile


@click.command(epilog="Example: mesh run +customer/customer_360")
@click.argument("selection", nargs=-1)
@click.option(
    "--partitions",
    metavar="FIRST[..LAST]",
    help="Days to make again, of partitioned products. Default: what differs from when it was made.",
)
@click.option("--again", is_flag=True, help="Make what is unchanged, too.")
@click.option(
    "--jobs",
    default=os.cpu_count() or 1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Products at a time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome of each product as JSON.")
@branch_option
def run(
    selection: tuple[str, ...], partitions: str | None, again: bool, jobs: int, as_json: bool
) -> None:
    """Materialize SELECTION (domains, domain/product, +domain/product with all it reads; default
    everything), recorded in the Dagster instance that `make dev` shows. What would be made of the
    same objects, input versions, contract, policies and code as before stays as it is."""
    with imports_meanwhile():
        _run(selection, partitions, again, jobs, as_json)


def _run(
    selection: tuple[str, ...], partitions: str | None, again: bool, jobs: int, as_json: bool
) -> None:
    # What this imports, it imports beside the workers' server.
    from shared_resources import wiring
    from shared_resources.cli.days import asked_days
    from shared_resources.cli.not_ingested import notes_after_run
    from shared_resources.cli.progress import RunProgress
    from shared_resources.cli.tables import print_json
    from shared_resources.dagster_instance.instance import prepare_instance
    from shared_resources.running.engine import Engine

    environment = wiring.current()
    if partitions is not None:
        asked_days(partitions, "--partitions")
    wanted = _static_selection(environment, selection)
    prepare_instance(environment)
    with RunProgress(len(wanted)) as progress:
        outcome = Engine(environment, progress, max(1, jobs), partitions, again).run(wanted)
    passed_over = notes_after_run(environment, wanted)
    for product, notes in passed_over.items():
        outcome.products[product]["not_ingested"] = notes
    if as_json:
        print_json({"seconds": round(outcome.seconds, 2), "products": outcome.products})
    for product, notes in passed_over.items():
        for note in notes:
            progress.note(f"{product}: {note}")
    progress.note(
        f"{outcome.count('published')} published, {outcome.count('unchanged')} unchanged, "
        f"{outcome.count('failed')} failed{outcome.in_part()}, {outcome.count('held')} held "
        f"in {outcome.seconds:.1f} s"
    )
    sys.exit(1 if outcome.count("failed") or outcome.count("held") else 0)


def _static_selection(
    environment: Environment, selection: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """The selected keys, and what they read by what the files say; locations that do not load are
    found out later."""
    from shared_resources.mesh import look_at_mesh
    from shared_resources.running.selection import select

    reads = {product.key: product.reads for product in look_at_mesh(environment).own_products}
    return {key: reads[key] for key in select(selection, reads)}
