"""Processes of the command line that run until somebody asks for their end.

Belongs here: hearing signals. Does not belong here: what is finished before the end.
"""

from __future__ import annotations

import os
import signal
from types import FrameType


class Stop:
    """Whether somebody asked for the end, or the process `below` which this one is has died. A second
    signal ends it at once, as a kill would."""

    def __init__(self, below: int | None = None) -> None:
        self._asked = False
        self._below = below
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, self._heard)

    def asked(self) -> bool:
        return self._asked or self._below not in (None, os.getppid())

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._asked = True
