"""A version of a product in the warehouse: which database files make it up, and how that is written.

Belongs here: the manifest and its JSON, reading one.
Does not belong here: the manifests of a product and their atomic steps (`manifests.py`), the database
files (`files.py`).

Its first line says what the version is, its second what it is made of: a product's history is read
without its files. The third has the SHA-256 of both, which manifests of earlier releases lack.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shared_resources.contracts.promise import parse_type
from shared_resources.contracts.types import ColumnType
from shared_resources.evidence.statement import AttestedFile
from shared_resources.stores.protocol import UNPARTITIONED, Unreadable, Version
from shared_resources.stores.versions import version_of


@dataclass(frozen=True)
class DataFile:
    """One immutable database file, relative to the product's folder.

    `partitions` are the rows by partition key of those partitions that belong to the version; the
    file holds `partitions_held`, more when a later version replaced some of them. `size` and `sha256`
    are None in manifests of earlier releases. `columns` are called as in the file; `called` says what
    the version calls those of them that it calls otherwise.
    """

    path: str
    columns: tuple[tuple[str, str], ...]
    partitions: Mapping[str, int]
    partitions_held: int
    size: int | None = None
    sha256: str | None = None
    called: tuple[tuple[str, str], ...] = ()

    @property
    def held(self) -> Mapping[str, tuple[str, str]]:
        """By the version's name of each column that the file has, its name and type in the file."""
        called = dict(self.called)
        return {called.get(name, name): (name, type_) for name, type_ in self.columns}

    def renamed(self, names: Mapping[str, str]) -> DataFile:
        """The file in a version that calls columns otherwise: `names` are the new ones by the old."""
        if not names:
            return self
        now = {name: names.get(of, of) for of, (name, _) in self.held.items()}
        return replace(self, called=tuple((name, of) for name, of in now.items() if name != of))

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

    def attested(self) -> tuple[AttestedFile, ...]:
        return tuple(AttestedFile(f.path, f.sha256, f.size, f.partitions) for f in self.files)

    def version(self, store: str) -> Version:
        return version_of(self.product, store, manifest_name(self.number), self.properties)

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
                **({"called": file.called} if file.called else {}),
            }
            for file in manifest.files
        ],
    }
    return head, body


def written(manifest: Manifest) -> bytes:
    lines = [json.dumps(part).encode() for part in _parts(manifest)]
    return b"".join(line + b"\n" for line in (*lines, json.dumps(_digest(lines)).encode()))


def read_manifest(product: str, path: Path) -> Manifest:
    """Raises `FileNotFoundError`, and `Unreadable` for a file that is no whole manifest."""
    with _understood(product, path):
        head, body = _lines(path)
        return _parse(_head(product, path, head), json.loads(body))


def read_version(product: str, store: str, path: Path) -> Version:
    """What the version is, without what it is made of. Raises what `read_manifest` does."""
    with _understood(product, path):
        head = _head(product, path, _lines(path)[0])
        return version_of(product, store, manifest_name(head["number"]), head["properties"])


def _lines(path: Path) -> tuple[bytes, bytes]:
    """What the version is, and what it is made of. Raises `ValueError` unless both are whole."""
    head, body, *rest = path.read_bytes().splitlines()
    if rest and [json.loads(line) for line in rest] != [_digest([head, body])]:
        raise ValueError("its content has another SHA-256 than it was written with")
    return head, body


def _head(product: str, path: Path, line: bytes) -> dict[str, Any]:
    """Raises `ValueError` when it is that of another version than the file's name says."""
    head: dict[str, Any] = json.loads(line)
    of, name = head["product"], manifest_name(head["number"])
    if of != product or not path.name.startswith(name):
        raise ValueError(f"it is that of {of} {name}")
    return head


def _digest(lines: Sequence[bytes]) -> dict[str, str]:
    return {"sha256": hashlib.sha256(b"\n".join(lines)).hexdigest()}


@contextmanager
def _understood(product: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, IsADirectoryError) as problem:
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
                called=tuple((name, of) for name, of in file.get("called", ())),
            )
            for file in body["files"]
        ),
        properties=head["properties"],
    )
