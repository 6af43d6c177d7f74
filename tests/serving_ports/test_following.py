"""A serving port follows what is published: each publication, a rollback, an erasure, a crash."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared_resources.data_products.publishing import rollback
from shared_resources.erasing.performing import asked_for, erase
from shared_resources.housekeeping.tasks import Task, perform
from shared_resources.mesh import look_at_mesh
from shared_resources.observing.product_health import Observer
from shared_resources.serving_ports import following
from shared_resources.serving_ports.following import bring_level, renew, serve_current
from shared_resources.serving_ports.lagging import lags
from shared_resources.serving_ports.port import Found, State
from shared_resources.serving_ports.rows import CannotBeServed
from tests.serving_ports.made import PRODUCT, generation, publish, rows, served_people
from tests.tiny_mesh import TinyMesh, tiny_mesh


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[TinyMesh]:
    with tiny_mesh(tmp_path) as made:
        yield made


def found(mesh: TinyMesh, key: str = "0") -> Found:
    port = mesh.environment.serving_port
    assert port is not None
    row = port.get(PRODUCT, f'["{key}"]')
    assert row is not None
    return row


def test_each_publication_and_each_rollback_is_served(mesh: TinyMesh) -> None:
    contract = served_people(mesh)
    for version, name in enumerate(("Ada", "Bob"), start=1):
        publish(mesh, [name])
        now = found(mesh)
        assert (now.generation.version, now.row) == (version, f'[0,"{name}",null]')
        assert lags(mesh.environment, contract) == ""
    rollback(mesh.environment, contract, 1, by="crm@example.com")
    assert (found(mesh).generation.version, found(mesh).row) == (3, '[0,"Ada",null]')


def test_an_older_version_never_comes_back(mesh: TinyMesh) -> None:
    contract = served_people(mesh)
    publish(mesh, ["Ada"])
    publish(mesh, ["Bob"])
    environment, port = mesh.environment, mesh.environment.serving_port
    assert port is not None
    # A writer that has read version 1 long ago comes to its switch now.
    served = port.current(PRODUCT)
    assert served is not None
    old = generation(1)
    assert not following._to_be_written(old, served, anew=False)
    assert bring_level(environment, contract) == []
    assert found(mesh).generation.version == 2


def test_what_a_dead_writer_left_is_cleared_and_finished(mesh: TinyMesh, monkeypatch) -> None:
    contract = served_people(mesh)
    publish(mesh, ["Ada"])
    port = mesh.environment.serving_port
    assert port is not None
    left = generation(2)
    port.begin(left)
    port.load(left, rows(2))
    with monkeypatch.context() as killed:
        killed.setattr("shared_resources.data_products.publishing.serve_current", lambda *_: None)
        publish(mesh, ["Bob"])
    why = lags(mesh.environment, contract)
    assert why == "version 2 is published, and version 1 is served by its key"
    told = Observer(mesh.environment).observe_contract(contract).health
    assert told.state == "served old" and why in str(told.reasons[0]) and told.failing
    (done,) = [one for one in perform(mesh.environment, contract, Task.ORPHANS, dry_run=True)
               if one.place == "serving port"]  # fmt: skip
    assert why in done.summary
    (done,) = [one for one in perform(mesh.environment, contract, Task.ORPHANS)
               if one.place == "serving port"]  # fmt: skip
    assert done.summary == "left by a dead writer: version 2, version 2 is served"
    assert found(mesh).row == '[0,"Bob",null]'
    assert Observer(mesh.environment).observe_contract(contract).health.state == "whole"


def test_old_generations_go_after_their_grace_and_few_are_kept(mesh: TinyMesh) -> None:
    contract = served_people(mesh, generations=3, graceMinutes=10)
    port = mesh.environment.serving_port
    assert port is not None
    for number in range(5):
        publish(mesh, [f"person {number}"])
    states = [one.state for one in port.held(PRODUCT)]
    assert sorted(states) == [State.CURRENT, State.REPLACED, State.REPLACED]
    assert bring_level(mesh.environment, contract, now=datetime.now(UTC)) == []
    later = datetime.now(UTC) + timedelta(minutes=11)
    assert len(bring_level(mesh.environment, contract, now=later)) == 2
    assert [one.state for one in port.held(PRODUCT)] == [State.CURRENT]


def test_only_the_named_columns_are_served_and_another_choice_is_served_at_once(
    mesh: TinyMesh,
) -> None:
    served_people(mesh, columns=["born"])
    publish(mesh, ["Ada"])
    assert found(mesh).row == "[0,null]"
    contract = served_people(mesh, columns=["name"])
    assert bring_level(mesh.environment, contract) == ["version 1 is served"]
    assert found(mesh).row == '[0,"Ada"]'
    assert bring_level(mesh.environment, contract) == []


def test_who_serves_no_more_is_forgotten(mesh: TinyMesh) -> None:
    contract = served_people(mesh)
    publish(mesh, ["Ada"])
    from dataclasses import replace

    assert bring_level(mesh.environment, replace(contract, serving=None))
    port = mesh.environment.serving_port
    assert port is not None and port.get(PRODUCT, '["0"]') is None


def test_a_store_that_was_emptied_counts_from_one_again(mesh: TinyMesh, monkeypatch) -> None:
    contract = served_people(mesh)
    publish(mesh, ["Ada"])
    port = mesh.environment.serving_port
    assert port is not None
    served = port.current(PRODUCT)
    assert served is not None
    ahead = generation(9)
    port.begin(ahead)
    from shared_resources.serving_ports.port import Counted

    port.written(ahead, Counted(0, "0"))
    assert port.switch(ahead, served.generation.id)
    assert "version 1 is served" in bring_level(mesh.environment, contract)


def test_two_rows_of_one_key_are_not_served(mesh: TinyMesh, monkeypatch, caplog) -> None:
    contract = served_people(mesh)
    publish(mesh, ["Ada"])
    monkeypatch.setattr(following, "rows_of", lambda *_: iter([('["0"]', "[0]"), ('["0"]', "[1]")]))
    with pytest.raises(CannotBeServed, match="1 rows, and 2 were read"):
        bring_level(mesh.environment, contract, anew=True)
    serve_current(mesh.environment, contract)
    port = mesh.environment.serving_port
    assert port is not None and len(port.held(PRODUCT)) == 1
    assert found(mesh).row == '[0,"Ada",null]'


def test_after_an_erasure_nothing_of_before_is_left(mesh: TinyMesh) -> None:
    contract = served_people(mesh, graceMinutes=60)
    publish(mesh, ["Ada Lovelace of before"])
    publish(mesh, ["Ada Lovelace of before", "Bob"])
    assert list(renew(mesh.environment, contract)) == []
    port = mesh.environment.serving_port
    assert port is not None and [one.state for one in port.held(PRODUCT)] == [State.CURRENT]
    publish(mesh, ["Eve"])
    assert list(renew(mesh.environment, contract)) == []
    folder = mesh.environment.home / "ports"
    assert folder.is_dir()
    left = b"".join(one.read_bytes() for one in folder.rglob("*") if one.is_file())
    assert b"Ada Lovelace" not in left and b"Eve" in left


def test_an_erasure_reaches_what_is_served(mesh: TinyMesh) -> None:
    served_people(mesh, graceMinutes=60)
    publish(mesh, ["Ada Lovelace of before", "Bob"])
    publish(mesh, ["Ada Lovelace of before", "Bob", "Eve"])
    read = look_at_mesh(mesh.environment)
    who = asked_for(mesh.environment, read, "person", ["0"])
    made, _ = erase(mesh.environment, read, who, "crm@example.com", "asked for")
    assert made.done_at is not None
    assert found(mesh).row is None and found(mesh, "1").row == '[1,"Bob",null]'
    files = (mesh.environment.home / "ports").rglob("*")
    assert not [one for one in files if one.is_file() and b"Ada Lovelace" in one.read_bytes()]
