"""A process that makes a product of its topic until it is killed or told to end (SIGTERM).

    python -m tests.streams.stream_process PRODUCT WHERE

Belongs here: `mesh stream` over a log that the test chose, and a line for each commit.
Does not belong here: what must hold (`tests/guarantees/`).
"""

from __future__ import annotations

import signal
import sys
import uuid

from shared_resources import wiring
from shared_resources.streams.process import StreamProcess
from shared_resources.wiring.local import LocalEnvironment
from tests.guarantees.processes import definition
from tests.streams.log.logs import open_log


def main(product: str, where: str) -> None:
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    log = open_log(where)
    LocalEnvironment.log = property(lambda self: log)  # type: ignore[assignment, method-assign]
    environment = wiring.current()

    def told(committed: object, window: object) -> None:
        print("committed", flush=True)

    process = StreamProcess(
        environment,
        definition(environment, product),
        f"stream-{uuid.uuid4()}",
        lambda: bool(stopped),
        told,
    )
    print("ready", flush=True)
    process.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
