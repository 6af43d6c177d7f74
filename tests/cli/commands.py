"""Calling `mesh` in tests: in this process for its variants, in one of its own for how it ends.

Belongs here: the two ways of calling, and the meshes that several commands' tests look at.
Does not belong here: what a command must say (the tests).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from shared_resources.cli.main import main

MESH = Path(sys.executable).with_name("mesh")


@dataclass(frozen=True)
class Called:
    """What a call printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must hold JSON and nothing else."""
        return json.loads(self.out)

    def refused(self, *fragments: str, code: int = 2) -> None:
        """It ended with `code`, nothing on standard output, and one message with all `fragments`."""
        assert self.code == code, self
        assert self.out == ""
        readable(self.err)
        for fragment in fragments:
            assert fragment in self.err, self.err


def readable(text: str) -> None:
    """No traceback, and no name of an exception that a person could do nothing with."""
    assert "Traceback" not in text and "MESH_DEBUG" not in text, text
    assert text.strip()


def call(*arguments: object) -> Called:
    """`mesh` in this process, its handling of errors included."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            return Called(int(end.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("main() returned")


def start(*arguments: object, seconds: float = 300, **variables: str) -> Called:
    """`mesh` as a person starts it, in the mesh that this process's environment points at."""
    done = subprocess.run(
        [MESH, *map(str, arguments)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    return Called(done.returncode, done.stdout, done.stderr)


def states(called: Called) -> dict[str, str]:
    """Each product of `mesh run --json` and what became of it."""
    return {key: entry["state"] for key, entry in called.json["products"].items()}


def interrupt_when(file: Path, *arguments: object) -> Called:
    """Start `mesh`, send it SIGINT as soon as `file` exists, and wait until it has ended."""
    with heeding_interrupts():
        process = subprocess.Popen(
            [MESH, *map(str, arguments)],
            env=dict(os.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    deadline = time.monotonic() + 120
    while not file.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return Called(process.returncode, out, err)


@contextlib.contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Tests that a shell runs in the background ignore SIGINT, and so would what they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def processes_of(home: Path, within: float = 20.0) -> list[psutil.Process]:
    """The processes that still work for the mesh at `home`, `within` seconds after it ended."""
    deadline = time.monotonic() + within
    while True:
        left = [one for one in psutil.process_iter() if _home_of(one) == str(home)]
        left = [one for one in left if one.pid != os.getpid()]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def _home_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("MESH_HOME")
    except psutil.Error:
        return None
