"""A served stream: fewer generations than windows, each of them one version, the last one at the end."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.definition import define_product
from shared_resources.mesh import read_whole_mesh
from shared_resources.serving_ports import pacing
from shared_resources.serving_ports.following import bring_level, serve_current
from shared_resources.serving_ports.lagging import PATIENCE, lags
from shared_resources.serving_ports.pacing import PacedServing
from shared_resources.serving_ports.port import State
from shared_resources.streams.process import StreamProcess
from tests.streams.receipts import PRODUCT, contract, receipt, send
from tests.tiny_mesh import TinyMesh, tiny_mesh


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyMesh]:
    with tiny_mesh(tmp_path) as mesh:
        mesh.environment.log.create("receipts", 2)
        said = yaml.safe_load(contract(mode="upsert"))
        said["servers"].append({"server": "serving", "type": "custom"})
        mesh.product(PRODUCT, yaml.safe_dump(said, sort_keys=False))
        yield mesh


def _drain(shop: TinyMesh) -> None:
    read = read_whole_mesh(shop.environment)
    made = define_product(shop.environment, read.domain("shop"), read.product(PRODUCT))
    StreamProcess(shop.environment, made, "r", lambda: False).run(
        shop.environment.log.topic("receipts").ends
    )


def test_rows_that_are_served_are_those_of_the_version_that_is_named(shop, monkeypatch) -> None:
    """Each window changes all rows to its own number; what is served after any of them is one version."""
    port, seen = shop.environment.serving_port, set()
    committed = PacedServing.committed

    def look(paced: PacedServing) -> None:
        committed(paced)
        number = len(shop.versions(PRODUCT))
        if number < 6:
            send(shop, [receipt(n, f"window {number + 1}") for n in range(5)])
        found = [port.get(PRODUCT, f'["{n}"]') for n in range(5)]
        if None not in found:
            version = found[0].generation.version
            tills = {json.loads(one.row)[1] for one in found}
            assert tills == {f"window {version}"} and {one.generation.version for one in found} == {
                version
            }
            seen.add(version)

    monkeypatch.setattr(PacedServing, "committed", look)
    send(shop, [receipt(n, "window 1") for n in range(5)])
    _drain(shop)
    while len(shop.versions(PRODUCT)) < 6:
        _drain(shop)
    found = port.get(PRODUCT, '["0"]')
    assert found.generation.version == 6 and json.loads(found.row)[1] == "window 6"
    assert seen


def test_windows_that_come_fast_are_served_together(shop, monkeypatch) -> None:
    served: list[bool] = []
    monkeypatch.setattr(pacing, "serve_current", lambda *_: served.append(True) or True)
    now = [0.0]
    monkeypatch.setattr(pacing.time, "monotonic", lambda: now[0])
    paced = PacedServing(shop.environment, read_contract(_file(shop)))
    for second in range(30):
        now[0] = float(second)
        paced.committed()
        paced.go_on()
    assert len(served) == 3
    now[0] = 45.0
    paced.go_on()
    paced.go_on()
    assert len(served) == 4
    paced.end()
    assert len(served) == 4
    paced.committed()
    paced.end()
    assert len(served) == 5


def test_what_takes_long_is_served_less_often_and_what_fails_is_tried_again(
    shop, monkeypatch
) -> None:
    now, served = [0.0], []

    def serve(*_: object) -> bool:
        now[0] += 6
        served.append(now[0])
        return len(served) > 1

    monkeypatch.setattr(pacing, "serve_current", serve)
    monkeypatch.setattr(pacing.time, "monotonic", lambda: now[0])
    paced = PacedServing(shop.environment, read_contract(_file(shop)))
    for _ in range(200):
        paced.go_on()
        now[0] += 1
    assert served == [6.0, 42.0]  # thirty seconds later, as it had not been done; then it is level


def test_a_stream_is_late_after_two_minutes(shop, caplog) -> None:
    send(shop, [receipt(1)])
    _drain(shop)
    made = read_contract(_file(shop))
    port, now = shop.environment.serving_port, datetime.now(UTC)
    assert lags(shop.environment, made) == ""
    port.forget(PRODUCT)
    assert lags(shop.environment, made, now) == ""
    late = lags(shop.environment, made, now + PATIENCE + timedelta(seconds=9))
    assert late == "version 1 is published, and none is served by its key"
    caplog.set_level(logging.ERROR)
    assert serve_current(shop.environment, made)
    assert [one.state for one in port.held(PRODUCT)] == [State.CURRENT]
    assert bring_level(shop.environment, made) == []


def _file(shop: TinyMesh) -> Path:
    return shop.root / "domains" / "shop" / "products" / "receipts" / "contract.odcs.yaml"
