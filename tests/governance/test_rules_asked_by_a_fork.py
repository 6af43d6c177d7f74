"""Queries may be asked by a fork of the audit's process, which lets go of what it need not have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_mesh import column, contract_text

ROOT = Path(__file__).parents[2]
CLIENT = (
    "from shared_resources.governance.audit.domain_rules.process import client, forked, server\n"
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are unknown")


def run(script: str, *, secret: str = "") -> Any:
    """What the script prints as JSON, in a process of its own: the tests' has many threads."""
    ran = subprocess.run(
        [sys.executable, "-c", "import json, os, socket, threading, time\n" + script],
        cwd=ROOT,
        env={**os.environ, "SOME_SECRET": secret},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_an_audit_of_one_file_starts_no_process_for_queries(tmp_path: Path) -> None:
    query = {"type": "sql", "name": "two", "query": "SELECT count(*) FROM batch", "mustBe": 2}
    columns = (column("order_id", required=True, quality=[query]),)
    landing = {"prefix": "order/orders", "format": "csv", "mode": "replace", "object": "*.csv"}
    contract, data = tmp_path / "contract.odcs.yaml", tmp_path / "orders.csv"
    contract.write_text(contract_text("order/orders", columns, properties={"landing": landing}))
    data.write_text("order_id\n1\n2\n")
    script = (
        "import contextlib, subprocess\n"
        "from shared_resources.cli.main import mesh\n"
        "subprocess.Popen = None\n"
        "with contextlib.suppress(SystemExit):\n"
        f"    mesh(['audit', {str(contract)!r}, '--data', {str(data)!r}, '--json'],"
        " standalone_mode=False)\n"
    )
    said = run(script)
    assert said["publishable"]
    assert [one["measured"] for one in said["results"] if one["rule"] == "two"] == [2]


def test_a_fork_keeps_no_variable_of_the_platform_and_no_open_file() -> None:
    script = CLIENT + (
        "def say(control):\n"
        "    opened = [n for n in range(256) if os.path.exists(f'/proc/self/fd/{n}')]\n"
        "    control.sendall(json.dumps([dict(os.environ), control.fileno(), opened]).encode())\n"
        "forked.serve = say\n"
        "other = open(os.devnull)\n"
        "ours, theirs = socket.socketpair()\n"
        "process = forked.fork_server(theirs)\n"
        "theirs.close()\n"
        "print(ours.recv(1 << 20).decode())\n"
        "assert process.wait(10) == 0\n"
    )
    variables, control, opened = run(script, secret="s3cr3t-of-the-platform")
    assert "PATH" in variables
    assert "SOME_SECRET" not in variables
    assert set(opened) <= {0, 1, 2, control}


def test_a_function_is_never_asked_by_a_fork() -> None:
    script = CLIENT + (
        "client.prepare_at_once()\n"
        "asked = client._server()\n"
        "first = asked.process\n"
        "client.prepare(None)\n"
        "kept = asked.process is first\n"
        "client.prepare(server.FRAMES)\n"
        "print(json.dumps([type(first).__name__, kept, type(asked.process).__name__,"
        " first.poll()]))\n"
        "asked.stop()\n"
    )
    assert run(script) == ["Forked", True, "Popen", 0]


def test_a_process_with_a_second_thread_is_not_forked() -> None:
    script = CLIENT + (
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "client.prepare_at_once()\n"
        "print(json.dumps(client._server().process is None))\n"
    )
    assert run(script) is True


def test_a_fork_ends_with_the_process_that_made_it() -> None:
    script = CLIENT + (
        "client.prepare_at_once()\n"
        "print(json.dumps(client._server().process._process), flush=True)\n"
        "os._exit(0)\n"
    )
    process = run(script)
    for _ in range(200):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        os.sched_yield()
        subprocess.run(["sleep", "0.05"], check=True)
    pytest.fail("it still runs")
