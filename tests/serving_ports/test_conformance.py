"""What every serving port does alike: the suite that a port has to pass.

Belongs here: what readers and writers may rely on. Does not belong here: one port's own ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared_resources.serving_ports.cassandra.port import CassandraPort
from shared_resources.serving_ports.cassandra.session import CassandraSession
from shared_resources.serving_ports.cassandra.settings import read_settings
from shared_resources.serving_ports.port import Behind, ServingPort, State, Superseded
from shared_resources.serving_ports.sqlite_port import SqlitePort
from tests.serving_ports.made import PRODUCT, generation, rows, written
from tests.stand_ins.cassandra import Cassandra, running_cassandra


@pytest.fixture(scope="module")
def cassandra() -> Iterator[Cassandra]:
    with running_cassandra() as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("cassandra", marks=pytest.mark.slow)])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServingPort]:
    if request.param == "sqlite":
        yield SqlitePort(tmp_path / "ports")
        return
    settings = read_settings(request.getfixturevalue("cassandra").fresh())
    assert settings is not None
    session = CassandraSession(settings)
    yield CassandraPort(session)
    session.opened.cluster.shutdown()


def test_nothing_is_served_before_the_switch(port: ServingPort) -> None:
    assert port.get(PRODUCT, '["1"]') is None and port.products() == []
    first = written(port, 1)
    assert port.get(PRODUCT, '["1"]') is None
    assert port.switch(first, None)
    found = port.get(PRODUCT, '["1"]')
    assert found is not None and (found.generation.version, found.row) == (1, "[1,1]")
    assert (found.generation.rows, found.position) == (5, None)
    assert port.products() == [PRODUCT]
    missing = port.get(PRODUCT, '["77"]')
    assert missing is not None and missing.row is None


def test_what_is_stored_is_read_back(port: ServingPort) -> None:
    made = written(port, 1, 6_001)
    assert sorted(port.stored(made)) == sorted(rows(1, 6_001))


def test_only_who_has_seen_the_current_one_replaces_it(port: ServingPort) -> None:
    first, second, third = (written(port, n) for n in (1, 2, 3))
    assert port.switch(first, None)
    assert not port.switch(third, None)
    assert port.switch(second, first.id)
    assert not port.switch(third, first.id)
    current = port.current(PRODUCT)
    assert current is not None and current.generation.id == second.id
    assert [one.state for one in port.held(PRODUCT) if one.generation.id == first.id] == [
        State.REPLACED
    ]


def test_what_is_not_written_is_not_switched_to(port: ServingPort) -> None:
    made = generation(1)
    port.begin(made)
    port.load(made, rows(1))
    with pytest.raises(Superseded):
        port.switch(made, None)
    assert port.current(PRODUCT) is None


def test_a_writer_that_was_taken_for_dead_changes_nothing(port: ServingPort) -> None:
    first = written(port, 1)
    assert port.switch(first, None)
    late, later = written(port, 2), generation(3)
    port.begin(later)
    assert port.drop(PRODUCT, late.id) and port.drop(PRODUCT, later.id)
    with pytest.raises(Superseded):
        port.switch(late, first.id)
    with pytest.raises(Superseded):
        port.load(later, rows(3))
    with pytest.raises(Superseded):
        list(port.stored(later))
    assert [one.generation.id for one in port.held(PRODUCT)] == [first.id]


def test_the_current_one_is_never_dropped(port: ServingPort) -> None:
    first = written(port, 1)
    port.switch(first, None)
    assert not port.drop(PRODUCT, first.id)
    found = port.get(PRODUCT, '["1"]')
    assert found is not None and found.row == "[1,1]"
    second = written(port, 2)
    port.switch(second, first.id)
    assert port.drop(PRODUCT, first.id) and port.drop(PRODUCT, first.id)
    found = port.get(PRODUCT, '["1"]')
    assert found is not None and found.row == "[1,2]"


def test_single_rows_are_changed_with_their_position(port: ServingPort) -> None:
    first = written(port, 1)
    port.switch(first, None)
    changed = {'["1"]': "[1,100]", '["99"]': "[99,100]"}
    port.upsert(first, changed, 7, after=None, note='{"of": "one"}')
    for key, row in (("1", "[1,100]"), ("99", "[99,100]"), ("2", "[2,1]")):
        found = port.get(PRODUCT, f'["{key}"]')
        assert found is not None
        assert (found.row, found.position, found.note) == (row, 7, '{"of": "one"}')
    held = port.current(PRODUCT)
    assert held is not None and (held.position, held.note) == (7, '{"of": "one"}')
    port.upsert(first, {'["1"]': "[1,101]"}, 8, after=7)
    found = port.get(PRODUCT, '["1"]')
    assert found is not None and (found.row, found.position, found.note) == ("[1,101]", 8, "")
    assert len(list(port.stored(first))) == 6, "the position is no row"


@pytest.mark.parametrize("position, after", [(9, None), (9, 6), (9, 8), (7, 7), (6, 7)])
def test_who_does_not_come_after_what_is_there_changes_nothing(
    port: ServingPort, position: int, after: int | None
) -> None:
    first = written(port, 1)
    port.switch(first, None)
    port.upsert(first, {'["1"]': "[1,100]"}, 7, after=None)
    with pytest.raises(Behind):
        port.upsert(first, {'["1"]': "[1,50]"}, position, after=after)
    found = port.get(PRODUCT, '["1"]')
    assert found is not None and (found.row, found.position) == ("[1,100]", 7)


def test_rows_of_a_generation_that_was_replaced_are_not_changed(port: ServingPort) -> None:
    first = written(port, 1)
    with pytest.raises(Superseded):
        port.upsert(first, {'["1"]': "[1,100]"}, 7, after=None)
    port.switch(first, None)
    second = written(port, 2)
    port.switch(second, first.id)
    with pytest.raises(Superseded):
        port.upsert(first, {'["1"]': "[1,100]"}, 7, after=None)
    found = port.get(PRODUCT, '["1"]')
    assert found is not None and (found.row, found.position) == ("[1,2]", None)


def test_forgotten_is_everything(port: ServingPort) -> None:
    port.forget(PRODUCT)
    port.switch(written(port, 1), None)
    other = written(port, 1, product="crm/others")
    port.switch(other, None)
    port.forget(PRODUCT)
    port.scrub(PRODUCT)
    assert port.get(PRODUCT, '["1"]') is None and port.held(PRODUCT) == []
    assert port.products() == ["crm/others"]
    port.switch(written(port, 1), None)
    assert port.get(PRODUCT, '["1"]') is not None
