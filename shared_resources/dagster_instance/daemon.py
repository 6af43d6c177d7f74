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

from shared_resources.dagster_instance.heard import heard_file
from shared_resources.state.whole_file import write_whole

_LONG_AGO = 0.0


def read_again_when_changed(workspace: Path) -> None:
    """From now on a daemon of this process reads its workspace again when the file is another.

    What it has read lies beside the file then, as `heard_file` says: whoever changed it can wait.
    """
    look = DagsterDaemonController.check_workspace_freshness
    heard = heard_file(workspace)
    heard.unlink(missing_ok=True)  # it may be of a daemon before

    def look_sooner(self: DagsterDaemonController, last: float) -> float:
        text = workspace.read_bytes()
        if heard.exists() and heard.read_bytes() == text:
            return look(self, last)
        done = look(self, _LONG_AGO)
        if done == _LONG_AGO:  # it failed, and is tried again
            return last
        write_whole(heard, text)
        return done

    setattr(DagsterDaemonController, "check_workspace_freshness", look_sooner)  # noqa: B010


if __name__ == "__main__":
    read_again_when_changed(Path(sys.argv[sys.argv.index("--workspace") + 1]))
    main()
