"""A data product as a component: its asset, and the files of a new one.

Belongs here: the component and its scaffolder's parameters.
Does not belong here: what a product may begin as (`scaffolding/`), what is found in data (`inference/`).
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field

from shared_resources import wiring
from shared_resources.components.location import location_of
from shared_resources.components.scaffolded import at_its_place, told
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.inference.places import infer_place, table_of
from shared_resources.scaffolding.beginnings import Beginning
from shared_resources.scaffolding.new_product import NewProduct, make_product


class DataProductParams(BaseModel):
    """What people say of a product when they begin it, as `mesh new product` takes it."""

    model_config = ConfigDict(populate_by_name=True)

    kind: str | None = Field(
        default=None,
        description=f"One of {', '.join(one.value for one in Beginning)}; default: stream of a topic, "
        "function where it reads a product, else ingest.",
    )
    reads: list[str] = Field(default=[], description="The products that it is made of, by key.")
    topic: str = Field(default="", description="The topic whose messages it is made of.")
    from_: str | None = Field(
        default=None,
        alias="from",
        description="Data to begin with: a file, a folder, s3://BUCKET/KEY, a table, a product.",
    )
    file_format: str = Field(default="csv", description="The format of an ingest's files.")
    description: str | None = Field(default=None, description="What one row is, in a sentence.")


class DataProductScaffolder(dg.Scaffolder[DataProductParams]):
    """The files that `mesh new product` writes."""

    @classmethod
    def get_scaffold_params(cls) -> type[DataProductParams]:
        return DataProductParams

    def scaffold(self, request: dg.ScaffoldRequest[DataProductParams]) -> None:
        """Raises `click.ClickException`, and leaves nothing behind, for what cannot be made."""
        said, folder = request.params, request.target_path
        environment = wiring.current()
        domain = folder.parents[1].name
        place = environment.root / "domains" / domain / "products" / folder.name
        with at_its_place(request, place, "order/products/returns"):
            inferred, reads = infer_place(environment, said.from_, tuple(said.reads))
            new = NewProduct(
                f"{domain}/{folder.name}",
                Beginning.of(said.kind, reads, said.topic),
                said.description or f"One row of {folder.name.replace('_', ' ')}.",
                reads,
                said.file_format,
                inferred,
                table_of(said.from_),
                said.topic,
            )
            promised = environment.registry.promised
            told(environment.root, make_product(environment.root, new, registered=promised))


@dg.scaffold_with(DataProductScaffolder)
class DataProduct(dg.Component, dg.Model, dg.Resolvable):
    """A data product: its contract, and what makes it, audited before it is published."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The product's asset as its domain's location has it, with what it needs to run."""
        folder = Path(context.path)
        domain = folder.parents[1]
        whole = location_of(domain)
        own = asset_key(f"{domain.name}/{folder.name}")
        return dg.Definitions(
            assets=[
                asset
                for asset in whole.assets or ()
                if isinstance(asset, dg.AssetsDefinition) and own in asset.keys
            ],
            resources=whole.resources,
            executor=dg.in_process_executor,
        )
