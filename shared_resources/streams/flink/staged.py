"""What a generation has staged: an Iceberg table that one job alone commits to, read file by file.

Belongs here: following its snapshots, the rows of some offsets, removing files that were passed.
Does not belong here: whether the rows are whole (`reconciling.py`), generations (`generations.py`).

A file of which a committed position has passed every row is removed, and first named in `removed`, so
that who finds it missing knows why. The table's own metadata is never touched: the job may be committing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared_resources.problems import MeshProblem
from shared_resources.streams.flink.generations import Generation
from shared_resources.streams.flink.staged_columns import OFFSET, PARTITION
from shared_resources.streams.log.port import Positions

REMOVED = "removed"
Ranges = Mapping[int, tuple[int, int]]


class Unreconciled(MeshProblem):
    """What was staged is not what the log holds: nothing of it is published, and the same is found until
    somebody begins the job anew (`exit_code` 2)."""

    exit_code = 2


@dataclass(frozen=True)
class StagedPart:
    """One file. `spans` are, by partition, its first offset and the one after its last."""

    path: Path
    spans: Mapping[int, tuple[int, int]]

    def overlaps(self, ranges: Ranges) -> bool:
        return any(
            begin < ranges[p][1] and end > ranges[p][0]
            for p, (begin, end) in self.spans.items()
            if p in ranges
        )


@dataclass
class Staged:
    """`seen` is the name of the metadata that was read last; it changes at each checkpoint or tenth.
    `removed` are the names of files that were passed, each with where its partitions ended."""

    generation: Generation
    seen: str = ""
    removed: dict[str, Mapping[int, int]] = field(default_factory=dict)
    _parts: dict[Path, StagedPart] = field(default_factory=dict)
    _manifests: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._read_removed()

    def refresh(self) -> None:
        """Read what was committed since. Raises `Unreconciled` when a file of it is gone."""
        metadata = self._newest()
        if metadata is None or metadata.name == self.seen:
            return
        from pyiceberg.table import StaticTable

        try:
            table = StaticTable.from_metadata(str(metadata))
            snapshot = table.current_snapshot()
            manifests = snapshot.manifests(table.io) if snapshot is not None else []
            new = [one for one in manifests if one.manifest_path not in self._manifests]
            paths = [
                _local(entry.data_file.file_path)
                for manifest in new
                for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)
            ]
        except FileNotFoundError:
            return  # the job has moved on: the next look finds what is newer
        for path in paths:
            if path not in self._parts and path.name not in self.removed:
                self._add(path)
        self._manifests |= {one.manifest_path for one in new}
        self.seen = metadata.name

    def _add(self, path: Path) -> None:
        try:
            self._parts[path] = _part_of(path)
        except Unreconciled:
            self._read_removed()  # another process may have, meanwhile
            if path.name not in self.removed:
                raise

    def _read_removed(self) -> None:
        file = self.generation.folder / REMOVED
        for line in file.read_text().splitlines() if file.exists() else ():
            said = json.loads(line)
            self.removed[said["file"]] = {int(p): int(at) for p, at in said["ends"].items()}

    @property
    def frontier(self) -> Mapping[int, int]:
        """By partition, the offset after the highest that was staged."""
        found = dict(self.generation.begins)
        spans = [part.spans.items() for part in self._parts.values()]
        for p, (_, end) in (one for some in spans for one in some):
            found[p] = max(found.get(p, 0), end)
        return found

    @property
    def floor(self) -> Mapping[int, int]:
        """By partition, from where rows are there that were not removed."""
        found = dict(self.generation.begins)
        for ends in self.removed.values():
            for p, end in ends.items():
                found[p] = max(found.get(p, 0), end)
        return found

    def rows(self, ranges: Ranges) -> pa.Table | None:
        """The rows of these offsets, in no order; None without a file of them. Raises `Unreconciled`."""
        found = [
            _within(_table(part.path), ranges)
            for part in self._parts.values()
            if part.overlaps(ranges)
        ]
        return pa.concat_tables(found) if found else None

    def remove_passed(self, positions: Positions) -> None:
        """Remove the files of which every row lies before these positions."""
        for part in list(self._parts.values()):
            if all(end <= positions.get(p, 0) for p, (_, end) in part.spans.items()):
                ends = {p: end for p, (_, end) in part.spans.items()}
                with (self.generation.folder / REMOVED).open("a") as file:
                    said = {"file": part.path.name, "ends": {str(p): e for p, e in ends.items()}}
                    file.write(json.dumps(said) + "\n")
                self.removed[part.path.name] = ends
                del self._parts[part.path]
                part.path.unlink(missing_ok=True)

    def _newest(self) -> Path | None:
        try:
            hint = (self.generation.metadata / "version-hint.text").read_text().strip()
        except FileNotFoundError:
            return None
        return self.generation.metadata / f"v{hint}.metadata.json"


def _local(path: str) -> Path:
    """A file as Hadoop writes it: `file:/folder/name`, as it is."""
    return Path("/" + path.removeprefix("file:").lstrip("/"))


def _part_of(path: Path) -> StagedPart:
    places = _read(path, [PARTITION, OFFSET])
    grouped = places.group_by(PARTITION).aggregate([(OFFSET, "min"), (OFFSET, "max")])
    spans = {
        row[PARTITION]: (row[f"{OFFSET}_min"], row[f"{OFFSET}_max"] + 1)
        for row in grouped.to_pylist()
    }
    return StagedPart(path, spans)


@lru_cache(maxsize=4)  # a window takes up where the one before it ended: in the same files
def _table(path: Path) -> pa.Table:
    return _read(path, None)


def _read(path: Path, columns: list[str] | None) -> pa.Table:
    try:
        return pq.ParquetFile(path).read(columns=columns)
    except FileNotFoundError:
        raise Unreconciled(
            f"{path}, which the job has staged, is gone, and was taken by no window: begin the job anew "
            "(`mesh stream job`); nothing of it was published"
        ) from None


def _within(table: pa.Table, ranges: Ranges) -> pa.Table:
    wanted = [
        pc.and_(
            pc.equal(table[PARTITION], p),
            pc.and_(pc.greater_equal(table[OFFSET], begin), pc.less(table[OFFSET], end)),
        )
        for p, (begin, end) in ranges.items()
    ]
    mask = wanted[0]
    for one in wanted[1:]:
        mask = pc.or_(mask, one)
    return table.filter(mask)
