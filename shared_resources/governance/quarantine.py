"""Quarantine: what was rejected, kept with the reasons until someone mends and replays it.

Belongs here: storing an entry, listing and reading entries, the mark of a replay, expiry.
Does not belong here: deciding what is rejected (`data_products/verdict.py`), trying it again
(`data_products/replaying.py`), showing it to people (`quarantine_view.py`).

An entry is a folder that appears by one rename and is never changed:

    <root>/<domain>/<product>/<id>/entry.json
                                   files/00000.parquet ...   what was rejected, as it was staged
                                   rejects.parquet           rows that could not be read, as text
                                   replays/<version>.json    added when a replay published it

The id is derived from what was rejected, so that a run that was killed and retried leaves no
doubles. A retry of a batch that rejects something else leaves both; the later one counts, and
`superseded_by` of the earlier one says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

KINDS = ("batch", "rows", "object")
_FILES = "files"
_REJECTS = "rejects.parquet"
_REPLAYS = "replays"
_INCOMING = ".incoming"
# Nobody takes a day to copy an entry: what is older was left by a process that died.
_ABANDONED_SECONDS = 86_400
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class UnknownEntry(LookupError):
    """There is no entry of that id; the message says how to list them."""


@dataclass(frozen=True)
class Rejection:
    """What was rejected, and why. `reasons` are (rule, clause, rows failed, message).

    `kind`: `batch`, refused whole; `rows`, set aside within the loss budget; `object`, a landing
    object of which nothing could be read. `inputs` are the upstream versions by product key,
    `objects` the landing objects as (key, etag), `parent` the entry that was replayed.
    """

    product: str
    kind: str
    batch_id: str
    run_id: str
    rows: int
    reasons: tuple[tuple[str, str, int, str], ...]
    contract_version: str
    contract_digest: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    partitions: tuple[str, ...] = ("",)
    objects: tuple[tuple[str, str], ...] = ()
    parent: str | None = None


@dataclass(frozen=True)
class Replay:
    """A version that published (what passed of) an entry."""

    version: int
    at: datetime


@dataclass(frozen=True)
class QuarantineEntry(Rejection):
    """A kept rejection. `at` is when; `replays` are the versions that published it since."""

    id: str = ""
    at: datetime = _NEVER
    file_names: tuple[str, ...] = ()
    replays: tuple[Replay, ...] = ()
    superseded_by: str | None = None

    @property
    def open(self) -> bool:
        """Whether there is still something to decide: neither replayed nor superseded."""
        return not self.replays and self.superseded_by is None


class Quarantine:
    """The entries below `root`. Every method is safe to call from many processes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(
        self, rejection: Rejection, files: Sequence[Path], rejects: Path | None = None
    ) -> QuarantineEntry:
        """Keep the files (linked where the file system can, else copied) as one entry, at once.

        Putting the same again returns the entry that is there. Whoever dies before the end has
        changed nothing that anyone sees.
        """
        if rejection.kind not in KINDS:
            raise ValueError(f"{rejection.kind!r} is no kind of entry: {', '.join(KINDS)}")
        folder = self._folder(rejection.product)
        id_ = _identity(rejection) + "-" + _digest([*files, *([rejects] if rejects else [])])[:8]
        target = folder / id_
        if not target.exists():
            self._sweep()
            with self._incoming() as incoming:
                names = _keep_files(files, incoming / _FILES)
                if rejects is not None:
                    _keep_file(rejects, incoming / _REJECTS)
                _write_json(
                    incoming / "entry.json",
                    {
                        **asdict(rejection),
                        "id": id_,
                        "at": datetime.now(UTC).isoformat(),
                        "file_names": names,
                    },
                )
                folder.mkdir(parents=True, exist_ok=True)
                _appear(incoming, target)
        return _read(target)

    def list(self, product: str | None = None) -> list[QuarantineEntry]:
        """The entries (of `product`), oldest first."""
        where = self._folder(product) if product is not None else self._root
        pattern = "*/entry.json" if product is not None else "*/*/*/entry.json"
        entries = []
        for path in where.glob(pattern):
            with suppress(FileNotFoundError):  # it expired meanwhile
                entries.append(_read(path.parent))
        return _with_successors(sorted(entries, key=lambda entry: (entry.at, entry.id)))

    def get(self, id_: str) -> QuarantineEntry:
        """The entry of that id, or of the only one that begins so. Raises `UnknownEntry`."""
        found = [entry for entry in self.list() if entry.id.startswith(id_)] if id_ else []
        exact = [entry for entry in found if entry.id == id_]
        if len(exact or found) == 1:
            return (exact or found)[0]
        said = "begins the ids of several entries" if found else "is the id of no entry"
        raise UnknownEntry(f"{id_!r} {said}; `mesh quarantine list` shows them")

    def files(self, entry: QuarantineEntry) -> tuple[Path, ...]:
        """The kept files: staged Parquet, for `rows` with `_reasons`; for `object` its bytes."""
        folder = self._folder(entry.product) / entry.id / _FILES
        return tuple(folder / name for name in entry.file_names)

    def rejects(self, entry: QuarantineEntry) -> Path | None:
        """The Parquet file of rows that could not be read (`landing/rejects.py`), if any."""
        path = self._folder(entry.product) / entry.id / _REJECTS
        return path if path.exists() else None

    def rows(self, entry: QuarantineEntry) -> pa.RecordBatchReader:
        """Stream the kept rows as they were staged. None for an `object`, whose bytes are kept."""
        files = [] if entry.kind == "object" else list(self.files(entry))
        schema = pq.read_schema(files[0]) if files else pa.schema([])
        return pa.RecordBatchReader.from_batches(schema, _stream(files))

    def mark_replayed(self, id_: str, version: int) -> QuarantineEntry:
        """Note that `version` published what passed of the entry; twice is as good as once."""
        entry = self.get(id_)
        folder = self._folder(entry.product) / entry.id / _REPLAYS
        folder.mkdir(exist_ok=True)
        mark = folder / f"{version:08d}.json"
        if not mark.exists():
            with self._incoming() as incoming:
                made = incoming / "mark.json"
                _write_json(made, {"version": version, "at": datetime.now(UTC).isoformat()})
                made.replace(mark)
        return self.get(entry.id)

    def expire(self, product: str, before: datetime) -> list[str]:
        """Remove the product's entries that `expired` names; their ids."""
        gone = [entry.id for entry in expired(self.list(product), before)]
        for id_ in gone:
            with self._incoming() as incoming, suppress(FileNotFoundError):  # another was faster
                (self._folder(product) / id_).rename(incoming / id_)
        self._sweep()
        return gone

    def _folder(self, product: str) -> Path:
        domain, _, name = product.partition("/")
        for part in (domain, name):
            if not part or part.startswith(".") or "/" in part or "\\" in part:
                raise ValueError(f"{product!r} is no product key; write domain/product")
        return self._root / domain / name

    @contextmanager
    def _incoming(self) -> Iterator[Path]:
        """A folder that no one lists, on the file system of the entries."""
        folder = self._root / _INCOMING / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _sweep(self) -> None:
        incoming = self._root / _INCOMING
        if not incoming.is_dir():
            return
        for left in incoming.iterdir():
            try:
                abandoned = time.time() - left.stat().st_mtime > _ABANDONED_SECONDS
            except FileNotFoundError:
                continue  # its owner has just finished
            if abandoned:
                shutil.rmtree(left, ignore_errors=True)


