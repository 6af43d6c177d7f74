"""The static view of the mesh: what the files say, without importing a domain or opening a store.

Belongs here: `read_mesh`, `read_whole_mesh`, `look_at_mesh`, `read_product`, the types that they return.
Does not belong here: what the files ought to say (`governance/policies/`), what was published.
"""

from shared_resources.mesh.model import (
    Archetype,
    Central,
    Decision,
    Domain,
    Mesh,
    ProductFolder,
    ProductKind,
    ProductReference,
    Waiver,
)
from shared_resources.mesh.read import (
    look_at_mesh,
    read_central,
    read_mesh,
    read_product,
    read_whole_mesh,
)

__all__ = [
    "Archetype",
    "Central",
    "Decision",
    "Domain",
    "Mesh",
    "ProductFolder",
    "ProductKind",
    "ProductReference",
    "Waiver",
    "look_at_mesh",
    "read_central",
    "read_mesh",
    "read_product",
    "read_whole_mesh",
]
