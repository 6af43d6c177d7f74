"""Pins: the version of each product that a run reads, the same from its first step to its last.

Belongs here: remembering, across a run's step processes, which version the run saw first.
Does not belong here: opening versions (the stores) or the lineage that is published with them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from shared_resources.io_managers.protocol import Version

_KEPT_SECONDS = 14 * 24 * 3600  # no run lasts longer; older pins belong to runs that are over


@dataclass(frozen=True)
class Pin:
    """`store` is where the version was read (lake or warehouse), `number` its number there."""

    product: str
    store: str
    number: int
    snapshot: str

    def __str__(self) -> str:
        return f"{self.store}:{self.number}:{self.snapshot}"


def pin_of(version: Version) -> Pin:
    """The pin of a version that was published or opened."""
    return Pin(version.product, version.store, version.number, version.snapshot)


class Pins:
    """One small file a run and product below `root`, created exclusively: the first reader decides."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _file(self, run_id: str, product: str) -> Path:
        if not run_id or "/" in run_id or run_id.startswith("."):
            raise ValueError(f"{run_id!r} is no run id")
        return self._root / run_id / (product.replace("/", ".") + ".json")

    def get(self, run_id: str, product: str) -> Pin | None:
        try:
            stored = json.loads(self._file(run_id, product).read_text())
        except FileNotFoundError:
            return None
        return Pin(**stored)

    def keep_first(self, run_id: str, pin: Pin) -> Pin:
        """Pin, unless the run has pinned the product already; return the pin that holds."""
        file = self._file(run_id, pin.product)
        if not file.parent.exists():
            self._forget_old()
        temporary = self._write_beside(file, pin)
        try:
            os.link(temporary, file)
        except FileExistsError:
            held = self.get(run_id, pin.product)
            return held or pin
        finally:
            temporary.unlink()
        return pin

    def replace(self, run_id: str, pin: Pin) -> None:
        """Pin what the run itself has just published: its later steps read that."""
        file = self._file(run_id, pin.product)
        self._write_beside(file, pin).replace(file)

    def _write_beside(self, file: Path, pin: Pin) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{uuid.uuid4().hex}")
        temporary.write_text(json.dumps(vars(pin)))
        return temporary

    def _forget_old(self) -> None:
        oldest = time.time() - _KEPT_SECONDS
        with contextlib.suppress(FileNotFoundError):
            for run in self._root.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if run.stat().st_mtime < oldest:
                        shutil.rmtree(run)
