"""A schema registry over Confluent's protocol, in memory on loopback: stores schemas, and nothing else.

Belongs here: the routes that Confluent's own client asks for schemas, subjects and levels.
Does not belong here: checking compatibility, which is the real registry's: a schema is taken as it is.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SchemaRegistryServer(ThreadingHTTPServer):
    """`schemas` by id from 1 on, `subjects` with the ids of their versions; `level` is everybody's."""

    daemon_threads = True

    def __init__(self, user_info: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.schemas: dict[int, dict[str, Any]] = {}
        self.subjects: dict[str, list[int]] = {}
        self.level = "BACKWARD"
        self.expected = (
            f"Basic {base64.b64encode(user_info.encode()).decode()}" if user_info else ""
        )
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def register(self, subject: str, schema: str, kind: str = "AVRO") -> int:
        body = {"schema": schema, "schemaType": kind}
        id_ = next((i for i, known in self.schemas.items() if known == body), 0)
        id_ = id_ or len(self.schemas) + 1
        self.schemas[id_] = body
        versions = self.subjects.setdefault(subject, [])
        if id_ not in versions:
            versions.append(id_)
        return id_


class _Handler(BaseHTTPRequestHandler):
    server: SchemaRegistryServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.expected not in ("", self.headers.get("Authorization")):
            self._answer(401, {"error_code": 401, "message": "Unauthorized"})
            return
        parts = self.path.partition("?")[0].strip("/").split("/")
        match parts:
            case ["schemas", "ids", id_] if int(id_) in self.server.schemas:
                self._answer(200, self.server.schemas[int(id_)])
            case ["schemas", "ids", _]:
                self._answer(404, {"error_code": 40403, "message": "Schema not found"})
            case ["subjects", name, "versions"] if name in self.server.subjects:
                self._answer(200, list(range(1, len(self.server.subjects[name]) + 1)))
            case ["subjects", name, "versions", number] if name in self.server.subjects:
                id_ = self.server.subjects[name][int(number) - 1]
                found = {"subject": name, "version": int(number), "id": id_}
                self._answer(200, {**found, **self.server.schemas[id_]})
            case ["config"]:
                self._answer(200, {"compatibilityLevel": self.server.level})
            case _:
                self._answer(404, {"error_code": 40401, "message": "Subject not found"})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length))
        match self.path.partition("?")[0].strip("/").split("/"):
            case ["subjects", name, "versions"]:
                kind = body.get("schemaType") or "AVRO"
                self._answer(200, {"id": self.server.register(name, body["schema"], kind)})
            case _:
                self._answer(404, {"error_code": 404, "message": "HTTP 404 Not Found"})

    def _answer(self, status: int, body: Any) -> None:
        said = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        return None


@contextmanager
def schema_registry(user_info: str = "") -> Iterator[SchemaRegistryServer]:
    """A registry until the block ends; with `user_info` it wants that login."""
    server = SchemaRegistryServer(user_info)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
