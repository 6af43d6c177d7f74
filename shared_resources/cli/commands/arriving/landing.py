"""`mesh landing`: where each landing sensor stands, what waits, and letting it ingest again.

Belongs here: the state of the sensors and their ledger for a person, the reset, settling.
Does not belong here: finding and remembering objects (`landing/`), naming what was passed over
(`cli/not_ingested.py`), running anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from shared_resources import wiring
from shared_resources.arrivals.ledger.strays import OUTSIDE
from shared_resources.cli.not_ingested import (
    outsiders,
    passed_over,
    print_passed_over,
    print_refused,
    refused,
    settle_strays,
)
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.landing.errors import LandingError
from shared_resources.mesh import look_at_mesh
from shared_resources.running.selection import product_contract

if TYPE_CHECKING:
    from shared_resources.arrivals.ledger.ledger import Ledger

SHOWN_OBJECTS = 20


class _ShowByDefault(click.Group):
    """`mesh landing [PRODUCT]` shows; another word that is a command is that command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks_help = bool(args) and args[0] in ctx.help_option_names
        if not asks_help and (not args or args[0] not in self.commands):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_ShowByDefault, epilog="Example: mesh landing && mesh landing reset order/transactions"
)
def landing() -> None:
    """What landed: `mesh landing [DOMAIN/PRODUCT] [--all] [--json]`. How far each sensor has come,
    what is not processed yet, what is stuck (its runs failed; the next one may wait for hours), the
    lag: the age of the oldest unprocessed object; and by name what was passed over, until someone
    settles it."""


