"""Local copies of remote files: whole or not there, fetched once, within their limit."""

from __future__ import annotations

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from shared_resources.object_store.local_copies import LocalCopies
from tests.forkserver import forkserver

NAME = "s3://bucket/data/part-00000.parquet"
DAY = 24 * 3600.0


def writes(content: bytes, calls: list[bytes] | None = None):
    def fetch(path: Path) -> None:
        if calls is not None:
            calls.append(content)
        path.write_bytes(content)

    return fetch


def copies_in(folder: Path) -> list[Path]:
    return [path for path in folder.glob("??/*") if path.is_file()]


def used_long_ago(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_a_copy_is_fetched_once_and_keeps_its_suffix(tmp_path: Path) -> None:
    copies, calls = LocalCopies(tmp_path), []
    first = copies.get(NAME, writes(b"rows", calls))
    assert (first.read_bytes(), first.suffix) == (b"rows", ".parquet")
    assert LocalCopies(tmp_path).get(NAME, writes(b"other", calls)) == first
    assert calls == [b"rows"]
    assert copies.get(NAME + "x", writes(b"x")) != first


def test_nothing_is_left_of_a_fetch_that_failed(tmp_path: Path) -> None:
    def cut(path: Path) -> None:
        path.write_bytes(b"half")
        raise ConnectionError("cut")

    copies = LocalCopies(tmp_path)
    with pytest.raises(ConnectionError):
        copies.get(NAME, cut)
    assert copies_in(tmp_path) == []
    assert copies.get(NAME, writes(b"whole")).read_bytes() == b"whole"


def test_the_copies_that_were_used_the_longest_ago_go_first(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path, limit=250)
    paths = [copies.get(f"n{number}", writes(b"x" * 100)) for number in range(2)]
    used_long_ago(paths[0], 10_000)
    used_long_ago(paths[1], 9_000)
    copies.get("n0", writes(b""))  # used again
    copies.get("n2", writes(b"x" * 100))
    assert [path.exists() for path in paths] == [True, False]


def test_copies_in_use_stay_whatever_the_limit(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path, limit=0)
    for number in range(3):
        copies.get(f"n{number}", writes(b"x"))
    assert len(copies_in(tmp_path)) == 3


def test_what_a_dead_process_left_half_fetched_goes(tmp_path: Path) -> None:
    LocalCopies(tmp_path).get(NAME, writes(b"rows"))
    left = next(tmp_path.glob("??/*.parquet")).with_name(".dead.part")
    left.write_bytes(b"half")
    used_long_ago(left, 10_000)
    LocalCopies(tmp_path).get("another", writes(b"x"))
    assert not left.exists()


def test_what_nobody_used_for_a_week_goes_below_the_limit(tmp_path: Path) -> None:
    """Rows whose retention is over are not read any more, and must not stay."""
    copies = LocalCopies(tmp_path)
    expired, kept, read = (copies.get(name, writes(b"rows")) for name in ("old", "kept", "read"))
    used_long_ago(expired, 7.1 * DAY)
    used_long_ago(kept, 6.9 * DAY)
    used_long_ago(tmp_path / ".swept", 1.1 * DAY)
    LocalCopies(tmp_path).get("read", writes(b""))  # a copy that is there is enough
    assert [path.exists() for path in (expired, kept, read)] == [False, True, True]


def test_copies_that_nobody_uses_are_looked_for_once_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    copies = LocalCopies(tmp_path)
    copies.get(NAME, writes(b"rows"))
    monkeypatch.setattr(LocalCopies, "_make_room", lambda _, limit: looked.append(limit))
    for _ in range(2):
        copies.get(NAME, writes(b""))
        LocalCopies(tmp_path).get(NAME, writes(b""))
    assert looked == []
    tomorrow = time.time() + 1.1 * DAY
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    copies.get(NAME, writes(b""))  # a process that lives long looks again, too
    copies.get(NAME, writes(b""))
    assert looked == [copies.limit]


def test_a_full_disk_is_cleared_and_tried_once_more(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path)
    old = copies.get("old", writes(b"x" * 100))
    used_long_ago(old, 10_000)

    def full_at_first(path: Path) -> None:
        if old.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_bytes(b"rows")

    assert copies.get(NAME, full_at_first).read_bytes() == b"rows"


def test_the_limit_can_be_set_for_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_COPIES_BYTES", "123")
    assert LocalCopies(tmp_path).limit == 123


@pytest.mark.parametrize(("size", "left"), [(4, b"ro"), (4, b""), (None, b"")])
def test_a_copy_that_a_power_cut_made_shorter_is_fetched_again(
    tmp_path: Path, size: int | None, left: bytes
) -> None:
    copies, calls = LocalCopies(tmp_path), []
    copy = copies.get(NAME, writes(b"rows", calls), size)
    copy.chmod(0o644)
    copy.write_bytes(left)
    assert copies.get(NAME, writes(b"rows", calls), size).read_bytes() == b"rows"
    assert copies.get(NAME, writes(b"rows", calls), size).read_bytes() == b"rows"
    assert len(calls) == 2


def test_a_file_that_was_sent_away_is_its_own_copy(tmp_path: Path) -> None:
    (tmp_path / "staged").write_bytes(b"rows")
    copies, calls = LocalCopies(tmp_path / "copies"), []
    copies.adopt(NAME, tmp_path / "staged")
    copies.adopt(NAME, tmp_path / "staged")
    (tmp_path / "staged").unlink()
    assert copies.get(NAME, writes(b"other", calls)).read_bytes() == b"rows"
    assert calls == []


def fetch_slowly(
    folder: Path, log: Path, together: Barrier, out: Connection | None = None
) -> bytes:
    def fetch(path: Path) -> None:
        with log.open("a") as lines:
            lines.write("fetched\n")
        time.sleep(0.2)
        path.write_bytes(b"rows" * 1000)

    together.wait(60)
    read = LocalCopies(folder).get(NAME, fetch).read_bytes()
    if out is not None:
        out.send(read)
    return read


def test_of_many_threads_and_processes_one_fetches(tmp_path: Path) -> None:
    context = forkserver()
    others, out = context.Pipe(duplex=False)
    arguments = (tmp_path / "copies", tmp_path / "log", context.Barrier(6))
    started = [context.Process(target=fetch_slowly, args=(*arguments, out)) for _ in range(3)]
    for process in started:
        process.start()
    with ThreadPoolExecutor(3) as threads:
        ours = [threads.submit(fetch_slowly, *arguments) for _ in range(3)]
        read = {future.result() for future in ours}
    for process in started:
        process.join(60)
        assert process.exitcode == 0
        read.add(others.recv())
    assert read == {b"rows" * 1000}
    assert (tmp_path / "log").read_text() == "fetched\n"
