"""`mesh serve` as a whole: it is alone, it ends in order, and a killed one is recovered."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shared_resources.serving.problems import NotServing
from shared_resources.serving.servers import Servers
from tests.cli.commands import call, processes_of, start
from tests.serving.served import (
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


def test_a_port_that_is_taken_is_refused(mesh: TinyMesh) -> None:
    with socket.socket() as taken:
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


def test_nothing_is_deployed_where_nothing_is_served(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    assert not servers.is_up() and servers.serving("order") is None
    with pytest.raises(NotServing, match="start `mesh serve` and leave it running"):
        servers.start(release(tmp_path, "order", 1, PYTHON))
    assert not (tmp_path / "serving").exists()


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
    assert sorted(path.name for path in (order.home / "serving" / "sockets").iterdir()) == []


def _states(running: Served) -> list[tuple[str, str]]:
    return [(one.release, one.state) for one in running.servers.running()]
