"""Wiring: the one place that chooses implementations, by `MESH_ENV`.

Belongs here: the environments, local and production, and which of them this process is in.
Does not belong here: what an environment promises (`environment.py`), and how anything works that
it is made of.
"""

from shared_resources.wiring.branch import BranchEnvironment, branch_of, existing_branch
from shared_resources.wiring.choice import OtherEnvironment, current, without_branch
from shared_resources.wiring.local import LocalEnvironment
from shared_resources.wiring.production import ProductionEnvironment

__all__ = [
    "BranchEnvironment",
    "LocalEnvironment",
    "OtherEnvironment",
    "ProductionEnvironment",
    "branch_of",
    "current",
    "existing_branch",
    "without_branch",
]
