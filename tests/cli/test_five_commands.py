"""A new domain, a product of a file that nobody has seen, and its consumer: five commands, two more for
the agreement between them, and the UI."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.cli.commands import MESH, heeding_interrupts, processes_of

REPOSITORY = Path(__file__).resolve().parents[2]
INVOICES = "Invoice No;Paid On;Amount;Country\n" + "".join(
    f"{n};{n % 28 + 1:02d}/01/2024;{n}.50;{'DE' if n % 3 else 'FR'}\n" for n in range(1, 501)
)
COMMANDS = (
    ("new", "domain", "finance", "--owner", "finance@example.com", "--yes"),
    ("new", "product", "finance/invoices", "--from", "invoices.csv"),
    ("new", "product", "marketing/invoiced", "--reads", "finance/invoices"),
    (
        *("access", "request", "finance/invoices", "--as", "marketing"),
        *("--role", "reader"),
        *("--purpose", "customer_insight"),
    ),
    ("access", "approve", "finance/invoices", "--for", "marketing", "--by", "finance@example.com"),
    ("run", "+marketing/invoiced"),
    ("read", "marketing/invoiced"),
)
ASSET = """{assetNodeOrError(assetKey: {path: ["%s", "%s"]}) {... on AssetNode {
    repository {location {name}} dependencyKeys {path} assetMaterializations(limit: 1) {runId}}}}"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_a_clone_to_a_consumed_product_in_the_ui(tmp_path: Path) -> None:
    root, home = tmp_path / "clone", tmp_path / "home"
    root.mkdir()
    for name in ("domains", "dbt_project"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("target"))
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, root)
    (root / "invoices.csv").write_text(INVOICES)
    # Where the system that writes the invoices would put them.
    landing = home / "landing" / "finance" / "invoices"
    landing.mkdir(parents=True)
    shutil.copy(root / "invoices.csv", landing)
    variables = {
        **os.environ,
        "MESH_ROOT": str(root),
        "MESH_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "PYTHONPATH": str(root),  # this clone's domains, and not those of the checkout
    }

    told = ""
    for words in COMMANDS:
        began = time.monotonic()
        done = subprocess.run(
            [MESH, *words], cwd=root, env=variables, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), (words, done)
        told = done.stdout
        print(f"mesh {' '.join(words)}: {time.monotonic() - began:.1f} s")
    assert "12.50" in told and "2024-01-13" in told

    began = time.monotonic()
    with the_ui(root, variables) as ask:
        made = ask(ASSET % ("finance", "invoices"))
        read = ask(ASSET % ("marketing", "invoiced"))
        print(f"the webserver with all locations: {time.monotonic() - began:.1f} s")
    assert made["repository"]["location"]["name"] == "finance" and made["assetMaterializations"]
    assert read["repository"]["location"]["name"] == "marketing" and read["assetMaterializations"]
    assert read["dependencyKeys"] == [{"path": ["finance", "invoices"]}]
    assert processes_of(home) == []


@contextmanager
def the_ui(root: Path, variables: dict[str, str]) -> Iterator[Any]:
    """The webserver with the project's workspace; the block asks it for an asset by GraphQL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("dagster-webserver")
    words = ["-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    log = root.parent / "webserver.log"
    with log.open("wb") as output, heeding_interrupts():
        running = subprocess.Popen(
            [program, *words], cwd=root, env=variables, stdout=output, stderr=subprocess.STDOUT
        )
    try:

        def ask(query: str) -> Any:
            address = f"http://127.0.0.1:{port}/graphql"
            sent = json.dumps({"query": query}).encode()
            asked = Request(address, data=sent, headers={"Content-Type": "application/json"})
            deadline = time.monotonic() + 300
            while time.monotonic() < deadline and running.poll() is None:
                try:
                    with urlopen(asked, timeout=60) as answer:
                        return json.load(answer)["data"]["assetNodeOrError"]
                except (URLError, OSError):
                    time.sleep(0.5)
            raise AssertionError(log.read_text())

        yield ask
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(120)
