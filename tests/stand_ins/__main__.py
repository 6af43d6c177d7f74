"""`python -m tests.stand_ins [--home DIR] -- COMMAND…`: a command in an empty production environment.

Belongs here: the command line. Does not belong here: the servers (`servers.py`).

Starts the stand-ins, or with `--streams` a real Kafka and Cassandra for a local mesh, runs the command
with the variables that lead to them, stops the stand-ins and ends as the command ended. No variable of a
real account reaches the command.

    python -m tests.stand_ins -- sh -c 'python -m domains.source_systems && mesh run && mesh status'
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from tests.stand_ins.servers import running_stand_ins
from tests.stand_ins.streams import lacks, running_streams

HOME = Path(__file__).resolve().parents[2] / ".mesh" / "production"
MARK = ".stand-ins"
_FOREIGN = ("AWS_", "SNOWFLAKE_", "MESH_", "DAGSTER_HOME", "PRIVATE_KEY_", "KAFKA_", "SCHEMA_REG")
_KEPT = ("MESH_ROOT", "MESH_DEBUG")
# Profiles and connections of the machine's owner are none of the stand-ins' business either.
_NO_FILES = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the command's exit code, 128 + n when signal n ended it, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="python -m tests.stand_ins", description=__doc__)
    parser.add_argument(
        "--home", type=Path, default=HOME, help="MESH_HOME, emptied first (default: %(default)s)"
    )
    parser.add_argument(
        "--streams",
        action="store_true",
        help="a real Kafka and Cassandra in place of the stand-ins",
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    options = parser.parse_args(arguments)
    if options.streams and (why := lacks()):
        print(why, file=sys.stderr)
        return 2
    home = options.home.resolve()
    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home.with_name(f".{home.name}.lock"), blocking=False):
            _empty(home)
            return _run(options.command, home, streams=options.streams)
    except FileExistsError as problem:
        print(problem, file=sys.stderr)
    except Timeout:
        print(f"{home} is in use by other stand-ins; give another --home", file=sys.stderr)
    return 2


def _run(words: Sequence[str], home: Path, *, streams: bool) -> int:
    _forget_accounts()
    command = _Command(words)
    with command.hearing_signals(), _streams() if streams else _accounts() as leads:
        return command.run({**os.environ, **leads, **_NO_FILES, "MESH_HOME": str(home)})


@contextmanager
def _accounts() -> Iterator[Mapping[str, str]]:
    with running_stand_ins() as servers:
        yield servers.fresh()


@contextmanager
def _streams() -> Iterator[Mapping[str, str]]:
    print("starting Kafka and Cassandra …", file=sys.stderr)
    with running_streams() as variables:
        yield variables


def _empty(home: Path) -> None:
    """Forget what earlier stand-ins left: their buckets and databases are no more.

    Raises `FileExistsError` for a folder that holds anything else.
    """
    if home.exists() and any(home.iterdir()) and not (home / MARK).exists():
        raise FileExistsError(f"{home} is not empty and not of the stand-ins; give another --home")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / MARK).touch()


def _forget_accounts() -> None:
    for name in list(os.environ):
        if name.startswith(_FOREIGN) and name not in _KEPT:
            del os.environ[name]


class _Command:
    """The command as a process. A signal to this process is passed on; the servers outlive it."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, variables: Mapping[str, str]) -> int:
        try:
            self._process = subprocess.Popen(self._command, env=variables)
        except FileNotFoundError:
            print(f"{self._command[0]}: there is no such command", file=sys.stderr)
            return 127
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    @contextmanager
    def hearing_signals(self) -> Iterator[None]:
        numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
        before = {number: signal.signal(number, self._hear) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._process is None:
            raise SystemExit(128 + number)  # stops what has started
        # A terminal tells the command of Ctrl-C itself.
        if number != signal.SIGINT or not sys.stdin.isatty():
            self._process.send_signal(number)


if __name__ == "__main__":
    sys.exit(main())
