"""`mesh stream job`: the job of Flink's that decodes a stream.

Belongs here: the command. Does not belong here: what the job is (`streams/flink/`), the process that
publishes what it has read (`stream.py`), the one of the gate beside (`gate.py`).
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared_resources import wiring
from shared_resources.cli.commands.arriving.stream_contract import stream_contract
from shared_resources.cli.output import say
from shared_resources.confinement.guard import platform_variables
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.mesh import read_whole_mesh
from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    from shared_resources.streams.flink.gate_sql import JobGate

FLINK = "MESH_FLINK"


@click.command(epilog="Example: mesh stream job order/purchases --print")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option("--print", "only_print", is_flag=True, help="Print its SQL, and begin nothing.")
@click.option(
    "--set",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of Flink's, as parallelism.default=8; repeatable.",
)
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    default=24.0,
    show_default=True,
    help="End after so long, to be begun anew: what it has staged becomes small again.",
)
def job(product: str, only_print: bool, options: tuple[str, ...], hours: float) -> None:
    """Run the job that decodes the product's messages, for a contract with `engine: flink`; where its
    gate has that engine, too, the job passes messages on.

    It begins at the position of what is published and stages what it reads; `mesh stream DOMAIN/PRODUCT`
    beside it compares that with the log, audits it and publishes. MESH_FLINK is the Python of Flink's own
    environment (`make flink`). It runs in the foreground until it is stopped; begun again, it drops what
    the one before had staged and nobody has taken. What that had written to a gate and not committed, is
    committed first.
    """
    from shared_resources.streams.flink.generations import begin, plan, staging_of
    from shared_resources.streams.flink.running_job import command, environment_of
    from shared_resources.streams.flink.verdict_sql import job_rules
    from shared_resources.streams.gate.undecided import has_job

    for option in options:
        if "=" not in option:
            raise click.BadParameter(f"{option!r} is not KEY=VALUE", param_hint="--set")
    environment = wiring.current()
    contract = stream_contract(environment, product)
    at_gate = has_job(contract)
    if only_print:
        gate = _gate(environment, contract) if at_gate else None
        _, sql = plan(environment, contract, staging_of(environment, contract) / "GENERATION", gate)
        say(sql)
        return
    variables = platform_variables()
    python = variables.get(FLINK, "")
    if not Path(python).is_file():
        raise click.UsageError(
            f"{FLINK} must be the path of the Python of Flink's environment, as "
            f"/opt/flink/bin/python; `make flink` makes one. It is {python or 'not set'}"
        )
    gate = None
    if at_gate:
        _alone(environment, contract)
        _end_the_one_before(environment, contract, python)
        gate = _gate(environment, contract, make=True)
    generation = begin(environment, contract, gate, options)
    say(f"{product}: stages in {generation.folder}, as process {os.getpid()}")
    for name, why in job_rules(contract).left:
        say(f"{product}: {name} is left to the audit: {why}")
    if at_gate:
        say(f"{product}: passes messages on; `mesh stream gate {product}` decides what it cannot")
    # This process becomes the job: who stops it, stops it.
    os.execve(python, command(python, generation, options, hours), environment_of(variables))


def _gate(environment: Environment, contract: Contract, *, make: bool = False) -> JobGate:
    from shared_resources.data_products.definition import define_product
    from shared_resources.governance.stopped import makeable
    from shared_resources.streams.flink.ending import job_gate, make_topics
    from shared_resources.streams.flink.generations import current

    if isinstance(environment, wiring.BranchEnvironment):
        raise click.UsageError("a branch passes nothing on: the gate's topic is production's")
    domain, folder = makeable(read_whole_mesh(environment), contract.key)
    rules = define_product(environment, domain, folder).rules
    gate = job_gate(environment, contract, rules, current(environment, contract))
    if make:
        make_topics(environment, contract, len(gate.begins))
    return gate


def _alone(environment: Environment, contract: Contract) -> None:
    """Of two jobs that pass messages on, one would end what the other is about. The lock is the
    process's, and goes with it."""
    from shared_resources.streams.flink.generations import staging_of

    root = staging_of(environment, contract)
    root.mkdir(parents=True, exist_ok=True)
    lock = os.open(root / "running", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise click.UsageError(f"a job of {contract.key} runs already: end it first") from None
    os.set_inheritable(lock, True)


def _end_the_one_before(environment: Environment, contract: Contract, python: str) -> None:
    from shared_resources.streams.flink.ending import mark_ended, out_of_time, to_be_ended
    from shared_resources.streams.flink.generations import current
    from shared_resources.streams.flink.running_job import ending_command, environment_of

    old = current(environment, contract)
    checkpoint = to_be_ended(old)
    if old is None or checkpoint is None:
        return
    say(f"{contract.key}: commits what the job before had written, from {checkpoint}")
    if out_of_time(checkpoint):
        say(
            f"{contract.key}: that job stood still for longer than Kafka keeps what is not committed: of "
            "the messages of its last checkpoint some may be missing in the topics of the gate",
            err=True,
        )
    command = ending_command(python, old, checkpoint)
    done = subprocess.run(command, env=environment_of(platform_variables()))
    if done.returncode:
        raise MeshProblem(
            f"{contract.key}: what the job before had written was not committed (see above). Nothing was "
            f"begun, and the same is tried again by `mesh stream job {contract.key}`"
        )
    mark_ended(old)
