"""`python -m shared_resources.serving.launching FILE`: become the code server that a file describes.

Belongs here: its command and variables. Does not belong here: restarting it (the supervisor does).

A program of its own, because the supervisor's configuration cannot hold every value of a variable.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

from shared_resources.problems import MeshProblem
from shared_resources.serving.programs import Program, Programs

# What belongs to the interpreter that serves, and not to that of the release.
_OF_THIS_INTERPRETER = ("PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "VIRTUAL_ENV")


def command(programs: Programs, program: Program) -> list[str]:
    """`dagster api grpc`: one process, which ends when its code cannot be loaded.

    `dagster code-server start` is a process more around it that stays when the one inside has died, so
    that no supervisor would notice; what it is for, loading changed code, no release does.
    """
    server = program.server
    return [
        str(server.python),
        *("-m", "dagster", "api", "grpc"),
        *("--socket", str(programs.socket(program))),
        *("--module-name", f"domains.{server.domain}.definitions"),
        *("--working-directory", str(server.files)),
        *("--location-name", server.domain),
        "--use-python-environment-entry-point",
    ]


def variables(programs: Programs, program: Program, ours: Mapping[str, str]) -> dict[str, str]:
    """Those of the process that serves, with what differs for the release."""
    server = program.server
    kept = {name: value for name, value in ours.items() if name not in _OF_THIS_INTERPRETER}
    return {
        **kept,
        "PATH": os.pathsep.join([str(server.python.parent), ours.get("PATH", os.defpath)]),
        "MESH_HOME": str(programs.home),
        "MESH_ROOT": str(server.files),
        "DAGSTER_HOME": ours.get("DAGSTER_HOME") or str(programs.home / "dagster"),
        # A server that hangs is told to abort, and its log then says where it hung.
        "PYTHONFAULTHANDLER": "1",
        "PYTHONUNBUFFERED": "1",
        **server.environment,
    }


def main(file: Path) -> None:
    programs = Programs(file.parents[2])
    program = programs.read(file)
    # The end of the one before it may have been too sudden to remove it.
    programs.socket(program).unlink(missing_ok=True)
    os.umask(0o077)
    # A server that is told to abort writes its stack into its log, not its memory onto the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    os.chdir(program.server.files)
    started = command(programs, program)
    print(f"{STARTS} {program.name}", flush=True)
    os.execve(started[0], started, variables(programs, program, os.environ))


STARTS = "mesh: starts"

if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except (MeshProblem, OSError) as problem:
        print(f"mesh: {problem}", file=sys.stderr)
        raise SystemExit(1) from None
