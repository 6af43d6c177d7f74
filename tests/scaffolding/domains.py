"""A domain to begin with."""

from __future__ import annotations

from shared_resources.mesh import Archetype
from shared_resources.scaffolding.new_domain import NewDomain


def finance(**fields: str) -> NewDomain:
    said = {"name": "finance", "owner": "finance@example.com", "contact": "#finance", **fields}
    description = said.pop("description", "What finance knows.")
    return NewDomain(archetype=Archetype.SOURCE_ALIGNED, description=description, **said)
