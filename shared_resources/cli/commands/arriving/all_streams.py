"""`mesh stream --all`: a process for each product that is made of a topic.

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
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.governance.stopped import stopped_products, why_resting
from shared_resources.mesh import read_whole_mesh
from shared_resources.streams.kept_up.keeper import Keeper, Wanted

# The `mesh` of this interpreter, wherever its script may lie.
_MESH = "from shared_resources.cli.main import main; main()"


def keep_all_up(stopping: Callable[[], bool]) -> None:
    """Until `stopping`, or until none is left that can go on. Ends with 1 when one ended in trouble."""
    environment = wiring.current()
    contracts = list(_streams(environment))
    if not contracts:
        say("no product of this mesh is made of a topic")
        return
    say(f"keeps up, as process {os.getpid()}: {', '.join(one.key for one in contracts)}")
    wanted = [
        Wanted(one.key, _command(one), partial(_lacks, environment, one)) for one in contracts
    ]
    if not Keeper(stopping, partial(say, err=True)).keep(wanted):
        sys.exit(1)


def _streams(environment: Environment) -> Iterator[Contract]:
    """Of the domains that are here; one that may not be made is said, and left out."""
    mesh = read_whole_mesh(environment)
    for domain in mesh.domains:
        stopped = stopped_products(mesh, domain)
        for product, contract in domain.contracts:
            if contract.stream is None:
                continue
            if why := stopped.get(product.key) or why_resting(contract):
                say(f"{product.key}: is not made: {why}", err=True)
                continue
            yield contract


def _command(contract: Contract) -> list[str]:
    named = ["stream", "run", contract.key, "--below", str(os.getpid())]
    return [sys.executable, "-P", "-c", _MESH, *named]


def _lacks(environment: Environment, contract: Contract) -> str:
    assert contract.stream is not None
    if environment.log.topic(contract.stream.topic) is not None:
        return ""
    return f"waits for the topic {contract.stream.topic}, which is not in {environment.log} yet"