def expired(entries: Iterable[QuarantineEntry], before: datetime) -> list[QuarantineEntry]:
    """Those that were rejected before, and replayed, if they were, before too.

    What is still open goes no earlier than what was decided.
    """
    return [e for e in entries if max([e.at, *(one.at for one in e.replays)]) < before]


def _identity(rejection: Rejection) -> str:
    """The same for every attempt of the same run at the same part."""
    attempt = (rejection.product, rejection.kind, rejection.batch_id, rejection.parent)
    named = json.dumps([attempt, rejection.partitions, [key for key, _ in rejection.objects]])
    return hashlib.sha256(named.encode()).hexdigest()[:12]


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _keep_files(files: Sequence[Path], folder: Path) -> list[str]:
    folder.mkdir()
    names = []
    for number, path in enumerate(files):
        suffix = path.suffix if path.suffix.isascii() else ""
        names.append(f"{number:05d}{suffix}")
        _keep_file(path, folder / names[-1])
    return names


def _keep_file(source: Path, target: Path) -> None:
    """A second name of the same immutable file, or a copy where there can be none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        with target.open("rb") as copied:
            os.fsync(copied.fileno())


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())


def _appear(incoming: Path, target: Path) -> None:
    """Make the folder visible by one rename; another process that was faster has kept the same."""
    try:
        incoming.rename(target)
    except OSError:
        if not target.exists():
            raise
    parent = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _read(folder: Path) -> QuarantineEntry:
    content = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
    known = {one.name for one in fields(QuarantineEntry)}
    given = {name: value for name, value in content.items() if name in known}
    marks = sorted((folder / _REPLAYS).glob("*.json"))
    return QuarantineEntry(
        **{
            **given,
            "at": datetime.fromisoformat(content["at"]),
            "reasons": tuple((r[0], r[1], r[2], r[3]) for r in content["reasons"]),
            "objects": tuple((key, etag) for key, etag in content["objects"]),
            "partitions": tuple(content["partitions"]),
            "file_names": tuple(content["file_names"]),
            "replays": tuple(_read_mark(mark) for mark in marks),
        }
    )


def _read_mark(path: Path) -> Replay:
    content = json.loads(path.read_text(encoding="utf-8"))
    return Replay(content["version"], datetime.fromisoformat(content["at"]))


def _with_successors(entries: Sequence[QuarantineEntry]) -> list[QuarantineEntry]:
    """Of entries of the same attempt, the latest counts; the others name it."""
    latest = {entry.id.partition("-")[0]: entry.id for entry in entries}
    return [
        entry
        if latest[entry.id.partition("-")[0]] == entry.id
        else replace(entry, superseded_by=latest[entry.id.partition("-")[0]])
        for entry in entries
    ]


def _stream(files: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    for path in files:
        with pq.ParquetFile(path) as parquet:
            yield from parquet.iter_batches()
