"""The access logs of all machines in one place: nothing twice, nothing lost, nobody waits."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared_resources.access import shared_log
from shared_resources.access.log import AccessLog, reading_of
from shared_resources.access.shared_log import SharedLog, send_soon
from shared_resources.object_store.stored_file import StoredFile
from shared_resources.wiring import ProductionEnvironment
from tests.cli.commands import call

PLACE = "s3://bucket/_access_log"


class Objects:
    """S3 as far as a log needs it; `down` while it answers nobody."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.down = False
        self.waits: threading.Event | None = None

    def put_once(self, location: str, body: bytes) -> bool:
        if self.waits is not None:
            assert self.waits.wait(60)
        if self.down:
            raise ConnectionError
        if location in self.kept:
            return False
        self.kept[location] = body
        return True

    def read(self, location: str) -> bytes:
        return self.kept[location]

    def listing(self, below: str) -> list[StoredFile]:
        now = datetime.now(UTC)
        found = sorted(one for one in self.kept if one.startswith(below))
        return [StoredFile(one, len(self.kept[one]), now) for one in found]


@pytest.fixture
def objects() -> Any:
    return Objects()


def noted(folder: Path, *products: str) -> None:
    log = AccessLog(folder)
    for product in products:
        log.end(log.begin(reading_of("marketing", product, 1, "lake", ["id"])), 3)


def products(objects: Any, folder: Path) -> list[str]:
    """Of who asks on another machine."""
    log = AccessLog(folder, SharedLog(objects, PLACE))
    found = [(one.product, one.rows) for one in log.readings()]
    assert all(rows == 3 for _, rows in found)
    return sorted(product for product, _ in found)


def test_what_each_machine_notes_is_read_on_any(objects: Any, tmp_path: Path) -> None:
    shared = SharedLog(objects, PLACE)
    for machine in ("one", "two"):
        noted(tmp_path / machine, f"crm/{machine}")
        assert shared.send(tmp_path / machine) > 0
        assert shared.send(tmp_path / machine) == 0
    assert products(objects, tmp_path / "three") == ["crm/one", "crm/two"]
    assert products(objects, tmp_path / "one") == ["crm/one", "crm/two"]
    noted(tmp_path / "one", "crm/more")
    shared.send(tmp_path / "one")
    assert products(objects, tmp_path / "three") == ["crm/more", "crm/one", "crm/two"]
    assert len(objects.kept) == 3


@pytest.mark.parametrize("left", [b"", b"0", b"half a numb"])
def test_who_died_before_he_noted_what_he_sent_sends_nothing_twice(
    objects: Any, tmp_path: Path, left: bytes
) -> None:
    shared, folder = SharedLog(objects, PLACE), tmp_path / "one"
    noted(folder, "crm/first")
    shared.send(folder)
    for file in folder.glob("*/*.sent"):
        file.write_bytes(left)
    noted(folder, "crm/second")
    shared.send(folder)
    assert products(objects, tmp_path / "other") == ["crm/first", "crm/second"]
    lines = [line for body in objects.kept.values() for line in body.splitlines()]
    assert len(lines) == len(set(lines)) == 4


def test_a_line_that_is_half_written_is_sent_when_it_is_whole(objects: Any, tmp_path: Path) -> None:
    shared, folder = SharedLog(objects, PLACE), tmp_path / "one"
    noted(folder, "crm/first")
    (file,) = folder.glob("*/*.jsonl")
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"id":"x",')
    shared.send(folder)
    assert b"".join(objects.kept.values()) == whole
    file.write_bytes(whole + b'{"id":"x","rows":1}\n')
    shared.send(folder)
    assert b"".join(objects.kept.values()) == file.read_bytes()


def test_many_lines_are_sent_in_several_objects(
    objects: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_log, "MOST_BYTES", 1_000)
    names = [f"crm/p{number}" for number in range(10)]
    noted(tmp_path / "one", *names)
    SharedLog(objects, PLACE).send(tmp_path / "one")
    assert len(objects.kept) > 2
    assert products(objects, tmp_path / "other") == sorted(names)


def test_a_copy_of_a_machines_folder_is_another_machine(objects: Any, tmp_path: Path) -> None:
    """As where an image of a machine was made after it had read something."""
    shared, one, two = SharedLog(objects, PLACE), tmp_path / "one", tmp_path / "two"
    one.mkdir()
    (one / ".machine").write_text("the same")
    for folder, product in ((one, "crm/one"), (two, "crm/two")):
        noted(folder, product)
        (folder / ".machine").write_text("the same")
        shared.send(folder)
    assert products(objects, tmp_path / "other") == ["crm/one", "crm/two"]


def test_no_reader_waits_for_the_shared_place(objects: Any, tmp_path: Path) -> None:
    objects.waits = threading.Event()
    log = AccessLog(tmp_path / "one", SharedLog(objects, PLACE))
    log.end(log.begin(reading_of("marketing", "crm/one", 1, "lake", None)), 3)
    assert objects.kept == {}  # and he is here already
    objects.waits.set()
    for sender in shared_log._senders.values():
        sender.ending.set()
        sender.join(60)
    assert products(objects, tmp_path / "other") == ["crm/one"]


def test_what_cannot_be_sent_is_said_kept_and_sent_later(
    objects: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared_log, "EVERY", 0.01)
    objects.down = True
    folder, shared = tmp_path / "one", SharedLog(objects, PLACE)
    noted(folder, "crm/one")
    send_soon(folder, shared)
    sender = next(one for (_, at), one in shared_log._senders.items() if at == folder)
    while "cannot be sent" not in caplog.text:
        sender.join(0.01)
    objects.down = False
    while not objects.kept:
        sender.join(0.01)
    assert products(objects, tmp_path / "other") == ["crm/one"]


def test_who_ends_on_the_next_day_has_ended(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    log.end(log.begin(reading_of("marketing", "crm/one", 1, "lake", None)), 7)
    (file,) = tmp_path.glob("*/*.jsonl")
    begun, ended = file.read_bytes().splitlines(keepends=True)
    for day, line in (("2026-01-31", begun), ("2026-02-01", ended)):
        (tmp_path / day).mkdir()
        (tmp_path / day / "1.jsonl").write_bytes(line)
    file.unlink()
    assert [one.rows for one in log.readings()] == [7]


ELSEWHERE = """
from pathlib import Path
from shared_resources.access import shared_log
from shared_resources.access.log import AccessLog, reading_of
from shared_resources.wiring import current

shared_log.LAST = 60.0  # a busy machine takes its time
log = AccessLog(Path("FOLDER"), current().shared_access_log)
log.end(log.begin(reading_of("marketing", "crm/elsewhere", 1, "lake", None)), 3)
"""


def test_a_process_that_ends_has_sent_what_it_noted(
    production: ProductionEnvironment, tmp_path: Path
) -> None:
    """On a machine of its own, which is gone then. `mesh access log` shows it on another."""
    code = ELSEWHERE.replace("FOLDER", str(tmp_path / "gone"))
    subprocess.run([sys.executable, "-c", code], check=True)
    del production
    told = call("access", "log", "--json")
    assert told.code == 0, told.err
    assert [(one["product"], one["rows"]) for one in told.json] == [("crm/elsewhere", 3)]
