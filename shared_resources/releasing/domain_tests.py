"""A domain's own tests, run on a release before it goes into service.

Belongs here: running them where the release runs.
Does not belong here: finding them, what they see, what they say (`reviewing/domain_tests.py`).
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from shared_resources.environment import Environment
from shared_resources.mesh import read_mesh
from shared_resources.problems import MeshProblem
from shared_resources.releasing.releases import Release
from shared_resources.reviewing import domain_tests
from shared_resources.reviewing.cases import Outcome

LONGEST_SECONDS = 1_800


class TestsFailed(MeshProblem):
    """The domain's tests do not pass on the release; the message lists what they said."""


@dataclass(frozen=True)
class Tested:
    """How many passed. `why_not` says why they were not run, else it is empty."""

    passed: int
    why_not: str = ""


def run_tests(environment: Environment, release: Release, python: Path) -> Tested:
    """Run the release's tests with its own interpreter, as `mesh ci` does. Raises `TestsFailed`."""
    mesh = read_mesh(release.root, registered=environment.registry.promised)
    domain = mesh.domain(release.domain)
    if not any(domain_tests.has_tests(one) for one in domain_tests.folders_of(mesh, domain)):
        return Tested(0)
    there = [str(python), "-I", "-c", "import pytest"]
    if subprocess.run(there, capture_output=True, check=False).returncode != 0:
        return Tested(0, "its lock has no pytest")
    cases = list(domain_tests.of_domain(mesh, domain, LONGEST_SECONDS, str(python)))
    failed = [case for case in cases if case.outcome is Outcome.FAILED]
    if failed:
        lines = "".join(f"\n  {case.name}: {case.said}" for case in failed)
        raise TestsFailed(f"the tests of {release.domain!r} fail on the release:{lines}")
    return Tested(sum(case.outcome is Outcome.PASSED for case in cases))
