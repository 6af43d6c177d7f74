"""Who reads by the key sees one whole version, never an older one after a newer, whoever writes and dies.

Two writers race without any lock, each takes the other's unfinished generation for a dead one's, and both
are killed, at moments of chance and at each step of writing; readers read all the while. On Cassandra the
server is killed and started again, too.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared_resources.serving_ports.port import ServingPort, State
from tests.forkserver import forkserver
from tests.guarantees.generations import (
    STEPS,
    Where,
    looking_on,
    port_at,
    write_one_version_after_the_other,
)
from tests.nightly import times
from tests.serving_ports.made import PRODUCT
from tests.stand_ins.cassandra import Cassandra, running_cassandra

ROUNDS, ROWS = 30, 3_000
ON_CASSANDRA, ROWS_THERE = times(8, 40), 300
# A step, and when in it; loading takes longest, and is died in, too.
DEATHS = ("load in", *(f"{step} {when}" for step in STEPS for when in ("before", "after")))


def _race(where: Where, rows: int, deaths: tuple[str, str], chance: random.Random) -> int:
    """Two writers from the version after the current one, killed; returns that version. An empty death
    comes at a moment of chance."""
    begin = _current(port_at(where)) + 1
    ready = [forkserver().Event() for _ in range(2)]
    writers = [
        forkserver().Process(
            target=write_one_version_after_the_other,
            args=(where, range(begin + n, begin + 40), rows, ready[n], deaths[n]),
        )
        for n in range(2)
    ]
    for writer in writers:
        writer.start()
    for writer, is_ready, death in zip(writers, ready, deaths, strict=True):
        assert is_ready.wait(60)
        if death:
            writer.join(30)
        else:
            time.sleep(chance.uniform(0.02, 0.6) * (1 if isinstance(where, Path) else 5))
        writer.kill()
        writer.join()
    return begin


def _current(port: ServingPort) -> int:
    held = port.current(PRODUCT)
    assert held is not None
    return held.generation.version


def _finish(where: Where, rows: int) -> ServingPort:
    """The next writer comes to its end, and what the dead ones left is gone."""
    port = port_at(where)
    last = _current(port) + 1
    write_one_version_after_the_other(where, range(last, last + 1), rows)
    assert _current(port) == last
    unfinished = (State.WRITING, State.WRITTEN, State.DROPPING)
    assert [one for one in port.held(PRODUCT) if one.state in unfinished] == []
    return port


@pytest.mark.slow
def test_killed_and_racing_writers_show_whole_versions_in_their_order(tmp_path: Path) -> None:
    chance = random.Random(11)
    with looking_on(tmp_path, ROWS) as (seen,):
        write_one_version_after_the_other(tmp_path, range(1, 2), ROWS)
        for number in range(ROUNDS):
            death = "" if number % 2 else DEATHS[number // 2 % len(DEATHS)]
            _race(tmp_path, ROWS, (death, ""), chance)
        _finish(tmp_path, ROWS)
    assert seen.wrong == [] and len(seen.versions) >= 3


@pytest.fixture
def cassandra() -> Iterator[Cassandra]:
    with running_cassandra() as made:
        yield made


@pytest.mark.slow
def test_on_cassandra_they_do_so_too_and_while_it_is_killed(cassandra: Cassandra) -> None:
    where, chance = cassandra.fresh(), random.Random(11)
    write_one_version_after_the_other(where, range(1, 2), ROWS_THERE)
    with looking_on(where, ROWS_THERE, readers=2) as seen:
        for number in range(ON_CASSANDRA):
            # Each death comes in some round; who is not told when to die dies at a moment of chance.
            deaths = (
                DEATHS[number % len(DEATHS)],
                DEATHS[-1 - number % 3] if number % 4 == 3 else "",
            )
            _race(where, ROWS_THERE, deaths, chance)
            if number == ON_CASSANDRA // 2:
                cassandra.kill_and_restart()
        port = _finish(where, ROWS_THERE)
    for one in seen:
        assert one.wrong == [] and len(one.versions) >= 3
    if _tables(cassandra, where) != (held := _held(port)):
        # What a process had asked for before it was killed may come to be a while after: the next
        # version finds that.
        held = _held(_finish(where, ROWS_THERE))
    assert _tables(cassandra, where) == held


def _held(port: ServingPort) -> set[str]:
    return {f"g_{one.generation.id}" for one in port.held(PRODUCT)}


def _tables(cassandra: Cassandra, where: dict[str, str]) -> set[str]:
    keyspace = where["MESH_SERVING"].split("/")[3]
    with cassandra.session() as session:
        there = session.execute(  # type: ignore[attr-defined]
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (keyspace,)
        )
        return {one.table_name for one in there} - {"mesh_generations"}
