"""`mesh quarantine`: what was rejected and why; try it again, or settle it.

Belongs here: listing, showing, replaying and closing entries for a person.
Does not belong here: storage (`governance/quarantine/quarantine.py`), the replay
(`data_products/replaying.py`).
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress

import click

from shared_resources import wiring
from shared_resources.cli.output import say
from shared_resources.cli.tables import columns_of, print_json, print_table
from shared_resources.cli.user import user
from shared_resources.contracts.model import Rule, Server
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.data_products.compared.standing import entries_of, every_entry
from shared_resources.environment import Environment
from shared_resources.governance.catalogue import data_time_rules
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.governance.quarantine.rejection import OF_MESSAGES
from shared_resources.governance.quarantine.view import shown_rows
from shared_resources.mesh import look_at_mesh, read_whole_mesh
from shared_resources.running.selection import product_contract, product_folder
from shared_resources.stores.protocol import NotPublished, Snapshot, Unreadable


@click.group(epilog="Example: mesh quarantine list && mesh quarantine show <ENTRY>")
def quarantine() -> None:
    """What was rejected, why, trying it again, and settling it."""


@quarantine.command("list", epilog="Example: mesh quarantine list marketing/coupons --all")
@click.argument("product", required=False, metavar="[DOMAIN/PRODUCT]")
@click.option("--all", "all_", is_flag=True, help="Also what is settled, and how.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def list_entries(product: str | None, all_: bool, as_json: bool) -> None:
    """The open entries, newest last: a refused batch, rows set aside, or an unreadable object.

    An entry is settled when what takes its place is published, or it is replayed or closed.
    """
    environment = wiring.current()
    products = look_at_mesh(environment).own_products
    # Of all products: entries of one that is no more are found too.
    entries = every_entry(environment, {p.key: p.contract for p in products if p.contract})
    if product is not None and all(entry.product != product for entry in entries):
        product_folder(environment, product)
    found = [entry for entry in entries if product in (None, entry.product)]
    rows = [_row(entry) for entry in found if all_ or entry.open]
    if as_json:
        print_json(rows)
    elif rows:
        hidden = {"open"} if all_ else {"open", "replayed_as", "settled"}
        print_table(rows, [name for name in rows[0] if name not in hidden])
    elif found:
        say(f"nothing in quarantine is open; {len(found):,} settled with --all")
    else:
        say("nothing is in quarantine")
    unreadable = [
        one for one in environment.quarantine.unreadable() if product in (None, one.product)
    ]
    for problem in unreadable:
        say(f"mesh: {problem}", err=True)
    if unreadable:
        sys.exit(1)


def _row(entry: QuarantineEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "product": entry.product,
        "kind": entry.kind,
        "rows": entry.rows,
        "at": entry.at,
        "broke": ", ".join(sorted({rule for rule, *_ in entry.reasons})),
        "replayed_as": ", ".join(f"v{one.version}" for one in entry.replays),
        "open": entry.open,
        "settled": entry.settled,
    }


@quarantine.command("show", epilog="Example: mesh quarantine show <ENTRY> --limit 50")
@click.argument("entry_id", metavar="ENTRY")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(min=0), help="Rows to show."
)
@click.option("--as", "principal", metavar="WHO", help="A domain, domain/product, person or agent.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def show(entry_id: str, limit: int, principal: str | None, as_json: bool) -> None:
    """One entry: the clauses that were broken, and rows, with classified columns masked.

    The rows are shown to who sees the product whole, its owners: no agreement is about what is in no
    version of it.
    """
    from shared_resources.access.door import sees_whole

    environment = wiring.current()
    entry = environment.quarantine.get(entry_id)
    whole = sees_whole(environment, entry.product, principal)
    contract = product_contract(environment, entry.product)
    entry = next(one for one in entries_of(environment, contract) if one.id == entry.id)
    rules = (*contract.rules, *data_time_rules(contract))
    references = _references(environment, entry, rules)
    rows = (
        shown_rows(
            environment.quarantine, entry, contract, limit, rules=rules, references=references
        )
        if whole
        else []
    )
    if as_json:
        print_json({**_details(entry), "rows_shown": rows})
        return
    for name, value in _details(entry).items():
        if name != "reasons":
            say(f"{name:>18}  {value}")
    reasons = [
        dict(zip(("rule", "clause", "rows", "found"), reason, strict=True))
        for reason in entry.reasons
    ]
    print_table(reasons, reasons[0])
    if not whole:
        say(
            f"mesh: its rows are shown to the owners of {entry.product}: say who you are (--as)",
            err=True,
        )
    if rows:
        say()
        print_table(rows, columns_of(rows), data=True)


def _references(
    environment: Environment, entry: QuarantineEntry, rules: Sequence[Rule]
) -> dict[str, Snapshot]:
    """The versions that the entry's batch was compared with, of those that are still there."""
    found: dict[str, Snapshot] = {}
    broken = {name for name, *_ in entry.reasons}
    for rule in rules:
        product = kind_of(rule).product(rule)
        if product is not None and rule.name in broken and product in entry.inputs:
            store, number, _ = entry.inputs[product].split(":", 2)
            with suppress(NotPublished, Unreadable, KeyError, ValueError):
                found[product] = environment.stores[Server(store)].open(product, int(number))
    return found


