"""Iceberg's Avro files, read by pyiceberg's reader without what changes tables.

Belongs here: the rows of a manifest list and of a manifest, as pyiceberg's own classes.
Does not belong here: whether they are what was committed (`manifests.py`).

pyiceberg looks up the name of a compression in the module of its transactions, and imports it with all
that it needs for every file: a third of the time in which a small product is read.
"""

from __future__ import annotations

from typing import TypeVar

from pyiceberg.avro.codecs import AVRO_CODEC_KEY, KNOWN_CODECS
from pyiceberg.avro.codecs.codec import Codec
from pyiceberg.avro.file import META_SCHEMA, AvroFile, AvroFileHeader
from pyiceberg.avro.resolver import construct_reader
from pyiceberg.io import FileIO
from pyiceberg.manifest import (
    DEFAULT_READ_VERSION,
    MANIFEST_ENTRY_SCHEMAS,
    MANIFEST_LIST_FILE_SCHEMAS,
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    PartitionFieldSummary,
    _inherit_from_manifest,
)
from pyiceberg.typedef import StructProtocol

_D = TypeVar("_D", bound=StructProtocol)


class _Header(AvroFileHeader):
    def compression_codec(self) -> type[Codec] | None:
        name = self.meta.get(AVRO_CODEC_KEY)
        for known, codec in KNOWN_CODECS.items():
            if known == name:
                return codec
        raise ValueError(f"Unsupported codec: {name}")


class _Rows(AvroFile[_D]):
    def _read_header(self) -> AvroFileHeader:
        header = construct_reader(META_SCHEMA, {-1: _Header}).read(self.decoder)
        assert isinstance(header, _Header)
        return header


def read_list(io: FileIO, location: str) -> list[ManifestFile]:
    """What a manifest list lists: as `pyiceberg.manifest.read_manifest_list`."""
    with _Rows[ManifestFile](
        io.new_input(location),
        MANIFEST_LIST_FILE_SCHEMAS[DEFAULT_READ_VERSION],
        read_types={-1: ManifestFile, 508: PartitionFieldSummary},
        read_enums={517: ManifestContent},
    ) as rows:
        return list(rows)


def read_live_entries(io: FileIO, manifest: ManifestFile) -> list[ManifestEntry]:
    """What a manifest lists and has not deleted: as `ManifestFile.fetch_manifest_entry`."""
    with _Rows[ManifestEntry](
        io.new_input(manifest.manifest_path),
        MANIFEST_ENTRY_SCHEMAS[DEFAULT_READ_VERSION],
        read_types={-1: ManifestEntry, 2: DataFile},
        read_enums={0: ManifestEntryStatus, 101: FileFormat, 134: DataFileContent},
    ) as rows:
        return [
            _inherit_from_manifest(entry, manifest)
            for entry in rows
            if entry.status is not ManifestEntryStatus.DELETED
        ]
