"""The files of the embedded port over the releases of the platform."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from shared_resources.serving_ports.sqlite_port import SqlitePort
from tests.serving_ports.made import PRODUCT, written


def test_a_file_of_before_is_served_on_and_can_be_followed(tmp_path: Path) -> None:
    """Generations had no note of their position once."""
    port = SqlitePort(tmp_path)
    port.switch(written(port, 1), None)
    with closing(sqlite3.connect(tmp_path / f"{PRODUCT}.db")) as before:
        before.execute("ALTER TABLE generations DROP COLUMN note")
        before.execute("PRAGMA user_version = 1")
        before.commit()
    port = SqlitePort(tmp_path)
    held = port.current(PRODUCT)
    assert held is not None and held.note == ""
    port.upsert(held.generation, {}, 1, after=None, note="x")
    found = port.get(PRODUCT, '["1"]')
    assert found is not None and (found.row, found.note) == ("[1,1]", "x")
