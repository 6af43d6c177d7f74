"""A finding: one thing that is wrong, where it stands, and what to do about it.

Belongs here: the type that contract errors, policies and `mesh check` all speak in.
Does not belong here: what is looked for (`contracts/`, `governance/policies/`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shared_resources.problems import MeshProblem


@dataclass(frozen=True)
class Finding:
    """`rule` names what was broken: a policy's name, or `contract` for a file that is not valid.

    Sorted, causes come first: a folder's own files before what lies below it, which relies on them. One
    broken line of `domain.yaml` is a dozen findings about the domain's contracts and agreements.
    """

    file: Path
    line: int
    rule: str
    message: str
    remedy: str

    def __lt__(self, other: Finding) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[object, ...]:
        *folders, name = self.file.parts or ("",)
        place = [*((1, folder) for folder in folders), (0, name)]
        return place, self.line, self.rule, self.message, self.remedy

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{place}: {self.message} [{self.rule}] -> {self.remedy}"


class InvalidFile(MeshProblem):
    """A contract or a domain file that cannot be used; carries every finding, not only the first."""

    exit_code = 2

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(findings))
        super().__init__("\n".join(str(finding) for finding in self.findings))
