"""A version of a product in the warehouse: which database files make it up, and how that is written.

Belongs here: the manifest and its JSON, reading one.
Does not belong here: the manifests of a product and their atomic steps (`manifests.py`), the database
files (`files.py`).

Its first line says what the version is, its second what it is made of: a product's history is read
without its files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shared_resources.contracts.promise import parse_type
from shared_resources.contracts.types import ColumnType
from shared_resources.io_managers.protocol import UNPARTITIONED, Unreadable, Version
from shared_resources.io_managers.versions import version_of


@dataclass(frozen=True)
class DataFile:
    """One immutable database file, relative to the product's folder.

    `partitions` are the rows by partition key of those partitions that belong to the version; the
    file holds `partitions_held`, more when a later version replaced some of them. `size` and `sha256`
    are None in manifests of earlier releases.
    """

    path: str
    columns: tuple[tuple[str, str], ...]
    partitions: Mapping[str, int]
    partitions_held: int
    size: int | None = None
    sha256: str | None = None

    @property
    def rows(self) -> int:
        return sum(self.partitions.values())

    @property
    def whole(self) -> bool:
        return len(self.partitions) == self.partitions_held

    def without(self, replaced: frozenset[str]) -> DataFile | None:
        """The file with these partitions no longer part of the version; None if nothing is left."""
        kept = {key: rows for key, rows in self.partitions.items() if key not in replaced}
        return replace(self, partitions=kept) if kept else None


@dataclass(frozen=True)
class Manifest:
    """`columns` are (name, DuckDB type) in order; `properties` the evidence as committed."""

    product: str
    number: int
    columns: tuple[tuple[str, str], ...]
    partition_column: str | None
    files: tuple[DataFile, ...]
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def types(self) -> tuple[tuple[str, ColumnType], ...]:
        return tuple((name, parse_type(type_)) for name, type_ in self.columns)

    @property
    def partition_keys(self) -> frozenset[str]:
        return frozenset(key for file in self.files for key in file.partitions) - {UNPARTITIONED}


def manifest_name(number: int) -> str:
    return f"v{number:08d}"


def _parts(manifest: Manifest) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two lines of the file. A list of columns that many files share is written once."""
    shapes = list(dict.fromkeys(file.columns for file in manifest.files))
    head = {
        "product": manifest.product,
        "number": manifest.number,
        "properties": dict(manifest.properties),
    }
    body = {
        "columns": manifest.columns,
        "partition_column": manifest.partition_column,
        "shapes": shapes,
        "files": [
            {
                "path": file.path,
                "shape": shapes.index(file.columns),
                "partitions": dict(file.partitions),
                "partitions_held": file.partitions_held,
                "size": file.size,
                "sha256": file.sha256,
            }
            for file in manifest.files
        ],
    }
    return head, body


def written(manifest: Manifest) -> bytes:
    return ("\n".join(json.dumps(part) for part in _parts(manifest)) + "\n").encode()


def read_manifest(product: str, path: Path) -> Manifest:
    """Raises `FileNotFoundError`, and `Unreadable` for a file that is no whole manifest."""
    with _understood(product, path):
        head, body = path.read_text(encoding="utf-8").splitlines()
        return _parse(json.loads(head), json.loads(body))


def read_version(product: str, store: str, path: Path) -> Version:
    """What the version is, without what it is made of. Raises what `read_manifest` does."""
    with _understood(product, path), path.open(encoding="utf-8") as file:
        head = json.loads(file.readline())
        return version_of(head["product"], store, manifest_name(head["number"]), head["properties"])


@contextmanager
def _understood(product: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as problem:
        raise Unreadable(
            product,
            path,
            f"is no whole manifest of a version ({problem or type(problem).__name__})",
            f"`mesh repair {product}` puts its spare copy back",
        ) from problem


def _parse(head: dict[str, Any], body: dict[str, Any]) -> Manifest:
    shapes = [tuple((name, type_) for name, type_ in shape) for shape in body["shapes"]]
    return Manifest(
        product=head["product"],
        number=head["number"],
        columns=tuple((name, type_) for name, type_ in body["columns"]),
        partition_column=body["partition_column"],
        files=tuple(
            DataFile(
                path=file["path"],
                columns=shapes[file["shape"]],
                partitions=file["partitions"],
                partitions_held=file["partitions_held"],
                size=file.get("size"),
                sha256=file.get("sha256"),
            )
            for file in body["files"]
        ),
        properties=head["properties"],
    )
