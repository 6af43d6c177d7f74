"""The one fork server of a test process: it makes children in milliseconds, and has no threads.

Belongs here: what it has imported by then. Does not belong here: what children do (`workers.py`,
`processes.py` beside the tests).

A test process is full of threads of other tests, and a child that is forked from it may wait for ever
for a lock that one of them held: only tests whose subject is a fork do that.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext

# Modules that are missing here are imported by each child, for a second or more.
_PRELOADED = (
    "shared_resources.io_managers.lake.files_s3",
    "shared_resources.production.aws_resources",
    "tests.guarantees.processes",
    "tests.housekeeping.workers",
    "tests.io_managers.workers",
)


def forkserver() -> ForkServerContext:
    """Children have the environment variables of the time when the first of them was started."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    return context
