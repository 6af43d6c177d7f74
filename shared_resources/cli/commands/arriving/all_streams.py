"""`mesh stream --all`: a process for each stream, for its gate, for each product whose rows follow one.

Belongs here: which products, their command, and what one still waits for.
Does not belong here: keeping processes up (`streams/kept_up/`), what one does (`stream.py`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial

from shared_resources import wiring
from shared_resources.cli.output import say
from shared_resources.environment import Environment
from shared_resources.governance.stopped import stopped_products, why_resting
from shared_resources.mesh import Domain, Mesh, read_whole_mesh
from shared_resources.streams.kept_up.keeper import Keeper, Wanted

# The `mesh` of this interpreter, wherever its script may lie.
_MESH = "from shared_resources.cli.main import main; main()"


def keep_all_up(stopping: Callable[[], bool]) -> None:
    """Until `stopping`, or until all were told to end. Ends with 1 while one waits for somebody."""
    environment = wiring.current()
    mesh = read_whole_mesh(environment)
    wanted = [one for domain in mesh.domains for one in _of_domain(environment, mesh, domain)]
    if not wanted:
        say("no product of this mesh is made of a topic")
        return
    say(f"keeps up, as process {os.getpid()}: {', '.join(one.name for one in wanted)}")
    if not Keeper(stopping, partial(say, err=True)).keep(wanted):
        sys.exit(1)


def _of_domain(environment: Environment, mesh: Mesh, domain: Domain) -> Iterator[Wanted]:
    """Its streams with their gates, and what follows; what may not be made is said, and left out."""
    stopped = stopped_products(mesh, domain)
    for product, contract in domain.contracts:
        if contract.stream is None and contract.serving is None:
            continue
        if why := stopped.get(product.key) or why_resting(contract):
            say(f"{product.key}: is not made: {why}", err=True)
        elif contract.stream is not None:
            lacks = partial(_lacks, environment, contract.stream.topic)
            yield Wanted(product.key, _command("run", product.key), lacks)
            if (gate := contract.stream.gate) is not None:
                if gate.undecided:  # which a job makes
                    lacks = partial(_lacks, environment, gate.undecided)
                yield Wanted(f"gate {product.key}", _command("gate", product.key), lacks)
        elif product.followed:
            yield Wanted(f"live {product.key}", _command("live", product.key))


def _command(what: str, product: str) -> list[str]:
    named = ["stream", what, product, "--below", str(os.getpid())]
    return [sys.executable, "-P", "-c", _MESH, *named]


def _lacks(environment: Environment, topic: str) -> str:
    if environment.log.topic(topic) is not None:
        return ""
    return f"waits for the topic {topic}, which is not in {environment.log} yet"
