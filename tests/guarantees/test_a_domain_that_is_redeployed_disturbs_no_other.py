"""A domain is redeployed, fails, hangs, leaks or is killed: the others run on and sense on.

Belongs here: what must hold of Postgres, webserver, daemon and four code servers from four virtual
environments with different versions of polars, of which one is released from a repository of its own
by `mesh deploy`. Does not belong here: one server's ways (tests/serving/).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from shared_resources.serving.servers import LoadFailed
from tests.cli.commands import Called
from tests.nightly import times
from tests.serving.own_repository import OwnRepository, begin
from tests.serving.served import (
    LOADS,
    Served,
    environment_with,
    land,
    release,
    served,
    wait_until,
)
from tests.stand_ins.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("served"), pytest.mark.timeout(1500)]

POLARS = {"order": "2.1.0", "sales": "2.0.0", "stock": "1.44.2", "claims": "1.43.2"}
OTHERS = ("sales", "stock", "claims")
TIMES = times(usually=2, nightly=10)
EACH = 30  # seconds
# Releases lie in the mesh's home: what a test has of its own is removed when it has passed, and what is
# served would run on without its files.
# A sensor ticks each 10 s; on a machine that is busy with loading a server, later.
LONGEST_GAP = 60.0
LIMIT = 420  # MiB that a server may hold; one that has loaded holds 250


@pytest.fixture(scope="module")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("environments")
    return {domain: environment_with(folder, POLARS[domain]) for domain in OTHERS}


@pytest.fixture(scope="module")
def order(
    postgres: Postgres, pythons: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OwnRepository]:
    """Four domains that are served and sensed, of which order is in a repository of its own."""
    folder = tmp_path_factory.mktemp("releases")
    with served(postgres.fresh(), MESH_SERVER_MEMORY=f"{LIMIT}MiB") as running:
        for domain, python in pythons.items():
            running.deploy(release(folder, domain, 1, python))
        order = begin(folder, "order", POLARS["order"], running)
        assert "its tests pass (2)" in _goes(order.deploy(1))
        wait_until(lambda: all(running.ticks(domain) for domain in POLARS), 180, "all are sensed")
        yield order


@pytest.fixture
def four(order: OwnRepository) -> Served:
    return order.running


def test_it_is_redeployed_while_the_others_run(order: OwnRepository, four: Served) -> None:
    begun = time.time()
    long_run = four.launch("order", "long", seconds=20)
    for number in range(2, TIMES + 2):
        next_round = time.time() + EACH
        for domain in OTHERS:
            land(four.home, domain, f"{number}.csv")
        said = _goes(order.deploy(number, "--no-tests"))
        assert "order: loads" in said and "order: serves release" in said
        shown = f"release_{number}"
        wait_until(lambda: shown in four.locations()["order"], 20, "the webserver follows")  # noqa: B023
        time.sleep(max(0.0, next_round - time.time()))
    assert four.status(long_run) == "SUCCESS"  # it began on a release that was replaced
    wait_until(lambda: _all_ended(four) and min(_ingested(four).values()) > 0, 240, "they ingest")
    assert [run for run in four.runs() if run["status"] != "SUCCESS"] == []
    _no_tick_was_lost(four, begun, OTHERS)
    _no_tick_was_lost(four, begun, ["order"])
    versions = {domain: set(jobs.values()) - {""} for domain, jobs in four.locations().items()}
    assert versions == {domain: {version} for domain, version in POLARS.items()}


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("import not_installed", "definitions.py:10: "),
        ("import domains.sales", "no_domain_imports"),
        ("raise OSError('not today')", "domains/order/definitions.py:10: OSError: not today"),
    ],
)
def test_one_that_may_not_or_cannot_be_loaded_is_refused(
    order: OwnRepository, four: Served, first: str, words: str
) -> None:
    begun = time.time()
    before = four.servers.serving("order")
    refused = order.deploy(900, "--no-tests", first=first)
    assert refused.code == 1 and words in refused.err and "Traceback" not in refused.err, refused
    _order_is(four, before)
    _no_tick_was_lost(four, begun, POLARS)


def test_one_that_hangs_while_it_loads_is_refused(
    order: OwnRepository, four: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = time.time()
    before = four.servers.serving("order")
    hangs = release(four.home / "built", "order", 901, order.python, first="time.sleep(3600)")
    monkeypatch.setattr("tests.serving.served.LOADS", LOADS * 0.75)
    with pytest.raises(LoadFailed, match=r"it waits at domains/order/definitions\.py:10"):
        four.deploy(hangs)
    _order_is(four, before)
    _no_tick_was_lost(four, begun, POLARS)


def test_one_that_is_killed_comes_back_and_its_run_goes_on(four: Served) -> None:
    begun = time.time()
    run = four.launch("order", "long", seconds=20)
    wait_until(lambda: four.status(run) == "STARTED", 90, "the run has begun")
    killed = _server(four, "order")
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: _server(four, "order") not in (0, killed), 120, "it was restarted")
    wait_until(lambda: len(four.locations()["order"]) > 0, 60, "the webserver found it again")
    wait_until(lambda: four.status(run) == "SUCCESS", 90, "its run ended by itself")
    _no_tick_was_lost(four, begun, OTHERS)


def test_one_that_leaks_memory_is_replaced_without_a_gap_and_rolled_back(
    order: OwnRepository, four: Served
) -> None:
    begun = time.time()
    before = four.servers.serving("order")
    leak = """
        import os, threading

        held = []

        def leak() -> None:
            if not os.path.exists(f"{__file__}.leaked"):  # the first server of the release alone
                open(f"{__file__}.leaked", "w").close()
                time.sleep(15)
                held.extend(bytearray(os.urandom(1024)) * 1024 for _ in range(300))

        threading.Thread(target=leak, daemon=True).start()
    """
    _goes(order.deploy(902, "--no-tests", first=leak))
    first = _server(four, "order")
    wait_until(lambda: _server(four, "order") not in (0, first), 180, "it was replaced")
    wait_until(lambda: not psutil.pid_exists(first), 120, "the one before it has ended")
    log = (four.home / "serving" / "logs" / "watching.log").read_text()
    assert "the server of order holds" in log and "was replaced" in log
    assert "order: back to release" in _goes(order.mesh("deploy", "order", "--rollback"))
    _order_is(four, before)
    _no_tick_was_lost(four, begun, POLARS)


def _goes(called: Called) -> str:
    assert called.code == 0, called
    return called.out


def _order_is(running: Served, release: str | None) -> None:
    assert release is not None and running.servers.serving("order") == release
    assert [one.release for one in running.servers.running() if one.domain == "order"] == [release]


def _ingested(running: Served) -> dict[str, int]:
    done = [run for run in running.runs() if run["status"] == "SUCCESS"]
    where = [run["repositoryOrigin"]["repositoryLocationName"] for run in done]
    return {domain: where.count(domain) for domain in OTHERS}


def _all_ended(running: Served) -> bool:
    return all(run["status"] in ("SUCCESS", "FAILURE", "CANCELED") for run in running.runs())


def _server(running: Served, domain: str) -> int:
    up = [one for one in running.servers.running() if one.domain == domain and one.serving]
    return (up[0].pid or 0) if up and up[0].state == "up" else 0


def _no_tick_was_lost(running: Served, since: float, domains: object) -> None:
    """Since then each domain's sensor has ticked without a failure and without a gap."""
    for domain in list(domains):  # type: ignore[call-overload]
        ticks = [tick for tick in running.ticks(domain) if float(tick["timestamp"]) > since - 15]
        failed = [tick for tick in ticks if tick["status"] == "FAILURE"]
        assert failed == [], (domain, failed)
        moments = [float(tick["timestamp"]) for tick in ticks] + [time.time()]
        gaps = [after - before for before, after in pairwise(moments)]
        assert moments and max(gaps, default=0.0) < LONGEST_GAP, (domain, gaps)
