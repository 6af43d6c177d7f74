"""Making a batch: run the product's function or dbt model, or read its landing objects, and stage it.

Belongs here: one maker a kind of product, each ending in Parquet files that no reader sees.
Does not belong here: auditing or publishing them, or anything that knows Dagster.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared_resources.contracts.lossless import conform
from shared_resources.contracts.model import Landing, LandingMode
from shared_resources.data_products.batch import Made, Run, Unreadable
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.data_products.product import MakingContext, Produced, ProductProblem
from shared_resources.environment import Environment
from shared_resources.io_managers.frames import as_frame
from shared_resources.io_managers.protocol import UNPARTITIONED, Snapshot, StagedBatch, StagedFile
from shared_resources.io_managers.staging import write_staged
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.objects import match
from shared_resources.landing.reader import stage_object
from shared_resources.landing.zone import LandingObject
from shared_resources.mesh import ProductKind


class NothingToIngest(Exception):
    """No landing object is there for the product or partition; the message says where it looked."""


def make(
    environment: Environment,
    definition: ProductDefinition,
    run: Run,
    batch_id: str,
    inputs: Mapping[str, Snapshot],
    landing_object: str | None = None,
) -> Made:
    """Stage the product's next batch in its first store's staging folder.

    `inputs` are the pinned snapshots by product key; `landing_object` the key of the object that a
    sensor asked for. Raises whatever the product's own function raises, `NothingToIngest`, or
    `DbtModelFailed`.
    """
    store = environment.stores_of(definition.contract)[0]
    store.discard(definition.contract, batch_id)  # what a killed attempt of this run left
    folder = store.staging_folder(definition.contract, batch_id)
    match definition.kind:
        case ProductKind.INGEST:
            return _ingest(environment, definition, run, batch_id, folder, landing_object)
        case ProductKind.DBT:
            return _build_model(environment, definition, run, batch_id, folder, inputs)
        case ProductKind.FUNCTION:
            return _call_function(definition, run, batch_id, folder, inputs)


def _call_function(
    definition: ProductDefinition,
    run: Run,
    batch_id: str,
    folder: Path,
    inputs: Mapping[str, Snapshot],
) -> Made:
    function = definition.function
    assert function is not None
    arguments: dict[str, Any] = {
        name: as_frame(inputs[wanted.key], function.frames[name], wanted.columns)
        for name, wanted in function.inputs.items()
    }
    if function.wants_context:
        arguments["context"] = MakingContext(definition.key, run.run_id, run.partitions)
    result = function(**arguments)
    if result is None:
        raise ProductProblem(
            f"the function of {definition.key} returned None; return a frame (an empty one, if the "
            "contract allows empty batches)"
        )
    produced = result if isinstance(result, Produced) else Produced(result)
    files = write_staged(
        conform(produced.frame, definition.contract), folder, definition.contract, run.partitions
    )
    return Made(
        parts=_by_partition(definition, batch_id, folder, run, files), metadata=produced.metadata
    )


def _build_model(
    environment: Environment,
    definition: ProductDefinition,
    run: Run,
    batch_id: str,
    folder: Path,
    inputs: Mapping[str, Snapshot],
) -> Made:
    from shared_resources.data_products.dbt_model import DbtModels

    outcome = DbtModels(environment).build(definition.contract, inputs, folder, run.run_id)
    return Made(
        parts=_by_partition(definition, batch_id, folder, run, outcome.files),
        extra_results=outcome.results,
        column_lineage=outcome.column_lineage,
    )


def _by_partition(
    definition: ProductDefinition,
    batch_id: str,
    folder: Path,
    run: Run,
    files: tuple[StagedFile, ...],
) -> tuple[StagedBatch, ...]:
    return tuple(
        StagedBatch(
            product=definition.key,
            batch_id=batch_id,
            folder=folder,
            files=tuple(file for file in files if file.partition == partition),
            partitions=(partition,),
        )
        for partition in run.partitions
    )


def _ingest(
    environment: Environment,
    definition: ProductDefinition,
    run: Run,
    batch_id: str,
    folder: Path,
    landing_object: str | None,
) -> Made:
    landing = definition.contract.landing
    assert landing is not None
    chosen = _choose_objects(environment, definition, landing, run, landing_object)
    parts: list[StagedBatch] = []
    unreadable: list[Unreadable] = []
    for partition, found in list(chosen.items()):
        copy = folder / "landed" / (partition or "all") / Path(found.key).name
        chosen[partition] = found = environment.landing_zone.fetch(found, copy)
        try:
            staged = stage_object(definition.contract, copy, found.key, folder, partition)
        except UnreadableObject as problem:
            unreadable.append(Unreadable(partition, found.key, found.etag, str(problem), copy))
            continue
        parts.append(
            StagedBatch(
                product=definition.key,
                batch_id=batch_id,
                folder=folder,
                files=staged.files,
                partitions=(partition,),
                rejects=staged.rejects,
                rejected_rows=staged.rejected_rows,
            )
        )
    if not unreadable:
        shutil.rmtree(folder / "landed", ignore_errors=True)
    identities = {partition: ((o.key, o.etag),) for partition, o in chosen.items()}
    return Made(
        parts=tuple(parts),
        unreadable=tuple(unreadable),
        objects=tuple(pair for pairs in identities.values() for pair in pairs),
        objects_of=identities,
    )


def _choose_objects(
    environment: Environment,
    definition: ProductDefinition,
    landing: Landing,
    run: Run,
    landing_object: str | None,
) -> dict[str, LandingObject]:
    """The object of each partition of the run; without partitions the one asked for, or the newest."""
    zone = environment.landing_zone
    matched = match(landing, zone.list(landing.prefix))
    place = f"{landing.prefix}/{landing.object_name} in the landing zone"
    if landing.mode is LandingMode.PARTITION:
        missing = [key for key in run.partitions if key not in matched.by_partition]
        if missing:
            shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
            raise NothingToIngest(
                f"{definition.key}: nothing has landed for partition {shown}; looked for {place}"
            )
        return {key: matched.by_partition[key] for key in run.partitions}
    wanted = [o for o in matched.candidates if landing_object in (None, o.key)]
    if not wanted:
        what = f"{landing_object} is gone" if landing_object else "nothing has landed"
        raise NothingToIngest(f"{definition.key}: {what}; looked for {place}")
    return {UNPARTITIONED: wanted[-1]}


