"""What a power cut leaves: whatever was not on disk at the commit is gone, and every version opens.

A power cut is replayed: of each file that was never synced nothing is left, and a name whose folder
was not synced since is not there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared_resources.wiring import LocalEnvironment
from tests.guarantees.orders import COLUMNS, KEY, LANDING, amounts, land_orders, orders_product
from tests.tiny_mesh import TinyMesh, contract_text


class Disk:
    """What was synced of the files below `root`: the name, and how many bytes it had then."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[int, int] = {}
        self.entries: set[tuple[int, str]] = set()

    def synced(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_dir():
            folder = path.stat().st_ino
            self.entries.update((folder, entry.name) for entry in path.iterdir())
        elif path.exists():
            self.files[path.stat().st_ino] = path.stat().st_size

    def cut(self, target: Path) -> None:
        """Copy what a machine would find after a power cut now."""
        for path in sorted(self.root.rglob("*")):
            copy = target / path.relative_to(self.root)
            database = path.name.partition(".db")[1] != ""  # SQLite and DuckDB sync by themselves
            if not database and not all(self._is_named(one) for one in self._above(path)):
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                copy.mkdir(exist_ok=True)
            elif database:
                shutil.copy(path, copy)
            else:
                kept = self.files.get(path.stat().st_ino, 0)
                copy.write_bytes(path.read_bytes()[:kept])

    def _is_named(self, path: Path) -> bool:
        return (path.parent.stat().st_ino, path.name) in self.entries

    def _above(self, path: Path) -> list[Path]:
        return [one for one in (path, *path.parents) if self.root in one.parents]


@contextmanager
def watched(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    original: Callable[[int], None] = os.fsync

    def fsync(descriptor: int) -> None:
        original(descriptor)
        disk.synced(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        yield


@pytest.mark.parametrize("server", ["lake", "warehouse"])
def test_what_was_published_is_there_after_a_power_cut(
    mesh: TinyMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    mesh.product(
        KEY, contract_text(KEY, COLUMNS, servers=[server], properties={"landing": LANDING})
    )
    home = mesh.environment.home
    home.mkdir(exist_ok=True)
    disk = Disk(home / server)
    with watched(disk, monkeypatch):
        land_orders(mesh, [1.0, 2.0])
        assert mesh.run(KEY).success
        land_orders(mesh, [3.0])
        assert mesh.run(KEY).success
    shutil.move(home / server, tmp_path / "before")
    disk.root = tmp_path / "before"
    (home / server).mkdir()
    disk.cut(home / server)
    after = TinyMesh(LocalEnvironment(mesh.root, home), mesh.instance)
    assert amounts(after, 1) == [1.0, 2.0]
    assert amounts(after) == [3.0]


def test_what_was_refused_is_there_after_a_power_cut(
    mesh: TinyMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders_product(mesh)
    home = mesh.environment.home
    disk = Disk(home / "quarantine")
    with watched(disk, monkeypatch):
        land_orders(mesh, [1.0, -2.0])
        assert not mesh.run(KEY).success
    disk.cut(tmp_path / "after")
    shutil.rmtree(home / "quarantine")
    shutil.move(tmp_path / "after", home / "quarantine")
    quarantine = LocalEnvironment(mesh.root, home).quarantine
    (entry,) = quarantine.list(KEY)
    assert quarantine.rows(entry).read_all()["amount"].to_pylist() == [1.0, -2.0]
