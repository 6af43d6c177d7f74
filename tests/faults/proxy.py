"""A proxy between the clients and the stand-ins, which makes requests fail as networks do.

Belongs here: passing requests on, and injecting what a plan chooses. Does not belong here: the
choice (`plans.py`), what a failing service says (`kinds.py`).

It stands in the place of the endpoints: clients are led to it by `AWS_ENDPOINT_URL` and
`SNOWFLAKE_HOST`/`SNOWFLAKE_PORT`, and it keeps their `Host`, so that URLs that a server hands out
lead to it too.

Snowflake does what its stand-in does not, and the proxy does it instead: a session that has expired
stays so, and what a vanished client left open is ended (`end_sessions`).
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.faults.kinds import REFUSED, Answer, Kind, refusal
from tests.faults.plans import NoFaults, Plan
from tests.faults.requests import Request, Service, aws_service
from tests.stand_ins import StandIns

HOLDING_SECONDS = 7  # Snowflake's connector waits ten minutes for the answer to an upload
_HOP_BY_HOP = ("connection", "expect", "transfer-encoding", "content-length", "keep-alive")
_CHECKSUMS = ("x-amz-checksum-", "content-md5", "x-amz-trailer")


@dataclass(frozen=True)
class Injected:
    kind: Kind
    operation: str
    target: str


@dataclass
class Proxy:
    """Running. `plan` may be changed at any time; `requests` (operations) and `injected` grow."""

    stand_ins: StandIns
    aws_port: int = 0
    snowflake_port: int = 0
    plan: Plan = field(default_factory=NoFaults)
    requests: list[str] = field(default_factory=list)
    injected: list[Injected] = field(default_factory=list)
    _sessions: set[str] = field(default_factory=set)
    _expired: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoints(self) -> dict[str, str]:
        """The variables that lead a process through the proxy."""
        through = StandIns(self.aws_port, self.snowflake_port)
        return through.endpoints

    @contextlib.contextmanager
    def following(self, plan: Plan) -> Iterator[None]:
        before, self.plan = self.plan, plan
        try:
            yield
        finally:
            self.plan = before

    def end_sessions(self) -> None:
        """End every Snowflake session, as Snowflake does when clients have vanished.

        Open transactions are rolled back. Snowflake takes some minutes for that; nobody waits here.
        """
        with self._lock:
            tokens, self._sessions = self._sessions, set()
        connection = http.client.HTTPConnection("127.0.0.1", self.stand_ins.snowflake_port)
        for token in tokens:
            headers = {"Authorization": token, "Content-Length": "0"}
            connection.request("POST", "/session?delete=true", headers=headers)
            connection.getresponse().read()
        connection.close()

    def choose(self, request: Request) -> Kind | None:
        """Record the request, and what becomes of it."""
        with self._lock:
            self.requests.append(request.operation)
            token = request.headers.get("authorization", "")
            if token in self._expired:
                return Kind.EXPIRED
            if request.sql:
                self._sessions.add(token)
            kind = self.plan.choose(request)
            if kind is None:
                return None
            self.injected.append(Injected(kind, request.operation, request.target))
            if kind is Kind.EXPIRED and request.sql:
                self._expired.add(token)
            return kind


@contextlib.contextmanager
def running_proxy(stand_ins: StandIns) -> Iterator[Proxy]:
    """A proxy before each of the two servers, in threads of this process."""
    proxy = Proxy(stand_ins)
    servers = [
        _Server(proxy, stand_ins.aws_port, snowflake=False),
        _Server(proxy, stand_ins.snowflake_port, snowflake=True),
    ]
    proxy.aws_port, proxy.snowflake_port = (server.server_address[1] for server in servers)
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield proxy
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, proxy: Proxy, upstream: int, snowflake: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy, self.upstream, self.snowflake = proxy, upstream, snowflake

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that were cut: that is what this server is for."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _upstream: http.client.HTTPConnection | None = None
    _rest = 0  # bytes of the request's body that were not read yet

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()
            return
        self.close_connection = True

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        service = Service.SNOWFLAKE if self.server.snowflake else aws_service(headers)
        request = Request(service, self.command, self.path, headers, self._body(headers))
        kind = self.server.proxy.choose(request)
        if kind is not Kind.CUT_UPLOAD:
            request = replace(request, body=request.body + self._read_rest())
        if kind is None:
            self._answer(self._ask(request))
        elif kind in REFUSED:
            self._answer(refusal(kind, request))
        elif kind in (Kind.CUT_BEFORE, Kind.CUT_UPLOAD):
            self._cut()
        elif kind is Kind.FLIPPED_UPLOAD:
            self._flip_upload(request)
        else:
            self._spoil(kind, self._ask(request))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a mesh makes tens of thousands of requests."""

    # ------------------------------------------------------------------ passing on

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        length = int(headers.get("content-length") or 0)
        if self.command == "PUT":  # an object, which a fault may cut while it is sent
            self._rest = length // 2
        return self.rfile.read(length - self._rest)

    def _read_rest(self) -> bytes:
        rest, self._rest = self._rest, 0
        return self.rfile.read(rest)

    def _ask(self, request: Request) -> Answer:
        if self._upstream is None:
            self._upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream)
        upstream, body = self._upstream, request.body
        upstream.putrequest(
            request.method, request.target, skip_host=True, skip_accept_encoding=True
        )
        for name, value in request.headers.items():
            if name not in _HOP_BY_HOP:
                upstream.putheader(name, value)
        if body or request.method in ("PUT", "POST"):
            upstream.putheader("Content-Length", str(len(body)))
        upstream.endheaders(body)
        response = upstream.getresponse()
        answer = Answer(
            response.status,
            tuple((k, v) for k, v in response.getheaders() if k.lower() not in _HOP_BY_HOP),
            response.read(),
        )
        if request.method == "HEAD":  # its length is the object's, not the answer's
            length = response.getheader("Content-Length", "0")
            answer = Answer(answer.status, (*answer.headers, ("Content-Length", length)), b"")
        return answer

    def finish(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    # ------------------------------------------------------------------ answering

    def _answer(self, answer: Answer, length: int | None = None, body: bytes | None = None) -> None:
        """Send the answer; `length` and `body` are what is said and sent instead of its own."""
        body = answer.body if body is None else body
        self.send_response_only(answer.status)
        named = set()
        for name, value in answer.headers:
            self.send_header(name, value)
            named.add(name.lower())
        if "content-length" not in named and answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def _spoil(self, kind: Kind, answer: Answer) -> None:
        """The server has done its work; the client is not to know what came of it."""
        half = answer.body[: len(answer.body) // 2]
        if kind is Kind.HELD_BACK:
            self._wait_for_the_client_to_leave()
            self._cut()
        elif kind is Kind.CUT_AFTER or not answer.body:
            self._cut()
        elif kind is Kind.CUT_ANSWER:
            self._answer(answer, len(answer.body), half)
            self._cut()
        elif kind is Kind.SHORT_ANSWER:
            self._answer(answer, len(answer.body), half)
            self.close_connection = True
        elif kind is Kind.TRUNCATED_ANSWER:
            self._answer(answer, len(half), half)
        else:
            assert kind is Kind.FLIPPED_ANSWER
            self._answer(answer, body=flipped(answer.body))

    def _flip_upload(self, request: Request) -> None:
        """S3 refuses what does not fit its checksum, and stores what came without one."""
        if any(name.startswith(_CHECKSUMS) for name in request.headers):
            self._answer(refusal(Kind.FLIPPED_UPLOAD, request))
        else:
            self._answer(self._ask(replace(request, body=flipped(request.body))))

    def _cut(self) -> None:
        """Reset the connection: the client gets no orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())

    def _wait_for_the_client_to_leave(self) -> None:
        end = time.monotonic() + HOLDING_SECONDS
        while (left := end - time.monotonic()) > 0:
            readable, _, _ = select.select([self.connection], [], [], left)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return
            time.sleep(0.01)


def flipped(body: bytes) -> bytes:
    """The body with one bit of its middle byte turned."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
