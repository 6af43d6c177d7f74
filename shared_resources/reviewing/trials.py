"""Trials: the products of a domain made without being published, and what that changes for readers.

Belongs here: what a trial tells (`Tried`), the port (`Trial`), and the one by rehearsals, or in a branch.
Does not belong here: what runs in its process (`trial_process.py`), a rehearsal (`rehearsing/`).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Protocol

from shared_resources.environment import Environment
from shared_resources.reviewing.child import Ended, run_child

PROCESS = "shared_resources.reviewing.trial_process"


class Became(StrEnum):
    """What became of a product that was tried."""

    MADE = "made"
    REFUSED = "refused"
    FAILED = "failed"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Changed:
    """Rows against the published `version`, by the primary key; `columns` counts rows by column."""

    version: int
    added: int
    gone: int
    changed: int
    columns: Mapping[str, int]
    new_columns: Sequence[str]
    gone_columns: Sequence[str]
    retyped_columns: Sequence[str]


@dataclass(frozen=True)
class Broken:
    """A rule that did not hold. `message` holds no classified value; rows are not told."""

    rule: str
    message: str
    rows: int | None
    refuses: bool
    line: int = 0


@dataclass(frozen=True)
class Tried:
    """One product's trial: numbers and names, no value. `why` says what failed or was left out.

    `sampled` says that an input was not read whole: then rows may be gone that are not. `branch` is
    the one in which it is published, if it is anywhere.
    """

    product: str
    became: Became
    why: str = ""
    partitions: Sequence[str] = ()
    sampled: bool = False
    publishable: int = 0
    quarantined: int = 0
    broken: Sequence[Broken] = ()
    changed: Changed | None = None
    seconds: float = 0.0
    branch: str = ""

    def text(self) -> str:
        """On one line, for another process; `read` is the inverse."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Tried:
        told = json.loads(text)
        changed = told.pop("changed")
        broken = tuple(Broken(**one) for one in told.pop("broken"))
        became = Became(told.pop("became"))
        return cls(
            **told,
            became=became,
            broken=broken,
            changed=Changed(**changed) if changed is not None else None,
        )


class Trial(Protocol):
    """A way to make products without publishing them in production."""

    @property
    def makes_consumers(self) -> bool:
        """Whether what is made is read by what is made after it."""
        ...

    def of(self, products: Sequence[str]) -> Iterator[Tried]:
        """One for each of the products, in their order. Never raises for what is wrong with one of
        them: it says so."""
        ...


@dataclass(frozen=True)
class Rehearsals:
    """Each product rehearsed from the first `sample` rows of its inputs, in a process of the domain;
    or made and published in a branch, where the products after it read it.

    A product of whose inputs only a part was read is made again from all of them when it is refused:
    what a sample lacks is no fault of the change. The process ends after `patience` seconds.
    """

    environment: Environment
    sample: int | None
    patience: float
    branch: str | None = None

    @property
    def makes_consumers(self) -> bool:
        return self.branch is not None

    def of(self, products: Sequence[str]) -> Iterator[Tried]:
        lacking: set[str] = set()
        for _, keys in groupby(products, key=lambda product: product.partition("/")[0]):
            for tried in self._of_domain(list(keys), lacking):
                if tried.became is not Became.MADE:
                    lacking.add(tried.product)
                yield tried

    def _of_domain(self, waiting: list[str], lacking: Collection[str]) -> Iterator[Tried]:
        while waiting:
            with tempfile.TemporaryDirectory(prefix="mesh-trial-") as made:
                answers = Path(made) / "answers"
                asked = {
                    "products": waiting,
                    "sample": self.sample,
                    "answers": str(answers),
                    "branch": self.branch,
                    "lacking": sorted(lacking),
                }
                ended = self._run(Path(made), json.dumps(asked))
                told = answers.read_text().splitlines() if answers.is_file() else []
            # The last line may be half of one, of a process that was killed.
            done = [Tried.read(line) for line in told if line.endswith("}")]
            yield from done
            waiting = waiting[len(done) :]
            if not waiting:
                return
            yield Tried(waiting[0], Became.FAILED, _ended(ended))
            waiting = waiting[1:]

    def _run(self, folder: Path, asked: str) -> Ended:
        own = {"MESH_ROOT": str(self.environment.root), "MESH_HOME": str(self.environment.home)}
        command = (sys.executable, "-m", PROCESS)
        return run_child(command, folder, {**os.environ, **own}, self.patience, asked)


def _ended(ended: Ended) -> str:
    return f"the process that made it {ended.how}; `mesh test` shows what it says"
