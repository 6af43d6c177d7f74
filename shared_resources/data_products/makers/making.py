"""Making a batch: run the product's function or dbt model, or read its landing objects, and stage it.

Belongs here: one maker a kind of product, each ending in Parquet files that no reader sees.
Does not belong here: auditing or publishing them, or anything that knows Dagster.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from shared_resources.access.door import admit_product
from shared_resources.access.granted_snapshot import GrantedSnapshot
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.confinement.guard import Declared, domain_code
from shared_resources.contracts.values.lossless import InvalidFrame, conform
from shared_resources.data_products.batch import Attempt, Made, Unreadable
from shared_resources.data_products.beam.importing import import_beam
from shared_resources.data_products.beam.settings import settings
from shared_resources.data_products.function import (
    CONTEXT,
    MakingContext,
    Produced,
    ProductInput,
    ProductProblem,
)
from shared_resources.data_products.makers.choice_of_objects import choose_objects
from shared_resources.data_products.makers.errors import withheld_where_classified
from shared_resources.data_products.makers.shown_metadata import checked_metadata
from shared_resources.evidence.terms import HeldAgreement
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.reader import stage_object
from shared_resources.mesh import ProductKind
from shared_resources.stores.protocol import Snapshot, StagedBatch, StagedFile
from shared_resources.stores.reading.frames import as_frame
from shared_resources.stores.staging.staging import write_staged


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
        case ProductKind.STREAM:
            raise AssertionError(f"{attempt.definition.key} is made by the room streams/")
        case ProductKind.FUNCTION | ProductKind.ADDED | ProductKind.DERIVED:
            return _call_function(attempt, folder)


def _call_function(attempt: Attempt, folder: Path) -> Made:
    function = attempt.definition.function
    assert function is not None
    declared = _declared(attempt)
    scratch = folder / "beam"
    made_by = _pipeline if function.engine else _function
    with _removed_after(scratch) if function.engine else nullcontext():
        call = made_by(attempt, declared, scratch)
        with (
            withheld_where_classified(attempt),
            # Until the last row is drawn: a lazy frame or a stream runs the domain's code only then.
            domain_code(attempt.definition.key, declared, attempt.definition.environment),
        ):
            produced = call()
            metadata = checked_metadata(attempt.definition.key, produced.metadata)
            try:
                reader = conform(produced.frame, attempt.contract)
                files = write_staged(reader, folder, attempt.contract, attempt.run.partitions)
            except InvalidFrame as problem:
                raise ProductProblem(str(problem)) from problem
    return Made(
        parts=_by_partition(attempt, folder, files),
        metadata=metadata,
        agreements=_agreements(one.snapshot for one in declared.values()),
    )


def _function(
    attempt: Attempt, declared: Mapping[str, Declared], _scratch: Path
) -> Callable[[], Produced]:
    """The function with its inputs as the frames that it asks for."""
    function = attempt.definition.function
    assert function is not None
    arguments: dict[str, Any] = {
        name: _input(attempt, declared[wanted.key].snapshot, wanted, function.frames[name])
        for name, wanted in function.inputs.items()
    }
    if function.wants_context:
        arguments[CONTEXT] = _context(attempt)

    def call() -> Produced:
        result = function(**arguments)
        if result is None:
            raise ProductProblem(
                f"the function of {attempt.definition.key} returned None; return a frame (an empty "
                "one, if the contract allows empty batches)"
            )
        return result if isinstance(result, Produced) else Produced(result)

    return call


def _pipeline(
    attempt: Attempt, declared: Mapping[str, Declared], scratch: Path
) -> Callable[[], Produced]:
    """The pipeline that the function makes of its inputs, of which workers read the files."""
    import_beam(attempt.definition.key)
    from shared_resources.data_products.beam.input_files import input_files
    from shared_resources.data_products.beam.pipeline import Work, carry_out

    function, chosen = attempt.definition.function, settings()
    assert function is not None
    inputs = {
        name: input_files(
            declared[wanted.key].snapshot,
            wanted.columns,
            _days_to_read(attempt, declared[wanted.key].snapshot),
            scratch / "inputs" / name,
            copied=bool(chosen.place),
        )
        for name, wanted in function.inputs.items()
    }
    work = Work(
        attempt.definition.key,
        function,
        inputs,
        _context(attempt),
        chosen,
        attempt.definition.folder,
        scratch,
        f"{chosen.place}/mesh-{attempt.batch_id}" if chosen.place else "",
    )
    return partial(carry_out, work)


@contextmanager
def _removed_after(scratch: Path) -> Iterator[None]:
    """Who is killed leaves it in the attempt's folder, which is removed with the attempt."""
    try:
        yield
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _context(attempt: Attempt) -> MakingContext:
    return MakingContext(attempt.definition.key, attempt.run.run_id, attempt.run.partitions)


