"""A Parquet object: adopted as it is when it conforms, rewritten without loss, or refused.

Belongs here: comparing a footer's schema with the contract, adopting the file.
Does not belong here: its rows (`rows.py`), proving it true (`pages.py`), what its footer says beyond
that (`claims.py`), the conversions (`contracts/values/lossless.py`), writing what is rewritten
(`stores/staging/staging.py`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.contracts.types import arrow_schema
from shared_resources.contracts.values.offending import note_of
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.formats.parquet import int96
from shared_resources.landing.formats.parquet.claims import proven_footer, write_footer
from shared_resources.landing.formats.parquet.footer import is_ordinary, refuse_encrypted
from shared_resources.landing.formats.parquet.pages import (
    DAMAGE,
    decode_again,
    footer_is_true,
    reason,
    remedy,
)
from shared_resources.landing.formats.parquet.rows import ForeignRows
from shared_resources.landing.header import compare_columns, expected_columns
from shared_resources.landing.staged_object import ObjectToStage, StagedObject, remove_staged
from shared_resources.stores.protocol import UNPARTITIONED, StagedFile
from shared_resources.stores.staging.fingerprints import sha256_of
from shared_resources.stores.staging.staging import write_staged

# What every engine that reads the lake can decompress and decode.
ADOPTED_CODECS = frozenset({"UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD"})
ADOPTED_ENCODINGS = frozenset({"PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED"})
FIELD_ID = b"PARQUET:field_id"
DIGESTED_BESIDE_BYTES = 8 << 20


class ParquetReader:
    """See `FormatReader`."""

    def is_ordinary(self, file: Path) -> bool:
        return is_ordinary(file)

    def stage(self, of: ObjectToStage) -> StagedObject:
        return stage_parquet(of)


READER = ParquetReader()


def stage_parquet(of: ObjectToStage) -> StagedObject:
    """Stage a Parquet object.

    One that is what would be written of it is adopted, its pages byte for byte, after it was decoded
    by Arrow and, unless the audit does that, by DuckDB. Its footer stays as far as it is proven.
    Raises `UnreadableObject` for what is no Parquet, is damaged, or holds other columns or types.
    """
    contract = of.contract
    expected = arrow_schema(tuple((c.name, c.type) for c in contract.columns))
    columns = expected_columns(contract, of.partition)
    with _opened(of.file, of.key) as parquet:
        found = parquet.schema_arrow
        named = columns.named(found.names)
        compare_columns(of.key, named, columns, "its schema")
        conforms, digest = False, None
        if _looks_adoptable(parquet, expected):
            conforms, digest = _proven(of)
        if conforms:
            adoptable = _is_adoptable(parquet.metadata)
            footer = proven_footer(of.file, parquet.metadata) if adoptable else None
            # What the audit finds damaged is kept in quarantine, which must be the object as it came.
            left = adoptable and of.audit_follows and footer is None
            if not left:
                decode_again(of.file, of.key, found.names)
            if adoptable:
                adopted = _adopt(of, footer)
                rows = parquet.metadata.num_rows
                same = digest if adopted.samefile(of.file) else None
                return StagedObject((StagedFile(adopted, of.partition, rows, left, same),))
        files = _rewrite(of, ForeignRows(parquet, of.file, of.key, contract), expected)
        return StagedObject(files, ignored=columns.unknown(named))


def _proven(of: ObjectToStage) -> tuple[bool, str | None]:
    """Whether the file's footer is true; and the file's digest, where that is wanted and it is large.

    A digest is taken by one processor, while the pages are decoded by all that there are.
    """
    if of.in_place or of.file.stat().st_size < DIGESTED_BESIDE_BYTES:
        return footer_is_true(of.file, of.key, of.contract), None
    with ThreadPoolExecutor(1, thread_name_prefix="digest") as beside:
        digest = beside.submit(sha256_of, of.file)
        return footer_is_true(of.file, of.key, of.contract), digest.result()


@contextmanager
def _opened(file: Path, object_key: str) -> Iterator[pq.ParquetFile]:
    try:
        refuse_encrypted(file, object_key)
        parquet = pq.ParquetFile(
            file, page_checksum_verification=True, coerce_int96_timestamp_unit=int96.UNIT
        )
    except DAMAGE as error:
        problem = f"is no whole Parquet file ({reason(error)})"
        raise UnreadableObject(object_key, problem, remedy(error)) from error
    with parquet:
        yield parquet


def _looks_adoptable(parquet: pq.ParquetFile, expected: pa.Schema) -> bool:
    """Whether the file's schema already is that of what would be written of it."""
    found = parquet.schema_arrow
    if found.names != expected.names or found.types != expected.types:
        return False
    if int96.int96_columns(parquet.metadata):  # other readers take them for nanoseconds
        return False
    return not any(FIELD_ID in (field.metadata or {}) or not field.nullable for field in found)


def _is_adoptable(metadata: pq.FileMetaData) -> bool:
    """Whether every engine can decode the file.

    Asked of a file only after Arrow decoded it: of a damaged footer an answer may end the process,
    where decoding raises an error.
    """
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    columns = (group.column(i) for group in groups for i in range(group.num_columns))
    return all(
        column.compression in ADOPTED_CODECS and ADOPTED_ENCODINGS.issuperset(column.encodings)
        for column in columns
    )


def _adopt(of: ObjectToStage, footer: bytes | None) -> Path:
    """The file in the staging folder, with another footer where one is given; else linked when it is
    the batch's private copy already, or may be read where it is."""
    file, folder, partition = of.file, of.folder, of.partition
    target = folder if partition == UNPARTITIONED else folder / f"partition={partition}"
    target.mkdir(parents=True, exist_ok=True)
    path = target / "part-00000.parquet"
    path.unlink(missing_ok=True)
    if footer is not None:
        shutil.copyfile(file, path)
        write_footer(path, footer)
    elif of.in_place:
        path.symlink_to(file.resolve())
    elif file.resolve().is_relative_to(folder.resolve()):
        try:
            os.link(file, path)
        except OSError:  # a file system without links
            shutil.copyfile(file, path)
    else:
        shutil.copyfile(file, path)
    return path


def _rewrite(of: ObjectToStage, rows: ForeignRows, expected: pa.Schema) -> tuple[StagedFile, ...]:
    from shared_resources.contracts.values.lossless import conform

    try:
        conformed = conform(rows.reader(), of.contract, valid=True)
        for name, type_ in zip(expected.names, expected.types, strict=True):
            field = conformed.schema.field(name)
            if field.type != type_ or note_of(field):
                raise UnreadableObject(
                    of.key,
                    f"holds {rows.found.field(name).type} where the contract has {type_}, and "
                    f"{note_of(field)}, which cannot be converted without loss",
                    "land it with the contract's type, or change the contract",
                    f"column {name!r}",
                )
        return write_staged(conformed, of.folder, of.contract, (of.partition,))
    except UnreadableObject:
        remove_staged(of.folder, of.partition)
        raise
    except DAMAGE as error:
        remove_staged(of.folder, of.partition)
        problem = f"cannot be read ({reason(error)})"
        raise UnreadableObject(of.key, problem, remedy(error)) from error
