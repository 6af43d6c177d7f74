"""`python -m shared_resources.dagster_instance.daemon run …`: Dagster's daemon, which hears of a new
domain within seconds.

Belongs here: reading the workspace again as soon as its file says something else.
Does not belong here: starting and ending the daemon (`serving/`).

Dagster's own reads it once a minute, and until then fails what is launched of a domain that it does not
know. Reading it costs a call of every code server, so that it is not done more often, but when needed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dagster._daemon.cli import main
from dagster._daemon.controller import DagsterDaemonController

_LONG_AGO = 0.0


def read_again_when_changed(workspace: Path) -> None:
    """From now on a daemon of this process reads its workspace again when the file is another."""
    look = DagsterDaemonController.check_workspace_freshness
    seen = [_version(workspace)]

    def look_sooner(self: DagsterDaemonController, last: float) -> float:
        now = _version(workspace)
        if now == seen[0]:
            return look(self, last)
        done = look(self, _LONG_AGO)
        if done != _LONG_AGO:  # else it failed, and is tried again
            seen[0] = now
            return done
        return last

    DagsterDaemonController.check_workspace_freshness = look_sooner  # type: ignore[method-assign]


def _version(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_ino, found.st_mtime_ns


if __name__ == "__main__":
    read_again_when_changed(Path(sys.argv[sys.argv.index("--workspace") + 1]))
    main()
