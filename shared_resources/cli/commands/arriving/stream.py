"""`mesh stream`: make products of topics, window after window, for as long as it runs.

Belongs here: the commands, signals, and what is printed.
Does not belong here: the process itself (the room `streams/`).
"""

from __future__ import annotations

import os
import sys
import uuid
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shared_resources import wiring
from shared_resources.cli.commands.arriving.all_streams import keep_all_up
from shared_resources.cli.commands.arriving.gate import gate, row_of_gate, skip_at_gate
from shared_resources.cli.commands.arriving.live import live
from shared_resources.cli.commands.arriving.stream_contract import stream_contract
from shared_resources.cli.commands.arriving.stream_job import job
from shared_resources.cli.output import say
from shared_resources.cli.stopping import Stop
from shared_resources.cli.tables import print_json, print_table
from shared_resources.cli.user import user
from shared_resources.confinement.guard import platform_variables
from shared_resources.contracts.model import Contract
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.environment import Environment
from shared_resources.mesh import read_whole_mesh
from shared_resources.state.attempt import OF_A_STREAM

if TYPE_CHECKING:
    from shared_resources.streams.log.asked_once import AskedOnce


class _OfAProduct(click.Group):
    """`mesh stream DOMAIN/PRODUCT` is `mesh stream run DOMAIN/PRODUCT`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks_help = bool(args) and args[0] in ctx.help_option_names
        if args and not asks_help and args[0] not in self.commands:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_OfAProduct, epilog="Example: mesh stream order/purchases")
def stream() -> None:
    """Make a product of its topic: window after window, until it is stopped.

    `mesh stream DOMAIN/PRODUCT` runs in the foreground, any number of processes share a topic's
    partitions; SIGTERM or Ctrl-C commits what was gathered, and ends it. `mesh stream --all` keeps
    a process up for each of the mesh's streams, for its gate, and for each product whose served rows
    follow one.
    """


@stream.command(epilog="Example: mesh stream run order/purchases --until-empty")
@click.argument("product", required=False, metavar="[DOMAIN/PRODUCT]")
@click.option("--until-empty", is_flag=True, help="End when what the topic holds now is committed.")
@click.option(
    "--all",
    "all_",
    is_flag=True,
    help="A process for each stream, gate and product that follows one, kept up here.",
)
@click.option("--below", type=int, hidden=True, help="End with the process of this number.")
def run(product: str | None, until_empty: bool, all_: bool, below: int | None) -> None:
    """Commit windows of the product's topic: what `mesh stream DOMAIN/PRODUCT` does.

    Ends with 2 when somebody has to act before it can go on: messages are gone that were not read, or it
    is set up wrongly. With `--until-empty`, with 1 when a window was refused whole.
    """
    if (product is None) is not all_:
        raise click.UsageError("name a product, DOMAIN/PRODUCT, or --all of the mesh's streams")
    if all_ and until_empty:
        raise click.UsageError("--all keeps processes up; `mesh run` takes what is there, once")
    stop = Stop(below)
    if product is None:
        keep_all_up(stop.asked)
        return
    from shared_resources.streams.kept_up.endings import to_go_on

    environment = wiring.current()
    with nullcontext() if until_empty else to_go_on(environment.state, f"run {product}"):
        _run(environment, product, stop, until_empty)


def _run(environment: Environment, product: str, stop: Stop, until_empty: bool) -> None:
    from shared_resources.streams.decoding.decoders import unfit_writers
    from shared_resources.streams.process import StreamProcess
    from shared_resources.streams.window import Committed, Window

    definition = _definition(environment, product)
    refused = 0

    def told(committed: Committed, window: Window) -> None:
        nonlocal refused
        leading = committed.versions[0]
        line = (
            f"{product}: version {leading.number}, {window.messages.num_rows:,} messages, "
            f"{committed.rejected:,} rejected, {leading.rows:,} rows"
        )
        say(line)
        if committed.refused is not None:
            refused += 1
            why = "; ".join(f"{one.rule.name}: {one.message}" for one in committed.refused.refusals)
            say(f"{product}: all of the window is in quarantine: {why}", err=True)

    process = StreamProcess(
        environment, definition, f"{OF_A_STREAM}{uuid.uuid4()}", stop.asked, told
    )
    topic = process.check()
    for said in unfit_writers(definition.contract, platform_variables()):
        say(f"{product}: {said}", err=True)
    say(
        f"{product}: reads {topic.name} ({topic.partitions} partitions) in {environment.log} as process "
        f"{os.getpid()}"
    )
    process.run(until=topic.ends if until_empty else None)
    if refused and until_empty:
        sys.exit(1)


stream.add_command(job)


@stream.command(epilog="Example: mesh stream skip order/purchases --reason 'kept 7 days only'")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option("--reason", required=True, help="Stands in the next version's evidence.")
@click.option(
    "--gate", "at_gate", is_flag=True, help="What the product's gate missed, not the product."
)
def skip(product: str, reason: str, at_gate: bool) -> None:
    """Accept that messages are gone which were never read; the product, or its gate, goes on without."""
    from shared_resources.streams.standing import AcceptedGaps, look_at_topic, standing

    environment = wiring.current()
    contract = stream_contract(environment, product)
    if not reason.strip():
        raise click.BadParameter("is empty; say why", param_hint="--reason")
    if at_gate:
        skip_at_gate(environment, contract, reason.strip())
        return
    _, gap = look_at_topic(environment, contract, standing(environment, contract))
    if gap is None:
        say(f"{product}: nothing is missing of its topic")
        return
    AcceptedGaps(environment.state, contract.key).accept(gap, user(), reason.strip())
    say(f"{gap.why}. Accepted by {user()}: the next version says so")


stream.add_command(gate)


@stream.command(
    epilog="Example: mesh stream send receipts 2017.jsonl --key receipt_id --partitions 4"
)
@click.argument("topic")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", help="The field of each line whose value is the message's key.")
@click.option("--partitions", type=click.IntRange(1), help="Make the topic, if there is none.")
def send(topic: str, file: Path, key: str | None, partitions: int | None) -> None:
    """Send each line of FILE to TOPIC as a message: to try a stream where nobody writes to it yet."""
    from shared_resources.streams.log.lines import send_lines

    log = wiring.without_branch().log
    if partitions is not None:
        log.create(topic, partitions)
    elif log.topic(topic) is None:
        raise click.UsageError(
            f"there is no topic {topic!r} in {log}; --partitions NUMBER makes it"
        )
    say(f"{send_lines(log, topic, file, key):,} messages sent to {topic}")


@stream.command("list", epilog="Example: mesh stream list --json")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects as JSON.")
def list_(as_json: bool) -> None:
    """The products that are made of topics: how far each is, and how many messages wait.

    A process that ended in trouble, of one that follows a stream too, is said until it is started again.
    """
    from shared_resources.streams.kept_up.last_endings import last_endings
    from shared_resources.streams.log.asked_once import AskedOnce

    environment = wiring.current()
    products = read_whole_mesh(environment).own_products
    contracts = [one.contract for one in products if one.contract is not None]
    log = AskedOnce()
    rows = [_row(environment, one, log) for one in contracts if one.stream]
    ended = {
        product.key: [e for e in last_endings(environment, product.key) if e.is_of(product)]
        for product in products
        if product.followed or (product.contract is not None and product.contract.stream)
    }
    for row in rows:
        row["ended"] = [
            {**asdict(one), "at": one.at.isoformat()} for one in ended.get(row["product"], ())
        ]
    if as_json:
        print_json(rows)
        return
    if log.unreachable is not None:
        say(str(log.unreachable), err=True)  # once, and not in each row
        for row in rows:
            for column in ("missing", "missing_at_gate"):
                if row[column] == str(log.unreachable):
                    row[column] = "the log does not answer"
    shown = ["product", "topic", "mode", "version", "rows", "waiting", "missing"]
    if any(row["gate"] for row in rows):
        shown += ["gate", "at_gate", "missing_at_gate"]
    print_table(rows, shown)
    for one in (one for found in ended.values() for one in found):
        how = "waits for somebody" if one.somebody_acts else "is to be started again"
        say(f"mesh stream {one.process}: ended {one.at:%Y-%m-%d %H:%M} UTC, {how}: {one.why}")


def _row(environment: Environment, contract: Contract, log: AskedOnce) -> dict[str, Any]:
    from shared_resources.streams.log.port import LogProblem
    from shared_resources.streams.standing import AcceptedGaps, look_at_topic, standing, unread

    at = standing(environment, contract)
    assert contract.stream is not None
    row: dict[str, Any] = {
        "product": contract.key,
        "topic": contract.stream.topic,
        "mode": contract.stream.mode.value,
        "version": at.number or None,
        "rows": at.rows,
        "positions": dict(at.position.positions) if at.position else {},
        "waiting": None,
        "missing": "",
    }
    try:
        topic, gap = log.ask(lambda: look_at_topic(environment, contract, at))
        row["waiting"] = unread(topic, at)
        if gap is not None:
            accepted = AcceptedGaps(environment.state, contract.key).skipped(gap)
            by = f". Accepted by {accepted[0].by}" if accepted else ""
            row["missing"] = f"{gap.why}{by}"
    except LogProblem as problem:
        row["missing"] = str(problem)
    return row | row_of_gate(environment, contract, log)


stream.add_command(live)


def _definition(environment: Environment, product: str) -> ProductDefinition:
    from shared_resources.data_products.definition import define_product
    from shared_resources.data_products.publishing import make_ready
    from shared_resources.governance.stopped import makeable

    contract = stream_contract(environment, product)
    domain, folder = makeable(read_whole_mesh(environment), product)
    make_ready(environment, contract)
    return define_product(environment, domain, folder)
