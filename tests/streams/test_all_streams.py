"""`mesh stream` for all products, twice for one, beside `mesh run`, and where there is no topic."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared_resources.environment import PROJECT_ROOT
from shared_resources.streams.kept_up.keeper import Keeper, Wanted
from tests.cli.commands import MESH, call, processes_of, start
from tests.streams.receipts import PRODUCT, contract, receipt, send
from tests.tiny_mesh import TinyMesh


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    mesh.product(PRODUCT, contract())
    return mesh


class Started:
    """A `mesh` that goes on, with what it has said so far."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [MESH, *arguments],
            env=dict(os.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said: list[str] = []
        assert self.process.stdout is not None
        self._reads = threading.Thread(target=lambda: self.said.extend(self.process.stdout or ()))
        self._reads.start()

    def until_said(self, what: str) -> None:
        until(lambda: any(what in one for one in self.said), lambda: str(self.said))

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._reads.join()
        return code


def until(what: Callable[[], bool], why: Callable[[], str] = lambda: "") -> None:
    end = time.monotonic() + 90
    while not what():
        assert time.monotonic() < end, why()
        time.sleep(0.05)


@contextmanager
def running(*arguments: str) -> Iterator[Started]:
    started = Started(*arguments)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()


def rows(shop: TinyMesh) -> int:
    return shop.environment.stores_of(shop.contract(PRODUCT))[0].open(PRODUCT).rows


def test_all_streams_are_kept_up_from_when_their_topic_is_there_until_one_signal(
    shop: TinyMesh,
) -> None:
    with running("stream", "--all") as started:
        started.until_said(f"{PRODUCT}: waits for the topic receipts")
        shop.environment.log.create("receipts", 1)
        started.until_said(f"{PRODUCT}: reads receipts (1 partitions)")
        send(shop, [receipt(1)])
        started.until_said("version 1, 1 messages")
        assert started.end() == 0
    assert processes_of(shop.environment.home) == []


@pytest.mark.slow
def test_a_stream_below_a_keeper_that_was_killed_ends_by_itself(shop: TinyMesh) -> None:
    shop.environment.log.create("receipts", 1)
    with running("stream", "--all") as started:
        started.until_said(f"{PRODUCT}: reads receipts")
        started.process.kill()
        assert processes_of(shop.environment.home, within=60) == []


@pytest.mark.slow
def test_two_processes_and_a_run_beside_them_make_each_message_a_row_once(shop: TinyMesh) -> None:
    shop.environment.log.create("receipts", 1)
    with running("stream", PRODUCT) as one, running("stream", PRODUCT) as other:
        for started in (one, other):
            started.until_said(f"{PRODUCT}: reads receipts (1 partitions)")
        send(shop, [receipt(number) for number in range(5)])
        ran = start("run", PRODUCT)
        assert ran.code == 0, ran
        until(lambda: call("stream", "list", "--json").json[0]["waiting"] == 0)
        assert [one.end(), other.end()] == [0, 0]
    assert call("read", PRODUCT, "--columns", "receipt_id").out.count("\n") >= 5
    [row] = call("stream", "list", "--json").json
    assert row["rows"] == 5


def test_what_cannot_go_on_by_being_started_again_ends_with_2(shop: TinyMesh) -> None:
    log = shop.environment.log
    log.create("receipts", 1)
    send(shop, [receipt(1)])
    assert call("stream", PRODUCT, "--until-empty").code == 0
    log.delete("receipts")
    ended = call("stream", PRODUCT)
    assert ended.code == 1, "the topic may come back"
    assert "there is no topic 'receipts'" in ended.err
    log.create("receipts", 1)
    call("stream", PRODUCT).refused("the topic was deleted and made anew", "mesh stream skip")
    call("stream", PRODUCT, "--until-empty").refused("Nothing was changed")
    with running("stream", "--all") as started:
        started.until_said("cannot go on until somebody acts")
        [row] = call("stream", "list", "--json").json
        [ended_so] = row["ended"]
        assert ended_so["process"] == f"run {PRODUCT}" and ended_so["somebody_acts"]
        assert "the topic was deleted and made anew" in ended_so["why"]
        assert started.end() == 1


@pytest.mark.parametrize("given", [(), ("--all", PRODUCT), ("--all", "--until-empty")])
def test_either_a_product_is_named_or_all_of_them(shop: TinyMesh, given: tuple[str, ...]) -> None:
    assert call("stream", "run", *given).code == 2


def test_a_gate_is_kept_up_beside_its_stream(
    shop: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.product(PRODUCT, contract(gate={"topic": "good"}))
    asked: list[Wanted] = []
    monkeypatch.setattr(Keeper, "keep", lambda self, wanted: bool(asked.extend(wanted)))
    assert call("stream", "--all").code == 1
    assert [one.name for one in asked] == [PRODUCT, f"gate {PRODUCT}"]
    assert asked[1].command[5:7] == ["gate", PRODUCT] and "--below" in asked[1].command
    assert "waits for the topic receipts" in asked[1].lacks()


def test_a_mesh_without_streams_says_so(mesh: TinyMesh) -> None:
    ended = call("stream", "--all")
    assert ended.code == 0
    assert "no product of this mesh is made of a topic" in ended.out


def test_streams_of_the_example_and_the_rows_that_follow_them_are_kept_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Wanted] = []
    monkeypatch.setenv("MESH_ROOT", str(PROJECT_ROOT))
    monkeypatch.setenv("MESH_HOME", str(tmp_path))
    monkeypatch.setattr(Keeper, "keep", lambda self, wanted: bool(asked.extend(wanted)))
    assert call("stream", "--all").code == 1
    assert [one.name for one in asked] == ["order/purchases", "live recommendation/next_products"]
    purchases, live = asked
    assert "waits for the topic purchases" in purchases.lacks() and live.lacks() == ""
    assert (purchases.command[5], live.command[5]) == ("run", "live")
