"""A process that is a product's gate until it is killed or told to end (SIGTERM).

    python -m tests.streams.gate.gate_process PRODUCT WHERE

Belongs here: `mesh stream gate` over a log that the test chose.
Does not belong here: what must hold (`tests/guarantees/`).
"""

from __future__ import annotations

import signal
import sys

from shared_resources import wiring
from shared_resources.streams.gate.process import GateProcess
from shared_resources.wiring.local import LocalEnvironment
from tests.guarantees.processes import definition
from tests.streams.log.logs import open_log


def main(product: str, where: str) -> None:
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    log = open_log(where)
    LocalEnvironment.log = property(lambda self: log)  # type: ignore[assignment, method-assign]
    environment = wiring.current()
    process = GateProcess(environment, definition(environment, product), lambda: bool(stopped))
    print("ready", flush=True)
    process.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