def _details(entry: QuarantineEntry) -> dict[str, object]:
    return {
        **{key: value for key, value in _row(entry).items() if key != "broke"},
        "run_id": entry.run_id,
        "batch_id": entry.batch_id,
        "contract_version": entry.contract_version,
        "partitions": [key for key in entry.partitions if key],
        "objects": [key for key, _ in entry.objects],
        "inputs": dict(entry.inputs),
        "parent": entry.parent,
        "on_top_of": entry.on_top_of,
        "superseded_by": entry.superseded_by,
        "replaced_by": entry.replaced_by,
        "closed": None if (closed := entry.closed) is None else vars(closed),
        "reasons": [list(reason) for reason in entry.reasons],
    }


@quarantine.command(epilog="Example: mesh quarantine replay <ENTRY>")
@click.argument("entry_id", metavar="ENTRY")
@click.option("--force", is_flag=True, help="Publish although a newer batch has been published.")
def replay(entry_id: str, force: bool) -> None:
    """Audit an entry by today's contract and publish what passes, once; exit 1 if nothing does."""
    from shared_resources.data_products.definition import define_product, product_inputs
    from shared_resources.data_products.pinned_inputs import open_pinned
    from shared_resources.data_products.replaying import replay as replay_entry
    from shared_resources.governance.stopped import makeable
    from shared_resources.reporting.outside_runs import report_version
    from shared_resources.streams.replaying import replay_messages

    environment = wiring.current()
    entry = environment.quarantine.get(entry_id)
    product_folder(environment, entry.product)  # which says it when there is no such product
    domain, folder = makeable(read_whole_mesh(environment), entry.product)
    definition = define_product(environment, domain, folder)
    run_id = f"replay-{uuid.uuid4()}"
    if entry.kind in OF_MESSAGES:
        done = replay_messages(environment, definition, entry, run_id, force=force)
    else:
        inputs = {
            product: open_pinned(environment, run_id, product)
            for product in product_inputs(environment, definition)
        }
        done = replay_entry(environment, definition, entry, run_id, inputs, force=force)
    if not done.versions:
        say(f"{entry.product}: refused again, nothing changed", err=True)
        for refusal in done.report.refusals:
            say(f"  {refusal.rule.name}: {refusal.message}", err=True)
        sys.exit(1)
    report_version(environment, definition.contract, done.versions, entry.partitions, done.report)
    for version in done.versions:
        say(
            f"{entry.product}: published as version {version.number} in the {version.store} "
            f"({version.rows:,} rows)"
        )
    if done.rest is not None:
        say(f"{done.rest.rows:,} rows still fail and stay in quarantine as {done.rest.id}")


@quarantine.command(epilog="Example: mesh quarantine close <ENTRY> --reason 'a test of the till'")
@click.argument("entry_id", metavar="ENTRY")
@click.option("--reason", required=True, help="Kept with the entry, for those who ask later.")
def close(entry_id: str, reason: str) -> None:
    """Settle an entry about which nothing is to be done; what was rejected is kept until it expires."""
    from shared_resources.reporting.outside_runs import report_health
    from shared_resources.reporting.standing_checks import refusals_standing

    if not reason.strip():
        raise click.BadParameter("is empty; say why", param_hint="--reason")
    environment = wiring.current()
    quarantine = environment.quarantine
    before = quarantine.get(entry_id)
    if before.closed is not None or not before.open:
        say(f"{before.product}: {before.id} is settled already: {before.settled}")
        return
    found = [one.contract for one in read_whole_mesh(environment).own_products]
    contract = next((one for one in found if one and one.key == before.product), None)
    stood = {} if contract is None else refusals_standing(environment, contract)
    entry = quarantine.close(before.id, by=user(), reason=reason.strip())
    if contract is not None:  # its entries outlive a product
        report_health(environment, contract, stood)
    say(f"{entry.product}: {entry.id} is closed")
