"""A table as its metadata file describes it, for whoever only reads it.

Belongs here: the facts of `stores/lake/table_facts.py` from Iceberg's JSON.
Does not belong here: which file is the table's (the catalogs), changing a table: that takes
pyiceberg's own, whose import alone costs a reader more time than all that he asks.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pyiceberg.io import FileIO
    from pyiceberg.schema import Schema

_T = TypeVar("_T")
_GZIP = ".gz.metadata.json"


class BrokenMetadata(ValueError):
    """The file is no metadata of a table: cut off, overwritten, or of another kind."""


@dataclass(frozen=True)
class DescribedSummary:
    additional_properties: Mapping[str, str]


@dataclass(frozen=True)
class DescribedSnapshot:
    snapshot_id: int
    sequence_number: int
    timestamp_ms: int
    manifest_list: str
    schema_id: int | None
    summary: DescribedSummary | None


@dataclass(frozen=True)
class DescribedRef:
    snapshot_id: int


@dataclass(frozen=True)
class DescribedLogEntry:
    metadata_file: str


@dataclass(frozen=True)
class DescribedMetadata:
    location: str
    snapshots: Sequence[DescribedSnapshot]
    refs: Mapping[str, DescribedRef]
    properties: Mapping[str, str]
    metadata_log: Sequence[DescribedLogEntry]
    current_schema_id: int
    schemas_as_json: Sequence[Mapping[str, Any]]

    @cached_property
    def schemas(self) -> Sequence[Schema]:
        from pyiceberg.schema import Schema

        return [Schema.model_validate(one) for one in self.schemas_as_json]


@dataclass(frozen=True)
class DescribedTable:
    """`open_io` gives what the table's manifests are read through, for who asks for them."""

    metadata: DescribedMetadata
    metadata_location: str
    open_io: Callable[[], FileIO]

    @cached_property
    def io(self) -> FileIO:
        return self.open_io()

    def location(self) -> str:
        return self.metadata.location

    def schema(self) -> Schema:
        wanted = self.metadata.current_schema_id
        return next(one for one in self.metadata.schemas if one.schema_id == wanted)


def describe(content: bytes, location: str, open_io: Callable[[], FileIO]) -> DescribedTable:
    """The table that the metadata file at `location` holds. Raises `BrokenMetadata`."""
    try:
        found = json.loads(gzip.decompress(content) if location.endswith(_GZIP) else content)
    except (ValueError, EOFError, gzip.BadGzipFile) as problem:
        raise BrokenMetadata(f"it is no JSON: {problem}") from problem
    if not isinstance(found, dict):
        raise BrokenMetadata("it is no JSON object")
    schemas = _list(found, "schemas", dict)
    current = _need(found, "current-schema-id", int)
    if current not in [_need(one, "schema-id", int) for one in schemas]:
        raise BrokenMetadata(f"its current schema {current} is not among its schemas")
    metadata = DescribedMetadata(
        location=_need(found, "location", str),
        snapshots=[_snapshot(one) for one in _list(found, "snapshots", dict)],
        refs={
            name: DescribedRef(_need(ref, "snapshot-id", int))
            for name, ref in _map(found, "refs", dict).items()
        },
        properties=_map(found, "properties", str),
        metadata_log=[
            DescribedLogEntry(_need(one, "metadata-file", str))
            for one in _list(found, "metadata-log", dict)
        ],
        current_schema_id=current,
        schemas_as_json=schemas,
    )
    return DescribedTable(metadata, location, open_io)


def _snapshot(found: Mapping[str, Any]) -> DescribedSnapshot:
    summary = _map(found, "summary", str) if found.get("summary") is not None else None
    schema_id = found.get("schema-id")
    return DescribedSnapshot(
        snapshot_id=_need(found, "snapshot-id", int),
        sequence_number=_need({"sequence-number": 0, **found}, "sequence-number", int),
        timestamp_ms=_need(found, "timestamp-ms", int),
        manifest_list=_need(found, "manifest-list", str),
        schema_id=None if schema_id is None else _need(found, "schema-id", int),
        summary=None if summary is None else DescribedSummary(summary),
    )


def _need(found: Mapping[str, Any], name: str, kind: type[_T]) -> _T:
    return _as(found.get(name), name, kind)


def _list(found: Mapping[str, Any], name: str, kind: type[_T]) -> list[_T]:
    return [_as(one, name, kind) for one in _as(found.get(name) or [], name, list)]


def _map(found: Mapping[str, Any], name: str, kind: type[_T]) -> dict[str, _T]:
    items = _as(found.get(name) or {}, name, dict).items()
    return {str(key): _as(value, f"{name}.{key}", kind) for key, value in items}


def _as(value: object, name: str, kind: type[_T]) -> _T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BrokenMetadata(f"its {name} is {value!r:.40}, which is no {kind.__name__}")
    return value
