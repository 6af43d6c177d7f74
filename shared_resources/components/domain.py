"""A domain as a component: its code location, and the files of a new one.

Belongs here: the component and its scaffolder's parameters.
Does not belong here: a product (`data_product.py`), all domains together (`whole_mesh.py`).
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import BaseModel, Field

from shared_resources import wiring
from shared_resources.components.location import location_of
from shared_resources.components.scaffolded import at_its_place, told
from shared_resources.mesh import Archetype
from shared_resources.scaffolding.new_domain import NewDomain, make_domain


class DomainParams(BaseModel):
    """What people say of a domain when they begin it, as `mesh new domain` takes it."""

    owner: str = Field(description="The address of who answers for it.")
    contact: str | None = Field(default=None, description="Where to ask; default #NAME.")
    archetype: str = Field(
        default=Archetype.SOURCE_ALIGNED.value,
        description=f"One of {', '.join(one.value for one in Archetype)}.",
    )
    description: str | None = Field(default=None, description="What it is about, in a sentence.")


class DomainScaffolder(dg.Scaffolder[DomainParams]):
    """The files that `mesh new domain` writes."""

    @classmethod
    def get_scaffold_params(cls) -> type[DomainParams]:
        return DomainParams

    def scaffold(self, request: dg.ScaffoldRequest[DomainParams]) -> None:
        """Raises `click.ClickException`, and leaves nothing behind, for what cannot be made."""
        said, folder = request.params, request.target_path
        root = wiring.current().root
        with at_its_place(request, root / "domains" / folder.name, "finance"):
            new = NewDomain(
                folder.name,
                said.owner,
                said.contact or f"#{folder.name}",
                Archetype(said.archetype),
                said.description or f"What {folder.name} knows.",
            )
            told(root, make_domain(root, new))


@dg.scaffold_with(DomainScaffolder)
class Domain(dg.Component, dg.Model, dg.Resolvable):
    """A domain of the mesh: its products, with their checks, policies and sensors."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """What the domain's own `definitions.py` makes, which is what `build_domain` gives."""
        return location_of(Path(context.path))
