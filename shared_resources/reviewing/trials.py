"""Trials: the products of a domain made without being published, and what that changes for readers.

Belongs here: what a trial tells (`Tried`), the port (`Trial`), and the one by rehearsals.
Does not belong here: a rehearsal (`rehearsing/`), what runs in its process (`trial_process.py`).

Whatever else can make the products of a change aside, such as a run in a branch, is another `Trial`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
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

    `sampled` says that an input was not read whole: then rows may be gone that are not.
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
    """A way to make products without publishing them."""

    def of(self, products: Sequence[str]) -> Iterator[Tried]:
        """One for each of the products, which are of one domain, in their order. Never raises for
        what is wrong with one of them: it says so."""
        ...


@dataclass(frozen=True)
class Rehearsals:
    """Each product rehearsed from the first `sample` rows of its inputs, in a process of the domain.

    A product of whose inputs only a part was read is made again from all of them when it is refused:
    what a sample lacks is no fault of the change. The process ends after `patience` seconds.
    """

    environment: Environment
    sample: int | None
    patience: float

    def of(self, products: Sequence[str]) -> Iterator[Tried]:
        waiting = list(products)
        while waiting:
            with tempfile.TemporaryDirectory(prefix="mesh-trial-") as made:
                answers = Path(made) / "answers"
                asked = {"products": waiting, "sample": self.sample, "answers": str(answers)}
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