@landing.command(epilog="Example: mesh landing show order/transactions")
@click.argument("product", required=False, metavar="[DOMAIN/PRODUCT]")
@click.option("--all", "all_", is_flag=True, help="Also what was passed over and is settled.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def show(product: str | None, all_: bool, as_json: bool) -> None:
    """A row a product that is ingested; more about one. (`show` itself may be left out.)"""
    environment = wiring.current()
    if product is None:
        contracts = _ingested(environment)
    else:
        contracts = [_with_landing(product_contract(environment, product))]
    for contract in contracts[:1]:
        # That a bucket is not there, or not ours to list, is said here and not by a sensor alone;
        # what is wrong with one prefix is in what its own sensor said.
        with contextlib.suppress(LandingError):
            environment.landing_zone.page(_prefix(contract), "", 1)
    rows = [_row(environment, contract, all_) for contract in contracts]
    strays = outsiders(environment, contracts, all_) if product is None and contracts else None
    every = [*rows, *([{**dict.fromkeys(rows[0]), **strays}] if strays else [])]
    if as_json:
        print_json(every)
    elif product is not None:
        _print_one(rows[0])
    elif rows:
        print_table([_short(row) for row in rows], _short(rows[0]))
        for row in rows:
            for problem in row["queue_problems"]:
                say(f"{row['product']}: {problem}")
        print_refused(rows)
        print_passed_over(every)
    else:
        say("no product is ingested from the landing zone")


@landing.command(
    epilog="Example: mesh landing reset order/transactions --from order/transactions/2017-03"
)
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option("--from", "start", metavar="KEY", help="Only objects from this key on.")
@click.option("--object", "key", metavar="KEY", help="Only this object.")
def reset(product: str, start: str | None, key: str | None) -> None:
    """Let the sensor ingest again what lies in the landing zone, though it was ingested before."""
    from shared_resources.arrivals.known_before import adopt
    from shared_resources.arrivals.ledger.ledger import Ledger
    from shared_resources.arrivals.ledger.sensor_notes import ask_for_reset, read_notes

    environment = wiring.current()
    contract = _with_landing(product_contract(environment, product))
    if start is not None and key is not None:
        raise click.UsageError("--from and --object exclude each other")
    _check_below(contract, start, key)
    ledger = Ledger(environment.state, contract.key)
    if not read_notes(environment.state, contract.key).adopted:
        adopt(environment, contract, ledger)
    if key is not None:
        _reset_object(environment, contract, ledger, key)
        return
    forgotten = ledger.forget(start=start)
    ask_for_reset(environment.state, contract.key)
    say(
        f"{contract.key}: {forgotten:,} objects are forgotten; the sensor's next ticks ingest those "
        "that lie there"
    )


@landing.command(
    epilog="Example: mesh landing settle order/transactions order/transactions/notes.txt "
    "--reason 'the till writes it'"
)
@click.argument("product", metavar="DOMAIN/PRODUCT|outside")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--everything", is_flag=True, help="Whatever is named of the product now.")
@click.option("--reason", required=True, help="Kept, with who settled it, for those who ask later.")
def settle(product: str, keys: tuple[str, ...], everything: bool, reason: str) -> None:
    """Name objects no longer that were passed over: nothing is to be done about them.

    An object that is written anew is named again. `outside` is the place of objects below no
    product's prefix.
    """
    environment = wiring.current()
    if not reason.strip():
        raise click.BadParameter("is empty; say why", param_hint="--reason")
    if bool(keys) is everything:
        raise click.UsageError("name the objects by their keys, or use --everything")
    contracts = _ingested(environment)
    if product != OUTSIDE:
        contracts = [_with_landing(product_contract(environment, product))]
    done = settle_strays(environment, product, contracts, keys, reason.strip())
    for key in done:
        say(f"{product}: {key} is settled")
    if not done:
        say(f"{product}: nothing is named; nothing is changed")


@landing.command(epilog="Example: mesh landing retry order/transactions")
@click.argument("product", metavar="DOMAIN/PRODUCT")
def retry(product: str) -> None:
    """Let the sensor try at once what waits because its runs failed, what is stuck among it."""
    from shared_resources.arrivals.ledger.ledger import Ledger

    environment = wiring.current()
    contract = _with_landing(product_contract(environment, product))
    waiting = Ledger(environment.state, contract.key).retry()
    say(f"{contract.key}: {waiting:,} objects are tried again at the sensor's next tick")


def _ingested(environment: Environment) -> list[Contract]:
    folders = look_at_mesh(environment).own_products
    return [p.contract for p in folders if p.contract and p.contract.landing]


def _reset_object(environment: Environment, contract: Contract, ledger: Ledger, key: str) -> None:
    obj = environment.landing_zone.head(key)
    if obj is None:
        raise LandingError(f"{key}: there is no such object in the landing zone")
    ledger.forget(key=key)
    if ledger.discover([obj]).new:
        say(f"{contract.key}: {key} is ingested again at the sensor's next tick")
    else:
        say(f"{contract.key}: {key} waits for its run already; nothing is changed")


def _check_below(contract: Contract, *keys: str | None) -> None:
    prefix = _prefix(contract)
    for key in keys:
        if key is not None and not key.startswith(f"{prefix}/"):
            raise click.UsageError(
                f"{key!r} is not below {prefix}/, where the objects of {contract.key} land; "
                f"`mesh landing {contract.key}` shows keys"
            )


def _prefix(contract: Contract) -> str:
    assert contract.landing is not None
    return contract.landing.prefix.strip("/")


def _with_landing(contract: Contract) -> Contract:
    if contract.landing is None:
        raise click.UsageError(
            f"{contract.key} is not ingested from the landing zone: its contract has no landing"
        )
    return contract


def _row(environment: Environment, contract: Contract, all_: bool) -> dict[str, Any]:
    from shared_resources.arrivals.ledger.ledger import Ledger
    from shared_resources.arrivals.ledger.sensor_notes import read_notes
    from shared_resources.arrivals.ledger.states import UNFINISHED, State

    ledger = Ledger(environment.state, contract.key)
    notes = read_notes(environment.state, contract.key)
    counts = ledger.questions.counts()
    oldest = ledger.questions.oldest_unprocessed()
    queue = environment.landing_queue(contract)
    depths = queue.depths() if queue is not None else None
    now = datetime.now(UTC)
    return {
        "product": contract.key,
        "prefix": _prefix(contract),
        "position": notes.cursor.get("position"),
        "caught_up": notes.cursor.get("caught_up"),
        "sweep": notes.cursor.get("sweep"),
        "sweep_round": notes.cursor.get("round"),
        "pending": sum(counts.get(state, 0) for state in UNFINISHED),
        "stuck": counts.get(State.STUCK, 0),
        "refused": refused(environment, contract),
        "lag_seconds": (
            max(0, int((now - oldest.object.modified_at).total_seconds())) if oldest else 0
        ),
        "oldest": oldest.key if oldest else None,
        "last_tick": notes.ticked_at,
        "said": notes.said,
        "queue": depths.name if depths else None,
        "queue_depth": depths.waiting + depths.in_flight if depths and depths.usable else None,
        "dead_letters": depths.dead_letters if depths else None,
        "queue_problems": depths.problems if depths else [],
        "unprocessed": [
            {"key": entry.key, "state": entry.state.value, "landed_at": entry.modified_at}
            for entry in ledger.questions.oldest(SHOWN_OBJECTS)
        ],
        **passed_over(environment, contract.key, all_),
    }


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """The columns of the table."""
    shown = {
        "product": row["product"],
        "position": row["position"] or "(the first key)",
        "sweep": f"round {row['sweep_round'] or 0}",
        "pending": row["pending"],
        "stuck": row["stuck"],
        "refused": len(row["refused"]),
        "passed_over": row["passed_over_count"],
        "lag": str(timedelta(seconds=row["lag_seconds"])),
        "last_tick": row["last_tick"],
    }
    if row["queue"] is not None:
        shown |= {"queue": row["queue_depth"], "dead_letters": row["dead_letters"]}
    return shown


def _print_one(row: dict[str, Any]) -> None:
    details = {**_short(row), "said": row["said"], "prefix": row["prefix"]}
    if row["queue"] is not None:
        depth = row["queue_depth"]
        details["queue"] = row["queue"] + ("" if depth is None else f": {depth} messages")
    for name, value in details.items():
        say(f"{name:>14}  {'' if value is None else str(value)}")
    for problem in row["queue_problems"]:
        say(f"{'problem':>14}  {problem}")
    unprocessed: Sequence[dict[str, Any]] = row["unprocessed"]
    if unprocessed:
        say()
        print_table(unprocessed, unprocessed[0], data=True)
    if row["passed_over"]:
        say()
        print_refused([row], limit=None)
        print_passed_over([row], limit=None)
