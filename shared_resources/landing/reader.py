"""One landing object into staged Parquet: every row of it is staged or kept as a reject.

Belongs here: the way from a private copy of an object to the files of a staged batch.
Does not belong here: the formats (`landing/formats/csv.py`, `landing/formats/jsonl.py`,
`landing/formats/parquet.py`), or judging what was staged: that rejects refuse a batch is the
audit's PARSE rule.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from shared_resources.contracts.model import Contract, Landing, LandingFormat
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.formats.csv import CsvObject
from shared_resources.landing.formats.csv_shape import CsvShape
from shared_resources.landing.formats.jsonl import JsonLinesObject
from shared_resources.landing.formats.parquet import stage_parquet
from shared_resources.landing.formats.parquet_footer import is_ordinary
from shared_resources.landing.header import expected_columns
from shared_resources.landing.isolated import stage_apart
from shared_resources.landing.staged_object import StagedObject, Staging, carefully
from shared_resources.landing.text import Limits, open_text
from shared_resources.landing.typed_rows import Misread
from shared_resources.stores.protocol import UNPARTITIONED

__all__ = ["Limits", "StagedObject", "UnreadableObject", "stage_object"]


def stage_object(
    contract: Contract,
    local_file: Path,
    obj_key: str,
    folder: Path,
    partition: str = UNPARTITIONED,
    *,
    limits: Limits | None = None,
    apart: bool | None = None,
) -> StagedObject:
    """Stage the object `obj_key`, of which `local_file` is a copy, below `folder`.

    The copy is read only, never changed; compression goes by the end of `obj_key`. Rows that are
    not readable as the contract's types are not staged but kept in the rejects file. Raises
    `UnreadableObject` when the object as a whole is not what the contract says.

    `apart`: read in a process of its own, so that nothing in the object ends this one; None leaves it
    to what is known to be safe.
    """
    landing = contract.landing
    if landing is None:
        raise ValueError(
            f"{contract.key}: its contract has no landing, so nothing says how to read {obj_key}"
        )
    if local_file.stat().st_size == 0:
        raise UnreadableObject(obj_key, "is empty (0 bytes)", "land it again")
    if apart is None:
        apart = landing.format is LandingFormat.PARQUET and not is_ordinary(local_file)
    if apart:
        return stage_apart(contract, local_file, obj_key, folder, partition, limits or Limits())
    if landing.format is LandingFormat.PARQUET:
        return stage_parquet(contract, local_file, obj_key, folder, partition)
    return _stage_text(
        contract, landing, local_file, obj_key, folder, partition, limits or Limits()
    )


def _stage_text(
    contract: Contract,
    landing: Landing,
    local_file: Path,
    key: str,
    folder: Path,
    partition: str,
    limits: Limits,
) -> StagedObject:
    work = folder / ".reading" / (partition or "all")
    work.mkdir(parents=True, exist_ok=True)
    stage = Staging(contract, key, folder, partition, work)
    try:
        shape = CsvShape(landing.delimiter)
        look = shape.look if landing.format is LandingFormat.CSV else None
        with open_text(local_file, key, landing.encoding, work, limits, look) as text:
            if landing.format is LandingFormat.JSONL:
                lines = JsonLinesObject(text, key, contract.columns, landing.ignores_extra)
                staged = stage.write(carefully(lines.batches))
                return replace(staged, ignored=lines.ignored)
            expected = expected_columns(contract, partition)
            table = CsvObject(text, shape, key, landing, expected, limits)
            query = table.fast_query()
            if query is not None:
                # Ragged or damaged: the careful parser says where, and keeps the rest.
                with suppress(Misread):
                    staged = stage.write(lambda rows, _: rows.parse_query(query))
                    return replace(staged, ignored=table.ignored)
            return replace(stage.write(carefully(table.batches)), ignored=table.ignored)
    finally:
        shutil.rmtree(work.parent, ignore_errors=True)
