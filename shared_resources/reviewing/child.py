"""A child process of a review: it ends with its patience, and with whoever started it.

Belongs here: starting one, waiting for it, ending it with all that it started.
Does not belong here: what runs in it (`domain_tests.py`, `trials.py`).
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LONGEST = 20_000


@dataclass(frozen=True)
class Ended:
    """`code` is the exit code, minus the signal that ended it, or None when its time was over."""

    code: int | None
    said: str

    @property
    def how(self) -> str:
        if self.code is None:
            return "was ended after its time was over"
        if self.code < 0:
            with suppress(ValueError):
                return f"was ended by {signal.Signals(-self.code).name}"
        return f"ended with {self.code}"


def run_child(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    patience: float,
    given: str = "",
) -> Ended:
    """Run it to its end, or for `patience` seconds. `given` is its standard input, which stays open
    until then, so that it can tell when this process has died.

    What it prints is kept from the terminal, the last of it in `said`: it is a domain's own text.
    """
    with (folder / "said").open("w+b") as said:
        process = subprocess.Popen(
            list(command),
            env=dict(variables),
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=variables.get("MESH_ROOT"),
        )
        assert process.stdin is not None
        code: int | None
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(given.encode() + b"\n")
                process.stdin.flush()
            code = process.wait(patience)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
            with suppress(BrokenPipeError):
                process.stdin.close()
        said.seek(max(0, said.seek(0, os.SEEK_END) - _LONGEST))
        return Ended(code, said.read().decode("utf-8", "replace"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of it: what a test or a product started, too."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
