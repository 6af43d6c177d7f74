"""`mesh stream gate`: pass messages that keep their contract on to consumers, for as long as it runs.

Belongs here: the command, what it says of the contract at its start, the gate's part of
`mesh stream list` and `skip`. Does not belong here: the process itself (the room `streams/gate/`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from shared_resources import wiring
from shared_resources.cli.commands.arriving.stream_contract import stream_contract
from shared_resources.cli.output import say
from shared_resources.cli.stopping import Stop
from shared_resources.cli.tables import print_json
from shared_resources.cli.user import user
from shared_resources.confinement.guard import platform_variables
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.mesh import read_whole_mesh

if TYPE_CHECKING:
    from shared_resources.data_products.definition import ProductDefinition
    from shared_resources.streams.gate.clauses import Held
    from shared_resources.streams.gate.letters import Letters
    from shared_resources.streams.log.asked_once import AskedOnce

_TELL_SECONDS = 10.0


@click.command(epilog="Example: mesh stream gate order/purchases")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option("--until-empty", is_flag=True, help="End when what the topic holds now is passed.")
@click.option("--clauses", "only_clauses", is_flag=True, help="Say what it holds, and end.")
@click.option("--below", type=int, hidden=True, help="End with the process of this number.")
@click.option("--json", "as_json", is_flag=True, help="With --clauses: print them as JSON.")
def gate(
    product: str, until_empty: bool, only_clauses: bool, below: int | None, as_json: bool
) -> None:
    """Pass messages that keep the contract on to the topic `gate`, the others to `deadLetters`.

    It runs in the foreground beside `mesh stream DOMAIN/PRODUCT`, which it does not need; any number of
    processes share a topic's partitions. SIGTERM or Ctrl-C ends it. Exit 2 when messages are gone that
    were not read. Where the gate has `engine: flink`, a job passes messages on (`mesh stream job`), and
    this decides beside it on those that the job could not.
    """
    from shared_resources.streams.gate.clauses import clauses
    from shared_resources.streams.kept_up.endings import to_go_on
    from shared_resources.streams.row_rules.messages import MessageRules

    if as_json and not only_clauses:
        raise click.UsageError("--json goes with --clauses")
    environment = wiring.current()
    if only_clauses:
        definition = _definition(environment, product)
        _say_clauses(clauses(MessageRules(definition.contract, definition.rules)), as_json=as_json)
        return
    if isinstance(environment, wiring.BranchEnvironment):
        raise click.UsageError("a branch passes nothing on: the gate's topic is production's")
    with nullcontext() if until_empty else to_go_on(environment.state, f"gate {product}"):
        _pass_on(environment, _definition(environment, product), Stop(below), until_empty)


def _definition(environment: Environment, product: str) -> ProductDefinition:
    from shared_resources.data_products.definition import define_product
    from shared_resources.governance.stopped import makeable

    _check_gate(stream_contract(environment, product))
    domain, folder = makeable(read_whole_mesh(environment), product)
    return define_product(environment, domain, folder)


def _pass_on(
    environment: Environment, definition: ProductDefinition, stop: Stop, until_empty: bool
) -> None:
    from shared_resources.streams.decoding.decoders import unfit_writers
    from shared_resources.streams.gate.clauses import clauses
    from shared_resources.streams.gate.process import GateProcess
    from shared_resources.streams.gate.standing import gate_standing
    from shared_resources.streams.gate.undecided import has_job, note_the_job, of_undecided

    contract, product = definition.contract, definition.key
    telling = _Telling(product)
    process = GateProcess(
        environment,
        of_undecided(definition) if has_job(contract) else definition,
        stop.asked,
        telling.told,
        lambda why: say(f"{product}: begins again: {why}", err=True),
        partial(note_the_job, environment, contract),
    )
    contract = process.definition.contract
    at = gate_standing(environment, contract)
    for said in unfit_writers(contract, platform_variables()):
        say(f"{product}: {said}", err=True)
    _say_topics(contract, at.topic.partitions)
    _say_clauses(clauses(process.rules))
    try:
        process.run(until=at.topic.ends if until_empty else None)
    finally:
        telling.tell()


def _say_topics(contract: Contract, partitions: int) -> None:
    product, stream = contract.key, contract.stream
    assert stream is not None and stream.gate is not None
    say(
        f"{product}: passes {stream.topic} ({partitions} partitions) on to {stream.gate.topic}, "
        f"{stream.gate.delivery.value}, as process {os.getpid()}"
    )
    if stream.dead_letters:
        say(f"{product}: what does not keep the contract goes to {stream.dead_letters}")
    else:
        say(
            f"{product}: what does not keep the contract is counted, and goes nowhere: there are no "
            f"`deadLetters`. Where `mesh stream {product}` runs, too, it is in quarantine"
        )


def skip_at_gate(environment: Environment, contract: Contract, reason: str) -> None:
    from shared_resources.streams.gate.standing import accepted_gaps, gate_standing
    from shared_resources.streams.gate.undecided import has_job, undecided

    _check_gate(contract)
    whole = True
    for one in (contract, undecided(contract)) if has_job(contract) else (contract,):
        gap = gate_standing(environment, one).gap
        if gap is not None:
            whole = False
            accepted_gaps(environment, one).accept(gap, user(), reason)
            say(f"{gap.why}. Accepted by {user()}: start the gate again")
    if whole:
        say(f"{contract.key}: nothing is missing at its gate")


def row_of_gate(environment: Environment, contract: Contract, log: AskedOnce) -> dict[str, Any]:
    """What `mesh stream list` tells of it; None each where there is none."""
    from shared_resources.streams.gate.standing import accepted_gaps, gate_standing
    from shared_resources.streams.gate.undecided import has_job
    from shared_resources.streams.log.port import LogProblem

    row: dict[str, Any] = dict.fromkeys(("gate", "dead_letters", "delivery", "at_gate", "passed"))
    row |= {"rejected_at_gate": None, "missing_at_gate": ""}
    stream = contract.stream
    if stream is None or stream.gate is None:
        return row
    row["gate"], row["delivery"] = stream.gate.topic, stream.gate.delivery.value
    row["dead_letters"] = stream.dead_letters or None
    try:
        at = log.ask(lambda: gate_standing(environment, contract))
    except LogProblem as problem:
        return row | {"missing_at_gate": str(problem)}
    row["at_gate"] = at.waiting
    if not has_job(contract):  # which counts nothing
        row["passed"] = sum(note.passed for note in at.notes.values())
        row["rejected_at_gate"] = sum(note.rejected for note in at.notes.values())
    if at.gap is not None:
        accepted = accepted_gaps(environment, contract).skipped(at.gap)
        by = f". Accepted by {accepted[0].by}" if accepted else ""
        row["missing_at_gate"] = f"{at.gap.why}{by}"
    return row


def _check_gate(contract: Contract) -> None:
    assert contract.stream is not None, "`stream_contract` refuses these"
    if contract.stream.gate is None:
        raise click.UsageError(
            f"{contract.key} has no gate: give `stream` in {contract.path} a `gate: {{topic: …}}`"
        )


def _say_clauses(found: Sequence[Held], *, as_json: bool = False) -> None:
    if as_json:
        print_json([{"clause": one.name, "held": one.held, "why": one.why} for one in found])
        return
    say("held on each message: " + ", ".join(one.name for one in found if one.held))
    for one in found:
        if not one.held:
            say(f"not held here: {one.name}: {one.why}")


class _Telling:
    """A line once in a while, and not one for each of a hundred transactions a second."""

    def __init__(self, product: str) -> None:
        self._product = product
        self._passed = self._rejected = self._left_out = 0
        self._due = time.monotonic() + _TELL_SECONDS

    def told(self, letters: Letters) -> None:
        self._passed += letters.passed.num_rows
        self._rejected += letters.dead.num_rows
        self._left_out += letters.left_out
        if time.monotonic() >= self._due:
            self.tell()

    def tell(self) -> None:
        self._due = time.monotonic() + _TELL_SECONDS
        if not self._passed + self._rejected + self._left_out:
            return
        without = f", {self._left_out:,} without a value" if self._left_out else ""
        say(f"{self._product}: {self._passed:,} passed, {self._rejected:,} rejected{without}")
        self._passed = self._rejected = self._left_out = 0
