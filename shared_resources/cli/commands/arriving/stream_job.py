"""`mesh stream job`: the job of Flink's that decodes a stream.

Belongs here: the command. Does not belong here: what the job is (`streams/flink/`), the process that
publishes what it has read (`stream.py`).
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from shared_resources import wiring
from shared_resources.cli.commands.arriving.stream_contract import stream_contract
from shared_resources.cli.output import say
from shared_resources.confinement.guard import platform_variables

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
    """Run the job that decodes the product's messages, for a contract with `engine: flink`.

    It begins at the position of what is published and stages what it reads; `mesh stream DOMAIN/PRODUCT`
    beside it compares that with the log, audits it and publishes. MESH_FLINK is the Python of Flink's own
    environment (`make flink`). It runs in the foreground until it is stopped; begun again, it drops what
    the one before had staged and nobody has taken.
    """
    from shared_resources.streams.flink.generations import begin, plan, staging_of
    from shared_resources.streams.flink.running_job import command, environment_of
    from shared_resources.streams.flink.verdict_sql import job_rules

    for option in options:
        if "=" not in option:
            raise click.BadParameter(f"{option!r} is not KEY=VALUE", param_hint="--set")
    environment = wiring.current()
    contract = stream_contract(environment, product)
    if only_print:
        _, sql = plan(environment, contract, staging_of(environment, contract) / "GENERATION")
        say(sql)
        return
    variables = platform_variables()
    python = variables.get(FLINK, "")
    if not Path(python).is_file():
        raise click.UsageError(
            f"{FLINK} must be the path of the Python of Flink's environment, as "
            f"/opt/flink/bin/python; `make flink` makes one. It is {python or 'not set'}"
        )
    generation = begin(environment, contract)
    say(f"{product}: stages in {generation.folder}, as process {os.getpid()}")
    for name, why in job_rules(contract).left:
        say(f"{product}: {name} is left to the audit: {why}")
    # This process becomes the job: who stops it, stops it.
    os.execve(python, command(python, generation, options, hours), environment_of(variables))
