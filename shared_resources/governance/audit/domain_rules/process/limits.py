"""What the system lets a process that runs a domain's rule do: memory, writing, other processes.

Belongs here: the limits that the kernel keeps, set by a process on itself and on all it starts.
Does not belong here: how long it may take; who waits for it ends it (`client.py`).

Files are made read-only by Landlock, which holds for root as well, and which also keeps the process
from looking into others' memory and variables, and from ending them. Kernels without it leave the
files to the audit, which looks whether one was touched (`governance/audit/domain_rules/asking.py`), and
others' memory and variables to a user namespace.
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
_SCOPE_SIGNAL = 1 << 1  # came with version 6, after `network`, of which nothing is asked here
_NEW_USER = 0x1000_0000
_DROP_FROM_BOUNDING_SET = 24
_CAPABILITIES_VERSION = 0x2008_0522
_MOST_CAPABILITIES = 64
_ANY_FILE = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


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


def limit_processor(seconds: float) -> None:
    """Let this process, and each that it starts, compute for so long on every processor.

    Whoever waits for it ends it long before; this ends what nobody waits for any more.
    """
    most = int(seconds * (os.cpu_count() or 1)) + 1
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))


def _data_bytes() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 1 << 30
    return 1024 * next(
        int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData")
    )


def landlock() -> int:
    """The version of Landlock that the kernel has, 0 for none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return int(max(0, libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def write_only_below(folder: Path) -> bool:
    """Let this process write below `folder` and nowhere else; whether the kernel can do that."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = landlock()
    if not version:
        return False
    handled = _WRITING | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    scoped = version >= 6
    asked = _Ruleset(handled, 0, _SCOPE_SIGNAL if scoped else 0)
    # An older kernel knows the first field alone.
    size = ctypes.sizeof(asked) if scoped else ctypes.sizeof(ctypes.c_uint64)
    rules = libc.syscall(_CREATE_RULESET, ctypes.byref(asked), ctypes.c_size_t(size), 0)
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


def drop_privileges() -> None:
    """Give up for good what root may beyond other users, but for reading and writing any file.

    With `CAP_PERFMON` root looks into other processes although Landlock says no.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with contextlib.suppress(AttributeError):
        for capability in range(_MOST_CAPABILITIES):
            if capability not in _ANY_FILE:
                libc.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
        header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)  # of this process
        before = (ctypes.c_uint32 * 6)()
        if libc.capget(header, before) == 0:
            kept = sum(1 << capability for capability in _ANY_FILE)
            effective, permitted = before[0] & kept, before[1] & kept
            libc.capset(header, (ctypes.c_uint32 * 6)(effective, permitted, 0, 0, 0, 0))


def stand_apart() -> bool:
    """Enter a user namespace of this process's own, from which no process outside can be looked
    into, whoever's it is; whether the kernel lets it.

    The user keeps his number: programs ask for it.
    """
    user, group = os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER) != 0:
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"),
                       ("gid_map", f"{group} {group} 1")):  # fmt: skip
        with contextlib.suppress(OSError):
            Path(f"/proc/self/{name}").write_text(text)
    return True


def end_with_parent(signal_number: int) -> None:
    """Get this signal when the process that started this one ends (where the kernel can)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal_number, 0, 0, 0)


def inherit_orphans() -> None:
    """Become the parent of what descendants leave behind (where the kernel can)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
