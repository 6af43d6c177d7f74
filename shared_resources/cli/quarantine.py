"""`mesh quarantine`: what was rejected and why; try it again.

Belongs here: listing, showing and replaying entries for a person.
Does not belong here: storage (`governance/quarantine.py`), the replay (`data_products/replaying.py`).
"""

from __future__ import annotations

import sys
import uuid

import click

from shared_resources import environment as environments
from shared_resources.cli.selection import product_contract, product_folder
from shared_resources.cli.tables import columns_of, print_json, print_table
from shared_resources.environment import Environment
from shared_resources.governance.quarantine import QuarantineEntry
from shared_resources.governance.quarantine_view import shown_rows


@click.group(epilog="Example: mesh quarantine list && mesh quarantine show <ENTRY>")
def quarantine() -> None:
    """What was rejected, why, and trying it again."""


@quarantine.command("list", epilog="Example: mesh quarantine list marketing/coupons")
@click.argument("product", required=False, metavar="[DOMAIN/PRODUCT]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def list_entries(product: str | None, as_json: bool) -> None:
    """Every entry, newest last: a refused batch, rows set aside, or an object that is unreadable."""
    environment = environments.current()
    # All are listed first: those of a product that is no more are found too.
    entries = environment.quarantine.list()
    if product is not None and all(entry.product != product for entry in entries):
        product_folder(environment, product)
    rows = [_row(entry) for entry in entries if product in (None, entry.product)]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows, rows[0])
    else:
        click.echo("nothing is in quarantine")


def _row(entry: QuarantineEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "product": entry.product,
        "kind": entry.kind,
        "rows": entry.rows,
        "at": entry.at,
        "broke": ", ".join(sorted({rule for rule, *_ in entry.reasons})),
        "replayed_as": ", ".join(f"v{one.version}" for one in entry.replays),
    }


@quarantine.command("show", epilog="Example: mesh quarantine show <ENTRY> --limit 50")
@click.argument("entry_id", metavar="ENTRY")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(min=0), help="Rows to show."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def show(entry_id: str, limit: int, as_json: bool) -> None:
    """One entry: the clauses that were broken, and rows, with classified columns masked."""
    environment = environments.current()
    entry = environment.quarantine.get(entry_id)
    contract = product_contract(environment, entry.product)
    rows = shown_rows(environment.quarantine, entry, contract, limit)
    if as_json:
        print_json({**_details(entry), "rows_shown": rows})
        return
    for name, value in _details(entry).items():
        if name != "reasons":
            click.echo(f"{name:>18}  {value}")
    reasons = [
        dict(zip(("rule", "clause", "rows", "found"), reason, strict=True))
        for reason in entry.reasons
    ]
    print_table(reasons, reasons[0])
    if rows:
        click.echo()
        print_table(rows, columns_of(rows), data=True)


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
        "superseded_by": entry.superseded_by,
        "reasons": [list(reason) for reason in entry.reasons],
    }


@quarantine.command(epilog="Example: mesh quarantine replay <ENTRY>")
@click.argument("entry_id", metavar="ENTRY")
@click.option("--force", is_flag=True, help="Publish although a newer batch has been published.")
def replay(entry_id: str, force: bool) -> None:
    """Audit an entry by today's contract and publish what passes, once; exit 1 if nothing does."""
    from shared_resources.data_products.definition import define_product
    from shared_resources.data_products.domain import checked_domain, product_inputs
    from shared_resources.data_products.replaying import replay as replay_entry
    from shared_resources.data_products.runless import report_version
    from shared_resources.io_managers.pinned import open_pinned
    from shared_resources.mesh import read_mesh

    environment = environments.current()
    entry = environment.quarantine.get(entry_id)
    folder = product_folder(environment, entry.product)
    domain = checked_domain(read_mesh(environment.root), folder.domain)
    definition = define_product(environment, domain, folder)
    run_id = f"replay-{uuid.uuid4()}"
    inputs = {
        product: open_pinned(environment, run_id, product)
        for product in product_inputs(environment, definition)
    }
    done = replay_entry(environment, definition, entry, run_id, inputs, force=force)
    if not done.versions:
        _say_refused(
            entry, environment, [f"{r.rule.name}: {r.message}" for r in done.report.refusals]
        )
        sys.exit(1)
    report_version(environment, definition.contract, done.versions, entry.partitions, done.report)
    for version in done.versions:
        click.echo(
            f"{entry.product}: published as version {version.number} in the {version.store} "
            f"({version.rows:,} rows)"
        )
    if done.rest is not None:
        click.echo(f"{done.rest.rows:,} rows still fail and stay in quarantine as {done.rest.id}")


def _say_refused(entry: QuarantineEntry, environment: Environment, reasons: list[str]) -> None:
    click.echo(f"{entry.product}: refused again, nothing changed", err=True)
    for reason in reasons:
        click.echo(f"  {reason}", err=True)
