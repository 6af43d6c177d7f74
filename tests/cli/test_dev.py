"""`mesh dev`: Dagster's UI with the location of one domain, on the mesh's own state."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.cli.commands import MESH, call, heeding_interrupts, processes_of
from tests.tiny_mesh import TinyMesh, column, contract_text

LOCATIONS = "{workspaceOrError {... on Workspace {locationEntries {name loadStatus}}}}"


def test_a_domain_that_there_is_not_is_named(mesh: TinyMesh) -> None:
    mesh.domain("order")
    call("dev", "ordr").refused("'ordr'; did you mean order?")


@pytest.mark.slow
def test_one_location_is_loaded_and_nothing_is_left_running(mesh: TinyMesh) -> None:
    for domain in ("order", "sales"):
        landing = {"prefix": f"{domain}/lines", "format": "csv", "object": "*.csv"}
        text = contract_text(f"{domain}/lines", [column("n")], properties={"landing": landing})
        mesh.product(f"{domain}/lines", text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = mesh.environment.home / "dev.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output, heeding_interrupts():
        running = subprocess.Popen(
            [MESH, "dev", "order", "--port", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(os.environ),
        )
    try:
        assert locations_of(port, running, within=120) == [("order", "LOADED")], log.read_text()
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(120)
    assert processes_of(mesh.environment.home) == []


def locations_of(
    port: int, running: subprocess.Popen[bytes], within: float
) -> list[tuple[str, str]]:
    asked = Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": LOCATIONS}).encode(),
        headers={"Content-Type": "application/json"},
    )
    deadline = time.monotonic() + within
    found: list[tuple[str, str]] = []
    while time.monotonic() < deadline and running.poll() is None:
        try:
            with urlopen(asked, timeout=10) as answer:
                told = json.load(answer)["data"]["workspaceOrError"]["locationEntries"]
        except (URLError, OSError):
            time.sleep(0.5)
            continue
        found = [(one["name"], one["loadStatus"]) for one in told]
        if found and all(status == "LOADED" for _, status in found):
            break
        time.sleep(0.5)
    return found
