"""A Parquet object: adopted as it is when it conforms, rewritten without loss, or refused.

Belongs here: comparing a footer with the contract, adopting the file, finding what is damaged in
one whose pages turn out to be unreadable later.
Does not belong here: the conversions (`contracts/lossless.py`), staging (`io_managers/staging.py`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import arrow_schema
from shared_resources.io_managers.protocol import UNPARTITIONED, StagedFile
from shared_resources.io_managers.staging import write_staged
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.header import compare_columns
from shared_resources.sql import quote_identifier, quote_literal

# What every engine that reads the lake can decompress.
ADOPTED_CODECS = frozenset({"UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD"})
MAGIC = b"PAR1"
FIELD_ID = b"PARQUET:field_id"
LARGEST_BATCH_ROWS = 16_384
LARGEST_BATCH_BYTES = 16 << 20
LAND_AGAIN = "land it again; it is cut off or damaged"
DAMAGE = (pa.ArrowException, OSError, ValueError)


def stage_parquet(
    contract: Contract, file: Path, object_key: str, folder: Path, partition: str
) -> tuple[StagedFile, ...]:
    """Stage a Parquet object.

    Adopting decodes no page: damage in one shows when the audit reads it (`telling_damage`).
    Raises `UnreadableObject` for what is no Parquet, or holds other columns or types.
    """
    expected = arrow_schema(tuple((c.name, c.type) for c in contract.columns))
    with _opened(file, object_key) as parquet:
        found = parquet.schema_arrow
        compare_columns(object_key, found.names, expected.names, "its schema")
        if _adoptable(parquet, expected):
            return (_adopt(file, parquet.metadata.num_rows, folder, partition),)
        return _rewrite(contract, parquet, expected, object_key, folder, partition)


@contextmanager
def telling_damage(files: dict[Path, str]) -> Iterator[None]:
    """Around a pass over staged files: a failure that a damaged file explains becomes
    `UnreadableObject`, any other is raised as it is. `files` gives the object of each file.
    """
    try:
        yield
    except (duckdb.Error, *DAMAGE):
        for file, object_key in files.items():
            verify(file, object_key)
        raise


def verify(file: Path, object_key: str) -> None:
    """Decode every page of a staged file. Raises `UnreadableObject` naming the damaged column."""
    with _opened(file, object_key) as parquet:
        groups, names = parquet.num_row_groups, parquet.schema_arrow.names
        for group in range(groups):
            for name in names:
                try:
                    for batch in parquet.iter_batches(row_groups=[group], columns=[name]):
                        batch.validate(full=True)
                except DAMAGE as error:
                    raise _damaged(object_key, name, f"row group {group + 1}", error) from error
    for name in names:
        _verify_with_duckdb(file, object_key, name)


def _verify_with_duckdb(file: Path, object_key: str, name: str) -> None:
    """The audit's own engine refuses some pages that Arrow reads."""
    path = quote_literal("".join(f"[{c}]" if c in "*?[" else c for c in str(file)))
    query = f"SELECT max(hash({quote_identifier(name)})) FROM read_parquet({path})"  # noqa: S608
    try:
        with duckdb.connect() as connection:
            connection.execute(query).fetchone()
    except duckdb.Error as error:
        raise _damaged(object_key, name, "", error) from error


def _damaged(object_key: str, name: str, where: str, error: Exception) -> UnreadableObject:
    place = f"column {name!r}" + (f", {where}" if where else "")
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UnreadableObject(object_key, f"cannot be read ({reason})", LAND_AGAIN, place)


@contextmanager
def _opened(file: Path, object_key: str) -> Iterator[pq.ParquetFile]:
    try:
        with file.open("rb") as raw:
            if raw.read(len(MAGIC)) != MAGIC:
                raise pa.ArrowInvalid("it does not start as one")
        parquet = pq.ParquetFile(file)
    except DAMAGE as error:
        reason = str(error).strip().splitlines()[0]
        raise UnreadableObject(
            object_key, f"is no whole Parquet file ({reason})", LAND_AGAIN
        ) from error
    with parquet:
        yield parquet


def _adoptable(parquet: pq.ParquetFile, expected: pa.Schema) -> bool:
    """Whether the file already is what would be written of it."""
    found = parquet.schema_arrow
    if found.names != expected.names or found.types != expected.types:
        return False
    if any(FIELD_ID in (field.metadata or {}) for field in found):
        return False
    metadata = parquet.metadata
    return all(
        metadata.row_group(group).column(column).compression in ADOPTED_CODECS
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )


def _adopt(file: Path, rows: int, folder: Path, partition: str) -> StagedFile:
    """The file itself in the staging folder; linked when it is the batch's private copy already."""
    target = folder if partition == UNPARTITIONED else folder / f"partition={partition}"
    target.mkdir(parents=True, exist_ok=True)
    path = target / "part-00000.parquet"
    path.unlink(missing_ok=True)
    if file.resolve().is_relative_to(folder.resolve()):
        try:
            os.link(file, path)
        except OSError:  # a file system without links
            shutil.copyfile(file, path)
    else:
        shutil.copyfile(file, path)
    return StagedFile(path, partition, rows)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """How many rows to decode at a time: fewer where they are long, by the footer's account."""
    groups = range(metadata.num_row_groups)
    size: int = sum(metadata.row_group(group).total_byte_size for group in groups)
    rows: int = metadata.num_rows
    return max(1, min(LARGEST_BATCH_ROWS, LARGEST_BATCH_BYTES * rows // max(1, size)))


def _rewrite(
    contract: Contract,
    parquet: pq.ParquetFile,
    expected: pa.Schema,
    object_key: str,
    folder: Path,
    partition: str,
) -> tuple[StagedFile, ...]:
    from shared_resources.contracts.lossless import conform

    schema = parquet.schema_arrow
    batches = parquet.iter_batches(batch_size=_batch_rows(parquet.metadata))
    rows = pa.RecordBatchReader.from_batches(schema, batches)
    try:
        conformed = conform(rows, contract)
        for name, type_ in zip(expected.names, expected.types, strict=True):
            if conformed.schema.field(name).type != type_:
                raise UnreadableObject(
                    object_key,
                    f"holds {schema.field(name).type} where the contract has {type_}, and its "
                    "values cannot be converted without loss",
                    "land it with the contract's type, or change the contract",
                    f"column {name!r}",
                )
        return write_staged(conformed, folder, contract, (partition,))
    except DAMAGE as error:
        raise UnreadableObject(
            object_key, f"cannot be read ({str(error).splitlines()[0]})", LAND_AGAIN
        ) from error
