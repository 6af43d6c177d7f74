"""A disk that is full: the kernel's own refusal to write.

Belongs here: running a test's work in a process of its own on a disk of a few megabytes. Does not
belong here: what must hold afterwards (`test_full_disk.py`).

Where the kernel lets a process mount a file system of its own, that is a small tmpfs, which refuses
with ENOSPC. Elsewhere it is a limit of the size of files, which the kernel enforces with EFBIG.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.forkserver import ended, forkserver, heard, running

_NEW_NAMESPACES = 0x10000000 | 0x00020000  # of users and of mounts
_FILLER = ".filler"
_BLOCK = 4096
_PATIENCE = 240  # seconds; pytest-timeout gives a test 300


@dataclass(frozen=True)
class SmallDisk:
    """`root` lies on it; `mounted` tells whether it really is one."""

    root: Path
    mounted: bool

    @contextlib.contextmanager
    def with_room_for(self, size: int) -> Iterator[None]:
        """While the block lasts, no more than about `size` bytes can be written."""
        if not self.mounted:
            before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
            return
        filler = self.root / _FILLER
        disk = os.statvfs(self.root)
        taken = max(0, disk.f_bavail * disk.f_bsize - size) // _BLOCK * _BLOCK
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, taken))
        try:
            yield
        finally:
            filler.unlink()


def on_small_disk(
    work: Callable[..., Any], folder: Path, *arguments: Any, size: int = 64 << 20
) -> None:
    """Call `work(disk, *arguments)` in a process of its own; `folder` is where the disk is.

    What `work` raises is raised here as an `AssertionError` with the traceback. What it wrote to
    the disk is gone afterwards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    context = forkserver()
    ours, theirs = context.Pipe(duplex=False)
    variables = dict(os.environ)
    process = context.Process(
        target=_child, args=(theirs, variables, work, folder, size, arguments)
    )
    with running(process):
        theirs.close()
        problem = heard(process, ours, _PATIENCE)
        ended(process)
    assert not problem, problem


def _child(
    out: Connection,
    variables: dict[str, str],
    work: Callable[..., Any],
    folder: Path,
    size: int,
    arguments: tuple[Any, ...],
) -> None:
    os.environ.clear()
    os.environ.update(variables)
    try:
        work(SmallDisk(folder, _mount(folder, size)), *arguments)
        out.send("")
    except BaseException:  # noqa: BLE001 - whatever it is, the test must hear of it
        out.send(traceback.format_exc())


def _mount(folder: Path, size: int) -> bool:
    """Mount a tmpfs that this process alone sees; False where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_NAMESPACES) != 0:
        return False
    for file, line in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        with contextlib.suppress(OSError):
            Path(f"/proc/self/{file}").write_text(line)
    options = f"size={size}".encode()
    return bool(libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options) == 0)
