"""What dbt's server is asked to run in tests of the server itself: no dbt, which takes seconds.

`main` does what its first argument names, as a process that was started for it would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path


def main() -> None:
    what, *arguments = sys.argv[1:]
    match what:
        case "tell":
            told = {
                "variables": dict(os.environ),
                "folder": str(Path.cwd()),
                "arguments": sys.argv,
                "group": os.getpgid(0),
                "process": os.getpid(),
                "input": sys.stdin.read(),
                "threads": threading.active_count(),
                "zone": time.tzname[0],
                "imported": [name for name in ("colorsys", "this") if name in sys.modules],
            }
            print(json.dumps(told))
        case "end":
            print("to the error stream", file=sys.stderr)
            sys.exit(int(arguments[0]))
        case "return":
            return
        case "raise":
            raise ValueError(*arguments)
        case "die":
            os.kill(os.getpid(), int(arguments[0]))
        case "hang":
            # A process of its own, too, which only the end of its group ends.
            nowhere = subprocess.DEVNULL
            started = subprocess.Popen(["sleep", "600"], stdout=nowhere, stderr=nowhere)
            Path(arguments[0]).write_text(f"{os.getpid()} {started.pid}\n")
            time.sleep(600)
        case _:
            raise AssertionError(what)
