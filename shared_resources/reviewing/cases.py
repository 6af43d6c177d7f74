"""What a review found: a suite a domain, a case for each contract, policy, test and product made.

Belongs here: these types, which every form of telling them is made from.
Does not belong here: finding anything, and the forms (`formats/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from shared_resources.findings import Finding

# The suite of what belongs to no domain: the central file, the workspace, CODEOWNERS.
MESH = "the mesh"


class Kind(StrEnum):
    """What was looked at."""

    CONTRACT = "contract"
    POLICY = "policy"
    TEST = "test"
    DATA = "data"


class Outcome(StrEnum):
    """A warning is for people to read and stops nothing; what was skipped says why."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Case:
    """`said` is the case in a sentence; `findings` are its places; `facts` are for machines, as JSON."""

    kind: Kind
    name: str
    outcome: Outcome
    said: str = ""
    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Suite:
    """The cases of one domain, or of the mesh."""

    name: str
    cases: tuple[Case, ...]

    def of(self, kind: Kind) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if case.kind is kind)

    def count(self, outcome: Outcome) -> int:
        return sum(case.outcome is outcome for case in self.cases)


@dataclass(frozen=True)
class Base:
    """What the change was compared with: the commit that `ref` and the change have in common."""

    ref: str
    commit: str

    def __str__(self) -> str:
        return f"{self.ref} ({self.commit[:10]})"


@dataclass(frozen=True)
class Review:
    """`root` is the project's folder, `top` the repository's, from which CI counts its paths."""

    root: Path
    top: Path
    base: Base | None
    suites: tuple[Suite, ...]

    @property
    def passed(self) -> bool:
        return not any(suite.count(Outcome.FAILED) for suite in self.suites)

    @property
    def domains(self) -> tuple[str, ...]:
        return tuple(suite.name for suite in self.suites if suite.name != MESH)

    @property
    def cases(self) -> Iterator[tuple[Suite, Case]]:
        for suite in self.suites:
            for case in suite.cases:
                yield suite, case

    def count(self, outcome: Outcome) -> int:
        return sum(suite.count(outcome) for suite in self.suites)

    def shown(self, file: Path) -> str:
        """A file as CI names it: from the top of the repository."""
        for folder in (self.top, self.root):
            if file.is_relative_to(folder):
                return file.relative_to(folder).as_posix()
        return file.as_posix()

    def text(self, said: str) -> str:
        """A message on one line, with the paths in it as CI names them."""
        for folder in (self.top, self.root):
            said = said.replace(f"{folder}/", "")
        return " ".join(said.split())
