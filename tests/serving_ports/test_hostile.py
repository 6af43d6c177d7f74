"""Whoever asks badly, slowly or for what is another's is told nothing, and others are answered."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from shared_resources.serving_ports.http import askers, connections
from shared_resources.serving_ports.http.app import LONGEST_PATH
from shared_resources.serving_ports.http.connections import BoundedConnection
from shared_resources.serving_ports.http.tokens import PREFIX
from shared_resources.serving_ports.sqlite_files import SqliteFiles
from tests.serving_ports.made import PRODUCT
from tests.serving_ports.test_http import bearer, client, mesh

__all__ = ["client", "mesh"]


@pytest.mark.parametrize(
    "path",
    [
        "/sales/..%2Fcrm%2Fpeople/0", "/sales/%2E%2E%2Fcrm%2Fpeople/0", "/sales%2F..%2Fcrm/people/0",
        "/sales/%2e%2e%2F%63rm%2Fpeople/0", "/sales/people%00/0", "/sales/../crm/people/0",
        "//crm/people/0", "/crm/peop%6Ce/0", "/crm/pe\u006f\u0301ple/0",
    ],
)  # fmt: skip
def test_no_path_leads_its_reader_to_what_is_anothers(mesh, client, path: str) -> None:
    (mesh.environment.home / "ports" / "sales").mkdir()
    found = client.get(path, headers=bearer(mesh, "sales"))
    assert found.status_code in (403, 404) and "Ada" not in found.text


def test_the_port_opens_no_file_but_a_products(tmp_path) -> None:
    for product in ("sales/../crm/people", "/etc/x", "crm", "crm/people/x", "crm/people\0"):
        with pytest.raises(ValueError, match="is no product key"):
            SqliteFiles(tmp_path).there(product)


def test_head_and_options_and_others_are_answered(mesh, client) -> None:
    headers = bearer(mesh, "crm")
    head = client.head(f"/{PRODUCT}/0", headers=headers)
    assert (head.status_code, head.content, head.headers["mesh-version"]) == (200, b"", "1")
    assert client.head(f"/{PRODUCT}/0").status_code == 401
    for method in ("OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE"):
        found = client.request(method, f"/{PRODUCT}/0", headers=headers)
        assert found.status_code == 405 and set(found.headers["allow"].split(", ")) == {
            "GET",
            "HEAD",
        }
        assert "access-control-allow-origin" not in found.headers


def test_a_path_is_no_longer_than_any_key(mesh, client) -> None:
    headers = bearer(mesh, "crm")
    found = client.get(f"/{PRODUCT}/{'7' * LONGEST_PATH}", headers=headers)
    assert found.status_code == 414 and len(found.content) < 300
    near = client.get(f"/{PRODUCT}/{'7' * (LONGEST_PATH - 100)}", headers=headers)
    assert near.status_code == 400
    for key in ("0%00", "%00", "0%0d%0aMesh-Version:9", "１", "0%20"):  # noqa: RUF001
        assert client.get(f"/{PRODUCT}/{key}", headers=headers).status_code == 400


def test_guesses_are_bounded_and_who_is_known_is_answered(mesh, client, monkeypatch) -> None:
    known, new = bearer(mesh, "crm"), bearer(mesh, "crm")
    assert client.get(f"/{PRODUCT}/0", headers=known).status_code == 200
    monkeypatch.setattr(askers, "FRESH", 60.0)
    asked = []
    for n in range(askers.GUESSES + 5):
        guess = {"Authorization": f"Bearer {PREFIX}{n:043d}"}
        asked.append(client.get(f"/{PRODUCT}/0", headers=guess).status_code)
        short = {"Authorization": f"Bearer {PREFIX}{n}"}
        assert client.get(f"/{PRODUCT}/0", headers=short).status_code == 401
    assert asked.count(401) == askers.GUESSES and asked[-1] == 429
    assert client.get(f"/{PRODUCT}/0", headers=new).status_code == 429
    assert client.get(f"/{PRODUCT}/0", headers=guess).headers["retry-after"] == "1"
    assert client.get(f"/{PRODUCT}/0", headers=known).status_code == 200


@contextmanager
def _listening() -> Iterator[int]:
    """The server's own connections, in front of an application that says yes."""
    app = Starlette(
        routes=[Route("/", lambda _: PlainTextResponse("yes"), methods=["GET", "POST"])]
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said = uvicorn.Config(app, http=BoundedConnection, ws="none", log_level="critical")
        server = uvicorn.Server(said)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def _until_closed(connection: socket.socket) -> bytes:
    found = b""
    connection.settimeout(30)
    try:
        while some := connection.recv(65_536):
            found += some
    except ConnectionResetError:
        pass  # closed while we were still sending
    return found


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nhost: x\r\nslow: ", b"\r\n"])
def test_who_says_no_whole_request_is_hung_up_on(monkeypatch, said: bytes) -> None:
    monkeypatch.setattr(connections, "SECONDS", 0.2)
    with _listening() as port, socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall(said)
        assert _until_closed(one) == b""


def test_a_connection_that_is_kept_does_not_drip_for_ever(monkeypatch) -> None:
    monkeypatch.setattr(connections, "SECONDS", 0.3)
    with _listening() as port, socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
        end = time.monotonic() + 30
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() < end:
                one.sendall(b"x")
                time.sleep(0.05)


def test_a_head_without_end_is_not_kept(monkeypatch) -> None:
    with _listening() as port, socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nlong: ")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(10_000):
                one.sendall(b"x" * 16_384)


def test_whole_requests_are_answered_one_after_the_other() -> None:
    request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    with _listening() as port, socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall(request * 3 + request[:-4] + b"\r\nconnection: close\r\n\r\n")
        assert _until_closed(one).count(b"200 OK") == 4