def _declared(attempt: Attempt) -> dict[str, Declared]:
    """What the function may read: its inputs as they are granted, all columns of one that a parameter
    takes whole. Raises `NoAgreement`."""
    assert attempt.definition.function is not None
    columns: dict[str, tuple[str, ...] | None] = {}
    for wanted in attempt.definition.function.inputs.values():
        known = columns.get(wanted.key, ())
        both = None if known is None or wanted.columns is None else (*known, *wanted.columns)
        columns[wanted.key] = both
    granted = _granted(attempt, columns)
    return {key: Declared(granted[key], own) for key, own in columns.items()}


def _granted(
    attempt: Attempt, columns: Mapping[str, tuple[str, ...] | None]
) -> dict[str, Snapshot]:
    """What the product's own code or model reads; what its rules refer to is read by the audit."""
    return admit_product(
        attempt.environment,
        attempt.definition.key,
        {key: attempt.inputs[key].snapshot for key in columns},
        attempt.run.run_id,
        columns,
    )


def _agreements(read: Iterable[Snapshot]) -> tuple[HeldAgreement, ...]:
    """Those by which it was read, of what is not seen whole."""
    return tuple(one.held for one in read if isinstance(one, GrantedSnapshot))


def _input(attempt: Attempt, snapshot: Snapshot, wanted: ProductInput, frame: Any) -> Any:
    """What the function receives: of a partitioned product the same days that are being made."""
    return as_frame(snapshot, frame, wanted.columns, _days_to_read(attempt, snapshot))


def _days_to_read(attempt: Attempt, snapshot: Snapshot) -> tuple[str, ...] | None:
    """A daily product reads the days that it makes of its daily inputs, and all of the others."""
    days = snapshot.partitions()
    if attempt.contract.partitioning is None or not days:
        return None
    return attempt.run.partitions if set(days) - set(attempt.run.partitions) else None


def _build_model(attempt: Attempt, folder: Path) -> Made:
    from shared_resources.data_products.dbt.model import DbtModels

    models = DbtModels(attempt.environment)
    read: dict[str, None] = dict.fromkeys(models.inputs(attempt.contract.key))
    granted = _granted(attempt, read)
    outcome = models.build(attempt.contract, granted, folder, attempt.run.run_id)
    return Made(
        parts=_by_partition(attempt, folder, outcome.files),
        extra_results=outcome.results,
        column_lineage=outcome.column_lineage,
        agreements=_agreements(granted.values()),
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
    ledger = Ledger(attempt.environment.state, attempt.contract.key)
    parts: list[StagedBatch] = []
    unreadable: list[Unreadable] = []
    objects: dict[str, tuple[tuple[str, str], ...]] = {}
    ignored: set[str] = set()
    suspects = ledger.questions.suspects()
    for partition, chosen in choose_objects(attempt, landing_object).items():
        # The object's own name may be longer than a file's can be; its end says what it is. One
        # after the other has this place: to remove a folder takes a millisecond.
        copy = folder / "landed" / f"object{Path(chosen.key).suffix[-16:]}"
        fetched = zone.fetch(chosen, copy)
        apart = (fetched.key, fetched.etag) in suspects or None
        ledger.take([fetched], attempt.run.run_id, attempt.batch_id)
        objects[partition] = ((fetched.key, fetched.etag),)
        try:
            staged = stage_object(
                attempt.contract,
                copy,
                fetched.key,
                folder,
                partition,
                apart=apart,
                # Who dies in the audit dies of any of them, and the last alone is suspected: after a
                # death each is decoded as it is read, when it is the last.
                audit_follows=not suspects,
            )
        except UnreadableObject as problem:
            kept = copy.parent / (partition or "all") / copy.name
            kept.parent.mkdir()
            copy.rename(kept)
            unreadable.append(Unreadable(partition, fetched.key, fetched.etag, str(problem), kept))
            continue
        copy.unlink()
        ignored.update(staged.ignored)
        part = _part(attempt, folder, partition, staged.files)
        parts.append(replace(part, rejects=staged.rejects, rejected_rows=staged.rejected_rows))
    left_out = {"columns left out": ", ".join(sorted(ignored))} if ignored else {}
    return Made(tuple(parts), tuple(unreadable), objects, metadata=left_out)
