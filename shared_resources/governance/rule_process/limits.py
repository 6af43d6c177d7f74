"""What the system lets a process that runs a domain's rule do: memory, and where it may write.

Belongs here: the limits that the kernel keeps, set by a process on itself and on all it starts.
Does not belong here: how long it may run; who waits for it ends it (`client.py`).

Files are made read-only by Landlock, which holds for root as well, and which also keeps the process
from looking into others' memory and variables. Kernels without it leave the files to the audit,
which looks whether one was touched (`domain_rules.py`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION = 1
_BENEATH = 1
_NO_NEW_PRIVILEGES = 38
_PARENT_DEATH_SIGNAL = 1
_SUBREAPER = 36
_WRITE_FILE = 1 << 1
# WRITE_FILE, REMOVE_DIR to MAKE_SYM; REFER and TRUNCATE came with versions 2 and 3.
_WRITING = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def limit_memory(more: int) -> None:
    """Let this process take `more` bytes than it has now; what asks for more gets none."""
    most = _data_bytes() + more
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _data_bytes() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 1 << 30
    return 1024 * next(
        int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData")
    )


def write_only_below(folder: Path) -> bool:
    """Let this process write below `folder` and nowhere else; whether the kernel can do that."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    handled = _WRITING | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    asked = _Ruleset(handled)
    rules = libc.syscall(
        _CREATE_RULESET, ctypes.byref(asked), ctypes.c_size_t(ctypes.sizeof(asked)), 0
    )
    if rules < 0:
        return False
    try:
        _allow(libc, rules, folder, handled)
        _allow(libc, rules, Path(os.devnull), _WRITE_FILE)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, access: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = _Beneath(access, descriptor)
        libc.syscall(_ADD_RULE, rules, _BENEATH, ctypes.byref(beneath), 0)
    finally:
        os.close(descriptor)


def end_with_parent(signal_number: int) -> None:
    """Get this signal when the process that started this one ends (where the kernel can)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal_number, 0, 0, 0)


def inherit_orphans() -> None:
    """Become the parent of what descendants leave behind (where the kernel can)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
