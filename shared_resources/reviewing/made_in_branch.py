"""A product of a change made, audited and published in a branch, and what that changes for readers.

Belongs here: these steps, in the process of the domain.
Does not belong here: branches (`branching/`), which products are made, and in which order (`trials.py`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from shared_resources.branching.differences import differences
from shared_resources.data_products.publishing import publish
from shared_resources.mesh import Mesh
from shared_resources.rehearsing.given_inputs import Given
from shared_resources.rehearsing.rehearsal import Rehearsal, audited_product, outcome
from shared_resources.wiring import BranchEnvironment


def made_in(branch: BranchEnvironment, mesh: Mesh, key: str, given: Given) -> Rehearsal:
    """Make it of what the branch reads, and publish it there, unless it is refused.

    Raises what `rehearse` does, and what publishing raises.
    """
    with TemporaryDirectory(prefix="mesh-branch-") as scratch:
        audited = audited_product(branch, branch, Path(scratch), mesh, key, given)
        if audited.staged is None or audited.refused:
            return outcome(audited, None)
        publish(audited)
    found = {one.product: one for one in differences(branch, mesh, [key])}
    return replace(outcome(audited, None), changes=found[key].changes)
