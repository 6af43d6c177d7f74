"""`mesh stream live`: served rows of a product follow a stream's messages, for as long as it runs.

Belongs here: the command. Does not belong here: the process itself (the room `streams/live/`).
"""

from __future__ import annotations

from contextlib import nullcontext

import click

from shared_resources.cli.branch_option import outside_branches
from shared_resources.cli.output import say
from shared_resources.cli.stopping import Stop
from shared_resources.environment import Environment
from shared_resources.mesh import read_whole_mesh
from shared_resources.running.selection import product_folder


@click.command(epilog="Example: mesh stream live recommendation/next_products")
@click.argument("product", metavar="DOMAIN/PRODUCT")
@click.option("--until-empty", is_flag=True, help="End when the rows are level with the topic now.")
@click.option("--below", type=int, hidden=True, help="End with the process of this number.")
def live(product: str, until_empty: bool, below: int | None) -> None:
    """Let the rows that a product serves by its key follow a stream, between its versions.

    The product's `@live` class says how a message changes a row. Runs in the foreground; one process a
    product is at work, a second one waits for it. SIGTERM or Ctrl-C ends it; whoever comes next goes on.
    """
    from shared_resources.streams.kept_up.endings import to_go_on

    environment = outside_branches("nobody reads from one")
    with nullcontext() if until_empty else to_go_on(environment.state, f"live {product}"):
        _live(environment, product, Stop(below), until_empty)


def _live(environment: Environment, product: str, stop: Stop, until_empty: bool) -> None:
    from shared_resources.data_products.definition import define_product
    from shared_resources.governance.stopped import makeable
    from shared_resources.streams.live.granted import stream_followed
    from shared_resources.streams.live.process import LiveProcess

    product_folder(environment, product)  # says which product may be meant, where there is none
    domain, folder = makeable(read_whole_mesh(environment), product)
    definition = define_product(environment, domain, folder)
    until = None
    if until_empty and definition.live is not None:
        _, stream = stream_followed(environment, definition.live.of)
        topic = environment.log.topic(stream.topic)
        if topic is None:
            raise click.UsageError(
                f"there is no topic {stream.topic!r} in {environment.log} yet, and nothing to be level "
                "with; without --until-empty the process waits for it"
            )
        until = topic.ends
    LiveProcess(environment, definition, stop.asked, say).run(until)
