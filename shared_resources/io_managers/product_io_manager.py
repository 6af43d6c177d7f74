"""The shared Dagster IO managers: what an op hands over is published, what it asks for is pinned.

Belongs here: `handle_output` and `load_input`, for the lake and for the warehouse alike.
Does not belong here: the publish protocol (`stores/protocol.py`), or the decision what may be published.

Only an audited batch can be handed over: a frame from a plain asset has no contract and is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import dagster as dg

from shared_resources import wiring
from shared_resources.access.door import admit_product
from shared_resources.access.grants import NoAgreement
from shared_resources.data_products.batch import AuditedBatch, PublishedBefore, Run
from shared_resources.data_products.pinned_inputs import PinnedInput, open_pinned
from shared_resources.data_products.publishing import publish
from shared_resources.environment import Environment
from shared_resources.evidence.record import NoEvidence
from shared_resources.mesh import read_whole_mesh
from shared_resources.mesh.model import is_product_key
from shared_resources.reporting.metadata import batch_metadata, version_metadata
from shared_resources.reporting.run_attempts import note_end
from shared_resources.stores.pins import Pin
from shared_resources.stores.protocol import (
    MovedOn,
    NotPublished,
    PublishError,
    Snapshot,
    Unreadable,
)
from shared_resources.stores.reading.frames import as_frame


class ProductIOManager(dg.ConfigurableIOManager):
    """Publishes audited batches and loads published versions. `store` names the one that leads."""

    store: str

    @cached_property
    def _environment(self) -> Environment:
        return wiring.current()

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        product = "/".join(context.asset_key.path)
        if isinstance(obj, PublishedBefore):
            leading = obj.versions[0]
            context.add_output_metadata(
                {"version": leading.number, "dagster/row_count": leading.rows, **obj.metadata}
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
            batch = batch_metadata(obj)
            versions = publish(obj)
        except Exception as problem:
            instance = context.step_context.instance
            note_end(self._environment, obj.attempt.contract, obj.attempt.run, problem, instance)
            if isinstance(problem, PublishError):
                raise dg.Failure(str(problem), allow_retries=False) from problem
            if isinstance(problem, MovedOn):
                raise dg.Failure(str(problem)) from problem
            raise
        context.add_output_metadata(version_metadata(batch, versions))

    def load_input(self, context: dg.InputContext) -> Any:
        product = "/".join(context.asset_key.path)
        try:
            pinned = open_pinned(self._environment, context.step_context.run_id, product)
        except Exception as problem:
            _note_input_failure(self._environment, context, problem)
            if isinstance(problem, NotPublished | NoEvidence | Unreadable):
                raise dg.Failure(str(problem), allow_retries=False) from problem
            raise
        wanted = context.dagster_type.typing_type
        if wanted is Pin:  # a product of the platform's: its maker goes through the door itself
            return pinned.pin
        admitted = self._admitted(context, pinned.snapshot)
        if wanted is PinnedInput:
            return replace(pinned, snapshot=admitted)
        return as_frame(admitted, wanted, partitions=_partitions(context))

    def _admitted(self, context: dg.InputContext, snapshot: Snapshot) -> Snapshot:
        """For an asset that a domain wrote by hand: what the asset may see, as a product of its name."""
        run = context.step_context.run_id
        assets = context.step_context.assets_def
        reader = "/".join(next(iter(assets.keys)).path) if assets and assets.keys else ""
        if not is_product_key(reader):
            raise dg.Failure(
                f"{snapshot.version.product} is read by no asset that is called domain/product, so that "
                "nobody knows who reads it; read it in a product, or with `read(…, as_principal=…)`",
                allow_retries=False,
            )
        product = snapshot.version.product
        try:
            return admit_product(self._environment, reader, {product: snapshot}, run)[product]
        except NoAgreement as problem:
            raise dg.Failure(str(problem), allow_retries=False) from problem


def _note_input_failure(
    environment: Environment, context: dg.InputContext, problem: Exception
) -> None:
    """The product's op does not begin, so that it cannot say why."""
    step = context.step_context
    days = step.entity_partitions_def
    run = Run(step.run_id)
    if days is not None and step.has_partitions:
        run = Run(step.run_id, tuple(days.get_partition_keys_in_range(step.partition_key_range)))
    made = {"/".join(key.path) for key in (step.assets_def.keys if step.assets_def else ())}
    for product in read_whole_mesh(environment).own_products if made else ():
        if product.key in made and product.contract is not None:
            note_end(environment, product.contract, run, problem, step.instance)


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
