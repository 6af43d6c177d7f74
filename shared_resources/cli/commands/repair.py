"""`mesh repair`: a store's record of its versions was lost or put back; it is told again what lies there.

Belongs here: the command and its table. Does not belong here: what is repaired, and how
(`stores/`).
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

import click

from shared_resources import wiring
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.mesh import read_whole_mesh
from shared_resources.running.selection import select
from shared_resources.stores.protocol import MovedOn, PublishError, Unreadable


@click.command(epilog="Example: mesh repair order/transactions --dry-run")
@click.argument("selection", nargs=-1, metavar="[SELECTION…]")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def repair(selection: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Tell a store again which versions lie in it, after its own record was lost or put back.

    That is the lake's catalog (catalog.db, or Glue), the warehouse's manifests, or Snowflake's table
    of versions. Nothing is removed. Without a selection all products are looked at.
    """
    from shared_resources.data_products.publishing import product_lock

    environment = wiring.current()
    found = {p.key: p for p in read_whole_mesh(environment).own_products}
    done: list[dict[str, object]] = []
    failed: list[Exception] = []
    looked = 0
    for product in select(selection, dict.fromkeys(found, ())):
        contract = found[product].contract
        stores = environment.stores_of(contract) if contract else environment.stores.values()
        for store in stores:
            looked += 1
            try:
                with nullcontext() if dry_run else product_lock(environment, product):
                    said = store.repair(product, dry_run=dry_run)
            except (Unreadable, PublishError, MovedOn) as problem:
                failed.append(problem)
                continue
            if said is not None:
                done.append({"product": product, "store": store.name, "repair": said})
    if as_json:
        print_json(done)
    else:
        if done:
            shown = "would be done" if dry_run else "done"
            print_table(
                [{**row, shown: row.pop("repair")} for row in done], ["product", "store", shown]
            )
        say(f"{looked - len(done) - len(failed)} of {looked} looked at: nothing to repair")
    for trouble in failed:
        say(f"mesh: {trouble}", err=True)
    sys.exit(1 if failed else 0)
