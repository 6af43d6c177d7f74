"""`mesh serve` as a whole: it is alone, it ends in order, and a killed one is recovered."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from shared_resources.serving.problems import NotServing, ServingProblem
from shared_resources.serving.servers import Servers
from tests.cli.commands import call, processes_of, start
from tests.serving.served import (
    LOADS,
    Served,
    land,
    release,
    served,
    start_serving,
    wait_until,
)
from tests.tiny_mesh import TinyMesh

PYTHON = Path(sys.executable)


@pytest.fixture
def order(tmp_path: Path) -> Iterator[Served]:
    """One domain that is served."""
    with served(None) as running:
        running.deploy(release(tmp_path, "order", 1, PYTHON))
        yield running


def test_a_port_that_is_taken_is_refused(mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="mesh-") as home, socket.socket() as taken:
        monkeypatch.setenv("MESH_HOME", home)  # short: a socket's path may have 107 bytes
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        call("serve", "--port", port).refused(
            f"nothing can listen on 127.0.0.1:{port}", "give another --port"
        )


def test_what_it_needs_is_named(mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("shared_resources.serving.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "supervisor.xmlrpc", None)
    call("serve").refused("supervisor.xmlrpc is not installed", "dagster-data-mesh[deploy]")


def test_a_branch_is_not_served(mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_BRANCH", "try-out")
    call("serve").refused("unset MESH_BRANCH", "mesh dev DOMAIN")
    assert not (mesh.environment.home / "serving").exists()


def test_nothing_is_deployed_where_nothing_is_served(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    assert not servers.is_up() and servers.serving("order") is None
    with pytest.raises(NotServing, match="start `mesh serve` and leave it running"):
        servers.start(release(tmp_path, "order", 1, PYTHON))
    assert not (tmp_path / "serving").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_switch_waits_for_runs_and_a_person_can_still_end_them(
    order: Served, tmp_path: Path
) -> None:
    cancelled, ends = order.launch("order", "long", 900), order.launch("order", "long", 30)
    # The daemon hears of a new domain within a minute.
    wait_until(lambda: order.status(ends) == "STARTED", 240, "a run has begun")
    wait_until(lambda: order.status(cancelled) == "STARTED", 60, "the other run has begun")
    second = release(tmp_path, "order", 2, PYTHON)
    order.servers.start(second)
    loaded = order.servers.wait_loaded(second, LOADS)
    assert (loaded.holds.assets, loaded.holds.sensors) == (1, 2)
    with pytest.raises(ServingProblem, match="is the one that is served"):
        order.servers.switch(second)
        order.servers.stop("order", second.release, timedelta(seconds=1))
    # Long enough for the run that ends by itself, on a slow machine too.
    drained = order.servers.stop("order", f"{1:064x}", timedelta(seconds=75))
    assert (drained.waited_for, drained.cancelled) == (2, (cancelled,))
    assert (order.status(ends), order.status(cancelled)) == ("SUCCESS", "CANCELED")
    assert [(one.release, one.state) for one in order.servers.running()] == [(second.release, "up")]
    order.servers.withdraw("order", timedelta(seconds=10))
    assert order.locations() == {} and order.servers.running() == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_second_is_refused_and_a_killed_one_is_recovered(order: Served, tmp_path: Path) -> None:
    second = start("serve", **order.variables)
    second.refused(f"runs over {order.home} already, as process {order.process.pid}")
    # A deployment in the middle: what it had started is not what was served.
    order.servers.start(release(tmp_path, "order", 2, PYTHON))
    order.process.send_signal(signal.SIGKILL)
    order.process.wait(30)
    left = [one.pid for one in processes_of(order.home, within=0)]
    assert left  # servers, webserver and daemon go on without it
    again = start_serving(order.home, order.port, order.variables)
    try:
        wait_until(
            lambda: _states(again) == [(f"{1:064x}", "up")], 120, "the release is served again"
        )
        assert [pid for pid in left if psutil.pid_exists(pid)] == []
        wait_until(lambda: "release_1" in again.locations()["order"], 60, "the webserver shows it")
        land(again.home, "order", "1.csv")
        wait_until(lambda: bool(again.runs()), 240, "it is sensed")
    finally:
        again.process.send_signal(signal.SIGTERM)
        again.process.wait(180)
    assert processes_of(order.home) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_stop_lets_runs_end(order: Served) -> None:
    run = order.launch("order", "long", 20)
    wait_until(lambda: order.status(run) == "STARTED", 240, "the run has begun")
    begun = time.monotonic()
    order.process.send_signal(signal.SIGTERM)
    assert order.process.wait(180) == 0
    assert time.monotonic() - begun < 120
    assert processes_of(order.home) == []
    again = start_serving(order.home, order.port, order.variables)
    try:
        assert order.status(run) == "SUCCESS"
    finally:
        os.kill(again.process.pid, signal.SIGINT)  # as Ctrl-C
        assert again.process.wait(180) == 0


def _states(running: Served) -> list[tuple[str, str]]:
    return [(one.release, one.state) for one in running.servers.running()]
