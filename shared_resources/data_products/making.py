"""Making a batch: run the product's function or dbt model, or read its landing objects, and stage it.

Belongs here: one maker a kind of product, each ending in Parquet files that no reader sees.
Does not belong here: auditing or publishing them, or anything that knows Dagster.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared_resources.contracts.lossless import conform
from shared_resources.contracts.model import LandingMode
from shared_resources.data_products.batch import Attempt, Made, Unreadable
from shared_resources.data_products.product import (
    MakingContext,
    Produced,
    ProductInput,
    ProductProblem,
)
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


def make(attempt: Attempt, landing_object: str | None = None) -> Made:
    """Stage the product's next batch in its first store's staging folder.

    `landing_object` is the key of the object that a sensor asked for. Raises whatever the product's
    own function raises, `ProductProblem`, `NothingToIngest`, `LandingError` or `DbtModelFailed`.
    """
    store = attempt.environment.stores_of(attempt.contract)[0]
    store.discard(attempt.contract, attempt.batch_id)  # what a killed attempt of this run left
    store.remove_orphans(attempt.contract.key)  # and of runs that nobody will try again
    folder = store.staging_folder(attempt.contract, attempt.batch_id)
    match attempt.definition.kind:
        case ProductKind.INGEST:
            return _ingest(attempt, folder, landing_object)
        case ProductKind.DBT:
            return _build_model(attempt, folder)
        case ProductKind.FUNCTION:
            return _call_function(attempt, folder)


def _call_function(attempt: Attempt, folder: Path) -> Made:
    function = attempt.definition.function
    assert function is not None
    arguments: dict[str, Any] = {
        name: _input(attempt, wanted, function.frames[name])
        for name, wanted in function.inputs.items()
    }
    if function.wants_context:
        arguments["context"] = MakingContext(
            attempt.definition.key, attempt.run.run_id, attempt.run.partitions
        )
    result = function(**arguments)
    if result is None:
        raise ProductProblem(
            f"the function of {attempt.definition.key} returned None; return a frame (an empty one, "
            "if the contract allows empty batches)"
        )
    produced = result if isinstance(result, Produced) else Produced(result)
    reader = conform(produced.frame, attempt.contract)
    files = write_staged(reader, folder, attempt.contract, attempt.run.partitions)
    return Made(parts=_by_partition(attempt, folder, files), metadata=produced.metadata)


def _input(attempt: Attempt, wanted: ProductInput, frame: Any) -> Any:
    """What the function receives: of a partitioned product the same days that are being made."""
    snapshot = attempt.inputs[wanted.key].snapshot
    return as_frame(snapshot, frame, wanted.columns, _days_to_read(attempt, snapshot))


def _days_to_read(attempt: Attempt, snapshot: Snapshot) -> tuple[str, ...] | None:
    """A daily product reads the days that it makes of its daily inputs, and all of the others."""
    days = snapshot.partitions()
    if attempt.contract.partitioning is None or not days:
        return None
    return attempt.run.partitions if set(days) - set(attempt.run.partitions) else None


def _build_model(attempt: Attempt, folder: Path) -> Made:
    from shared_resources.data_products.dbt_model import DbtModels

    models = DbtModels(attempt.environment)
    outcome = models.build(attempt.contract, attempt.snapshots, folder, attempt.run.run_id)
    return Made(
        parts=_by_partition(attempt, folder, outcome.files),
        extra_results=outcome.results,
        column_lineage=outcome.column_lineage,
    )


def _by_partition(
    attempt: Attempt, folder: Path, files: tuple[StagedFile, ...]
) -> tuple[StagedBatch, ...]:
    return tuple(
        _part(attempt, folder, key, tuple(file for file in files if file.partition == key))
        for key in attempt.run.partitions
    )


def _part(
    attempt: Attempt, folder: Path, partition: str, files: tuple[StagedFile, ...]
) -> StagedBatch:
    return StagedBatch(attempt.contract.key, attempt.batch_id, folder, files, (partition,))


def _ingest(attempt: Attempt, folder: Path, landing_object: str | None) -> Made:
    zone = attempt.environment.landing_zone
    parts: list[StagedBatch] = []
    unreadable: list[Unreadable] = []
    objects: dict[str, tuple[tuple[str, str], ...]] = {}
    for partition, chosen in _choose_objects(attempt, landing_object).items():
        copy = folder / "landed" / (partition or "all") / Path(chosen.key).name
        fetched = zone.fetch(chosen, copy)
        objects[partition] = ((fetched.key, fetched.etag),)
        try:
            staged = stage_object(attempt.contract, copy, fetched.key, folder, partition)
        except UnreadableObject as problem:
            lost = Unreadable(partition, fetched.key, fetched.etag, str(problem), copy)
            unreadable.append(lost)
            continue
        copy.unlink()
        part = _part(attempt, folder, partition, staged.files)
        parts.append(replace(part, rejects=staged.rejects, rejected_rows=staged.rejected_rows))
    return Made(parts=tuple(parts), unreadable=tuple(unreadable), objects=objects)


def _choose_objects(attempt: Attempt, landing_object: str | None) -> dict[str, LandingObject]:
    """The object of each partition of the run; without partitions the one asked for, or the newest."""
    landing = attempt.contract.landing
    assert landing is not None
    matched = match(landing, attempt.environment.landing_zone.list(landing.prefix))
    place = f"{landing.prefix}/{landing.object_name} in the landing zone"
    if landing.mode is LandingMode.PARTITION:
        missing = [key for key in attempt.run.partitions if key not in matched.by_partition]
        if missing:
            shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
            raise NothingToIngest(
                f"{attempt.definition.key}: nothing has landed for partition {shown}; "
                f"looked for {place}"
            )
        return {key: matched.by_partition[key] for key in attempt.run.partitions}
    wanted = [o for o in matched.candidates if landing_object in (None, o.key)]
    if not wanted:
        what = f"{landing_object} is gone" if landing_object else "nothing has landed"
        raise NothingToIngest(f"{attempt.definition.key}: {what}; looked for {place}")
    _refuse_going_back(attempt, wanted[-1], matched.candidates)
    return {UNPARTITIONED: wanted[-1]}


def _refuse_going_back(
    attempt: Attempt, chosen: LandingObject, candidates: Sequence[LandingObject]
) -> None:
    """A late run of an older extract must not replace a newer one that readers have already."""
    newer = {(o.key, o.etag) for o in candidates[candidates.index(chosen) + 1 :]}
    versions = attempt.environment.stores_of(attempt.contract)[0].versions(attempt.contract.key)
    if not newer or not versions:
        return
    published = json.loads(versions[-1].properties.get("mesh.objects", "[]"))
    for key, etag in published:
        if (key, etag) in newer:
            raise NothingToIngest(
                f"{attempt.definition.key}: {chosen.key} is older than {key}, which is published as "
                f"version {versions[-1].number}; to go back, use `mesh rollback`"
            )
