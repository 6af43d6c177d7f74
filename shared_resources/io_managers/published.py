"""The shared Dagster IO managers: what an op hands over is published, what it asks for is pinned.

Belongs here: `handle_output` and `load_input`, for the lake and for the warehouse alike.
Does not belong here: the publish protocol (`protocol.py`), or the decision what may be published.

Only an audited batch can be handed over: a frame from a plain asset has no contract and is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import dagster as dg

from shared_resources import environment as environments
from shared_resources.environment import Environment
from shared_resources.io_managers.frames import as_frame
from shared_resources.io_managers.pinned import PinnedInput, open_pinned
from shared_resources.io_managers.protocol import NotPublished, PublishError

COLUMNS_METADATA = "mesh/columns"


class ProductIOManager(dg.ConfigurableIOManager):
    """Publishes audited batches and loads published versions. `store` names the one that leads."""

    store: str

    @cached_property
    def _environment(self) -> Environment:
        return environments.current()

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        from shared_resources.data_products.batch import AuditedBatch, PublishedBefore
        from shared_resources.data_products.evidence_metadata import version_metadata
        from shared_resources.data_products.publishing import publish

        product = "/".join(context.asset_key.path)
        if isinstance(obj, PublishedBefore):
            leading = obj.versions[0]
            context.add_output_metadata(
                {"version": leading.number, "dagster/row_count": leading.rows}
            )
            return
        if not isinstance(obj, AuditedBatch):
            raise dg.Failure(
                f"{product} handed the {self.store} a {type(obj).__name__} without a contract. "
                "Nothing is published unaudited: give it a contract in a "
                "product folder, or give this asset another IO manager.",
                allow_retries=False,
            )
        try:
            versions = publish(obj)
        except PublishError as problem:
            raise dg.Failure(str(problem), allow_retries=False) from problem
        context.add_output_metadata(version_metadata(obj, versions))

    def load_input(self, context: dg.InputContext) -> Any:
        product = "/".join(context.asset_key.path)
        try:
            pinned = open_pinned(self._environment, context.step_context.run_id, product)
        except NotPublished as problem:
            raise dg.Failure(str(problem), allow_retries=False) from problem
        wanted = context.dagster_type.typing_type
        if wanted is PinnedInput:
            return pinned
        columns = (context.definition_metadata or {}).get(COLUMNS_METADATA)
        return as_frame(pinned.snapshot, wanted, columns, _partitions(context))


def _partitions(context: dg.InputContext) -> Sequence[str] | None:
    """The upstream partitions that the run is about; None (all) where the mapping says all."""
    if not context.has_asset_partitions or not context.has_partition_key:
        return None
    return list(context.asset_partition_keys)


def io_managers() -> dict[str, ProductIOManager]:
    """The resources that every code location shares, by resource key."""
    return {
        "lake": ProductIOManager(store="lake"),
        "warehouse": ProductIOManager(store="warehouse"),
    }
