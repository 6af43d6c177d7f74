"""What is asked of a lake table by whoever does not change it.

Belongs here: the facts of a table's metadata, under the names that pyiceberg gives them, so that its
own tables and the light ones (`catalog/described.py`) answer alike.
Does not belong here: where the facts are read, and what follows from them (`history.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from pyiceberg.io import FileIO
    from pyiceberg.schema import Schema


class SummaryFacts(Protocol):
    @property
    def additional_properties(self) -> Mapping[str, str]: ...


class SnapshotFacts(Protocol):
    @property
    def snapshot_id(self) -> int: ...
    @property
    def sequence_number(self) -> int | None: ...
    @property
    def timestamp_ms(self) -> int: ...
    @property
    def manifest_list(self) -> str: ...
    @property
    def schema_id(self) -> int | None: ...
    @property
    def summary(self) -> SummaryFacts | None: ...


class RefFacts(Protocol):
    @property
    def snapshot_id(self) -> int: ...


class LogFacts(Protocol):
    @property
    def metadata_file(self) -> str: ...


SnapshotT = TypeVar("SnapshotT", bound=SnapshotFacts)
SnapshotT_co = TypeVar("SnapshotT_co", bound=SnapshotFacts, covariant=True)


class MetadataFacts(Protocol[SnapshotT_co]):
    @property
    def snapshots(self) -> Sequence[SnapshotT_co]: ...
    @property
    def refs(self) -> Mapping[str, RefFacts]: ...
    @property
    def properties(self) -> Mapping[str, str]: ...
    @property
    def metadata_log(self) -> Sequence[LogFacts]: ...
    @property
    def schemas(self) -> Sequence[Schema]: ...


class TableFacts(Protocol[SnapshotT_co]):
    @property
    def metadata(self) -> MetadataFacts[SnapshotT_co]: ...
    @property
    def metadata_location(self) -> str: ...
    @property
    def io(self) -> FileIO: ...
    def location(self) -> str: ...
    def schema(self) -> Schema: ...


AnyTable = TableFacts[SnapshotFacts]
