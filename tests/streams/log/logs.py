"""The logs that the conformance suite runs over, and processes that read and write them.

Belongs here: opening each by a word that another process can be given; a child that is killed or stopped.
Does not belong here: what they are asked (`test_conformance.py`, `test_processes.py`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.streams.log.embedded.log import EmbeddedLog
from shared_resources.streams.log.port import Log

SESSION_SECONDS = 2.0
_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Place:
    """`where` is `embedded:FOLDER` or `kafka:HOST:PORT`; `topic` is a name that nobody else uses."""

    where: str
    topic: str
    opened: list[Any] = field(default_factory=list)

    @property
    def is_kafka(self) -> bool:
        return self.where.startswith("kafka:")

    def open(self, session_seconds: float = SESSION_SECONDS) -> Log:
        """What is read and written with by it is closed at the test's end (`close`)."""
        log: Any = open_log(self.where, session_seconds)
        for what in ("reader", "writer"):
            setattr(log, what, self._keeping(getattr(log, what)))
        opened: Log = log
        return opened

    def close(self) -> None:
        """A client that is forgotten goes on asking a broker that is not there any more."""
        for one in reversed(self.opened):
            with suppress(Exception):
                one.close()

    def _keeping(self, make: Callable[..., Any]) -> Callable[..., Any]:
        def kept(*arguments: Any) -> Any:
            self.opened.append(make(*arguments))
            return self.opened[-1]

        return kept

    def child(self, what: str, *arguments: str) -> Child:
        """`what` is a function of `children.py`."""
        return Child(what, self.where, self.topic, *arguments)


def open_log(where: str, session_seconds: float = SESSION_SECONDS) -> Log:
    kind, _, at = where.partition(":")
    if kind == "embedded":
        return EmbeddedLog(Path(at), session_seconds)
    from shared_resources.streams.log.kafka.log import KafkaLog

    return KafkaLog(KafkaSettings(at), session_seconds)


class Child:
    """A process that works on the log, and says each step in a line of JSON."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.streams.log.children", *arguments]
        self.process = subprocess.Popen(
            command, cwd=_ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
        )

    def hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the child has ended"
        return json.loads(line)

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def send(self, what: signal.Signals) -> None:
        os.kill(self.process.pid, what)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
