"""What one run cost: seconds and peak memory of this process and its children.

Belongs here: measuring around a run, for `mesh run --json` and the benchmarks.
Does not belong here: deciding anything by it.
"""

from __future__ import annotations

import contextlib
import resource
import time
from pathlib import Path

from shared_resources.data_products.dbt.forking.asking import peak_kib

_RESET_PEAK = "5"  # proc(5), clear_refs: reset the peak resident set size


class Meter:
    """Starts on creation. Peaks are None where the kernel does not tell them (not on Linux)."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text(_RESET_PEAK)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def peak_mib(self) -> float | None:
        """The most memory that this process, or the largest of those that it has had do something so
        far, has held."""
        try:
            status = Path("/proc/self/status").read_text()
        except OSError:
            return None
        own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return max(own, children, peak_kib()) / 1024
