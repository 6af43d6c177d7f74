"""A disk that fills up while a batch is made: readers see the old version or the new one, whole.

And with room again the retried run succeeds, and nothing that was half written stays. The disk holds
all that the mesh writes locally: staged files, local copies, quarantine, catalog, state.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared_resources.environment import Environment
from shared_resources.governance.quarantine.folder import QuarantineFolder
from shared_resources.governance.quarantine.quarantine import Quarantine, Rejection
from shared_resources.object_store.local_copies import LocalCopies
from shared_resources.stores.staging.staging_area import OWNER
from shared_resources.wiring import LocalEnvironment
from tests.faults.small_disk import SmallDisk, on_small_disk
from tests.guarantees.orders import COLUMNS, KEY, LANDING, orders_table
from tests.guarantees.processes import make_batch
from tests.tiny_mesh import TinyMesh, contract_text

ROWS = 20_000
KIB = 1024
# The staged files take some 200 KiB, a published version of both stores about three times that.
ROOMS = (0, 4, 16, 64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 1024)
FULL = ("No space left", "File too large", "disk is full", "disk I/O error", "write error")


@pytest.mark.slow
def test_a_batch_is_made_while_the_disk_fills_up(mesh: TinyMesh, tmp_path: Path) -> None:
    properties = {"landing": LANDING, "lossBudgetPercent": 50}
    stores = ("lake", "warehouse")
    mesh.product(KEY, contract_text(KEY, COLUMNS, servers=stores, properties=properties))
    on_small_disk(_make_batches, tmp_path / "disk", mesh.root)


def _make_batches(disk: SmallDisk, root: Path) -> None:
    environment = LocalEnvironment(root, disk.root)
    chance = random.Random(7)
    current = _land(environment, 0, chance)
    assert make_batch(environment, KEY, "first")
    failed = 0
    for number, room in enumerate(ROOMS, start=1):
        new = _land(environment, number, chance)
        run = f"run-{number}"
        with disk.with_room_for(room * KIB):
            try:
                make_batch(environment, KEY, run)
            except Exception as problem:  # noqa: BLE001 - whichever library hit the end of the disk
                failed += 1
                assert any(said in _chain(problem) for said in FULL), problem
        for seen in _seen(environment):
            assert seen in (current, new), f"half a batch is readable after {room} KiB"
        assert make_batch(environment, KEY, run), "the retried run succeeds"
        assert list(_seen(environment)) == [new, new]
        current = new
        entry = environment.quarantine.list(KEY)[-1]
        kept = environment.quarantine.rows(entry).read_all()
        assert kept.num_rows == entry.rows == 1, "a rejected row is lost"
    assert failed > 3, f"only {failed} runs met the end of the disk"
    for store in environment.stores.values():
        store.remove_orphans(KEY, timedelta(0))
    assert not _left(environment), "half-written files stay"


def _land(environment: Environment, number: int, chance: random.Random) -> list[float]:
    """A new extract with one row that breaks the contract; returns the others."""
    import pyarrow.parquet as pq

    amounts = [chance.random() + 1 for _ in range(ROWS)]
    file = environment.landing_zone.root / f"{KEY}/{number:04}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(orders_table([*amounts, -1.0]), file)
    for older in file.parent.glob("*.parquet"):
        if older != file:
            older.unlink()
    return amounts


def _seen(environment: Environment) -> Iterator[list[float]]:
    """What readers of each store see; every version that is listed can be read."""
    for store in environment.stores.values():
        for version in store.versions(KEY)[-3:]:
            assert store.open(KEY, version.number).batches().read_all().num_rows == version.rows
        yield store.open(KEY).batches().read_all()["amount"].to_pylist()


def _left(environment: Environment) -> list[Path]:
    """What was begun, and staged files that no version of a store is made of."""
    needed = {
        path
        for store in environment.stores.values()
        for version in store.versions(KEY)
        for path in store.open(KEY, version.number).paths()
    }
    return [
        path
        for path in environment.home.rglob("*")
        if path.is_file() and {"data", ".incoming", "incoming"}.intersection(path.parts)
        if path not in needed and path.name != OWNER
    ]


def _chain(problem: BaseException | None) -> str:
    said = ""
    while problem is not None:
        said += f"{problem}\n"
        problem = problem.__cause__ or problem.__context__
    return said


def test_a_local_copy_is_whole_or_absent(tmp_path: Path) -> None:
    on_small_disk(_copy_files, tmp_path / "disk")


def _copy_files(disk: SmallDisk) -> None:
    copies = LocalCopies(disk.root / "copies")
    content = random.Random(1).randbytes(512 * KIB)

    def fetch(to: Path) -> None:
        with to.open("wb") as file:
            for start in range(0, len(content), 16 * KIB):
                file.write(content[start : start + 16 * KIB])

    for room in (0, 16, 300, 500):
        with disk.with_room_for(room * KIB), pytest.raises(OSError):
            copies.get(f"s3://lake/{room}.parquet", fetch)
        copy = copies.get(f"s3://lake/{room}.parquet", fetch)
        assert copy.read_bytes() == content
    assert not list((disk.root / "copies").rglob("*.part"))
    if disk.mounted:
        idle = LocalCopies(disk.root / "copies", in_use=0)
        with disk.with_room_for(64 * KIB):  # the other copies make room when nobody uses them
            assert idle.get("s3://lake/next.parquet", fetch).read_bytes() == content


def test_a_quarantined_entry_is_whole_or_absent(tmp_path: Path) -> None:
    on_small_disk(_quarantine, tmp_path / "disk", tmp_path)


def _quarantine(disk: SmallDisk, elsewhere: Path) -> None:
    """The rejected file lies on another disk, so that it has to be copied."""
    if not disk.mounted:
        return  # it is linked, which takes no room
    rejected = elsewhere / "rejected.csv"
    rejected.write_bytes(random.Random(1).randbytes(512 * KIB))
    quarantine = Quarantine(QuarantineFolder(disk.root / "quarantine"))
    reasons = (("readable", "schema", 1, "no CSV at all"),)
    for room in (0, 16, 300, 500):
        rejection = Rejection(KEY, "object", f"batch-{room}", "run", 1, reasons, "1.0.0", "digest")
        before = len(quarantine.list(KEY))
        with disk.with_room_for(room * KIB), pytest.raises(OSError):
            quarantine.put(rejection, [rejected])
        assert len(quarantine.list(KEY)) == before, "half an entry is listed"
        entry = quarantine.put(rejection, [rejected])
        (kept,) = quarantine.files(entry)
        assert kept.read_bytes() == rejected.read_bytes()
    assert not list((disk.root / "quarantine" / ".incoming").iterdir())
