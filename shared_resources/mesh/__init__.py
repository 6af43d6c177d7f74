"""The static view of the mesh: what the files say, without importing a domain or opening a store.

Belongs here: `read_mesh` and the types that it returns.
Does not belong here: what the files ought to say (`governance/policies/`), what was published.
"""

from shared_resources.mesh.model import (
    Archetype,
    Domain,
    Mesh,
    ProductFolder,
    ProductKind,
    ProductReference,
    Waiver,
)
from shared_resources.mesh.read import read_mesh

__all__ = [
    "Archetype",
    "Domain",
    "Mesh",
    "ProductFolder",
    "ProductKind",
    "ProductReference",
    "Waiver",
    "read_mesh",
]
