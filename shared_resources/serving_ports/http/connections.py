"""A connection that waits for no client for ever, and keeps no more than a little of what it says.

Belongs here: how long a request's head may be, and how long it may take.
Does not belong here: where the server listens (`running.py`), how long a path may be (`app.py`).

The parser of uvicorn's connections keeps a head until it is whole, however long that is and takes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SECONDS = 10.0
LONGEST = 64 * 1024
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedConnection(HttpToolsProtocol):
    """Ends when no whole head has come for `SECONDS`, or more than `LONGEST` bytes of one."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._waiting: asyncio.TimerHandle | None = None
        self._begun = False
        self._bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        continued = self._begun
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._begun:
            self._bytes = self._bytes + len(data) if continued else 0
            if self._bytes > LONGEST:
                self.transport.write(_TOO_LONG)
                self.transport.close()
                return
        if self._begun or self.cycle is None or self.cycle.response_complete:
            self._wait()

    def on_message_begin(self) -> None:
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._begun = False
        self._wait_no_more()
        super().on_headers_complete()

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(SECONDS, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
