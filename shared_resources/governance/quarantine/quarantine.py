"""Quarantine: what was rejected, kept with the reasons until someone mends and replays it.

Belongs here: keeping, listing and reading entries, the marks on them, their end.
Does not belong here: what an entry says (`rejection.py`), where entries lie (`folder.py`,
`s3.py`), deciding what is rejected (`data_products/verdict.py`), trying it again
(`data_products/replaying.py`), what was published in its place (`settlement.py`), showing it to
people (`view.py`).

An entry appears whole and is never changed:

    <domain>/<product>/<id>/entry.json
                            files/00000.parquet ...   what was rejected, as it was staged
                            rejects.parquet           rows that could not be read, as text
                            replays/<version>.json    added when a replay published it
                            settled/closed.json       added when someone closed it
                            settled/replaced.json     added when the version that replaced it expires

The id is derived from what was rejected, so that a run that was killed and retried leaves no
doubles. A retry of a batch that rejects something else leaves both; the later one counts, and
`superseded_by` of the earlier one says so.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_resources.confinement.guard import refuse
from shared_resources.governance.quarantine.folder import KEPT, QuarantineStore, Stored
from shared_resources.governance.quarantine.rejection import (
    KINDS,
    Closing,
    QuarantineEntry,
    Rejection,
    Replay,
)
from shared_resources.problems import MeshProblem
from shared_resources.stores.protocol import Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Quarantine", "QuarantineEntry", "Rejection", "UnknownEntry"]

REJECTS = "rejects.parquet"
_REPLAYS = "replays/"
CLOSED = "settled/closed.json"
_REPLACED = "settled/replaced.json"
_ID = re.compile(r"[0-9a-f]{12}-[0-9a-f]{8}")
_FILE_NAME = re.compile(r"\d{5,}(\.\w+)?")
_SUFFIX = re.compile(r"\.[A-Za-z0-9_]+")


class UnknownEntry(MeshProblem, LookupError):
    """There is no entry of that id; the message says how to list them."""

    exit_code = 2


class Quarantine:
    """The entries of a store. Every method is safe to call from many processes."""

    def __init__(self, store: QuarantineStore) -> None:
        refuse("opens the quarantine")
        self.store = store

    def put(
        self, rejection: Rejection, files: Sequence[Path], rejects: Path | None = None
    ) -> QuarantineEntry:
        """Keep the files as one entry, at once.

        Putting the same again returns the entry that is there. Whoever dies before the end has
        changed nothing that anyone sees.
        """
        if rejection.kind not in KINDS:
            raise ValueError(f"{rejection.kind!r} is no kind of entry: {', '.join(KINDS)}")
        product = place_of(rejection.product)
        id_ = _identity(rejection) + "-" + _digest([*files, *([rejects] if rejects else [])])[:8]
        place = f"{product}/{id_}"
        stored = self.store.read(place)
        if stored is None:
            named = _named(files)
            kept = {f"{KEPT}/{name}": path for name, path in named.items()}
            if rejects is not None:
                kept[REJECTS] = rejects
            self.store.keep(
                place,
                kept,
                _json(
                    {
                        **asdict(rejection),
                        "id": id_,
                        "at": datetime.now(UTC).isoformat(),
                        "file_names": list(named),
                    }
                ),
            )
            stored = self.store.read(place)
            assert stored is not None, "what was just kept is there"
        return _read(stored)

    def expire(self, product: str, before: datetime) -> list[str]:
        """Remove the entries that were kept before then, for good; return their ids, oldest first.

        Goes together with what processes left that died while they kept or removed an entry.
        """
        ids = [entry.id for entry in self.list(product) if entry.at < before]
        for id_ in ids:
            self.store.remove(place_of(product, id_))
        self.store.sweep(place_of(product))
        return ids

    def list(self, product: str | None = None) -> list[QuarantineEntry]:
        """The entries (of `product`), oldest first.

        Raises `Unreadable` for one of the product that cannot be read. Of all products it leaves
        such an entry out: one product's trouble is not the others'.
        """
        entries = []
        for stored in self.store.all(place_of(product) if product is not None else ""):
            try:
                entries.append(_read(stored))
            except Unreadable:
                if product is not None:
                    raise
        return _with_successors(sorted(entries, key=lambda entry: (entry.at, entry.id)))

    def unreadable(self) -> tuple[Unreadable, ...]:
        """What is wrong with the entries that `list` leaves out."""
        found = []
        for stored in self.store.all(""):
            try:
                _read(stored)
            except Unreadable as problem:
                found.append(problem)
        return tuple(found)

    def get(self, id_: str) -> QuarantineEntry:
        """The entry of that id, or of the only one that begins so. Raises `UnknownEntry`."""
        found = [entry for entry in self.list() if entry.id.startswith(id_)] if id_ else []
        exact = [entry for entry in found if entry.id == id_]
        if len(exact or found) == 1:
            return (exact or found)[0]
        said = "begins the ids of several entries" if found else "is the id of no entry"
        raise UnknownEntry(f"{id_!r} {said}; `mesh quarantine list` shows them")

    def files(self, entry: QuarantineEntry) -> tuple[Path, ...]:
        """The kept files, on this machine: staged Parquet, for `rows` with `_reasons`; for `object`
        its bytes."""
        place = place_of(entry.product, entry.id)
        paths = [self.store.local(place, f"{KEPT}/{name}") for name in entry.file_names]
        missing = [n for n, path in zip(entry.file_names, paths, strict=True) if path is None]
        if missing:
            raise UnknownEntry(
                f"{place} has lost its files {', '.join(missing)}; whoever may write to the "
                "quarantine can say why"
            )
        return tuple(path for path in paths if path is not None)

    def rejects(self, entry: QuarantineEntry) -> Path | None:
        """The Parquet file of rows that could not be read (`landing/rejects.py`), if any."""
        return self.store.local(place_of(entry.product, entry.id), REJECTS)

    def rows(self, entry: QuarantineEntry) -> pa.RecordBatchReader:
        """Stream the kept rows as they were staged. None for an `object`, whose bytes are kept."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        files = [] if entry.kind == "object" else list(self.files(entry))
        schema = pq.read_schema(files[0]) if files else pa.schema([])
        return pa.RecordBatchReader.from_batches(schema, _stream(files))

    def mark_replayed(self, id_: str, version: int) -> QuarantineEntry:
        """Note that `version` published what passed of the entry; twice is as good as once."""
        entry = self.get(id_)
        self.store.add(
            place_of(entry.product, entry.id),
            f"{_REPLAYS}{version:08d}.json",
            _json({"version": version, "at": datetime.now(UTC).isoformat()}),
        )
        return self.get(entry.id)

    def close(self, id_: str, *, by: str, reason: str) -> QuarantineEntry:
        """Note that nothing is to be done about the entry; who did it first stays noted.

        What was rejected stays as it is.
        """
        entry = self.get(id_)
        mark = {"by": by, "reason": reason, "at": datetime.now(UTC).isoformat()}
        self.store.add(place_of(entry.product, entry.id), CLOSED, _json(mark))
        return self.get(entry.id)

    def mark_replaced(self, entry: QuarantineEntry, version: int) -> None:
        """Note which version took the entry's place, before that version expires."""
        self.store.add(place_of(entry.product, entry.id), _REPLACED, _json({"version": version}))


def place_of(product: str, id_: str | None = None) -> str:
    """Where the product's entries lie, or one. Raises `ValueError` for what could lead elsewhere."""
    parts = product.split("/")
    odd = any(not part or part.startswith(".") or "\\" in part for part in parts)
    if odd or len(parts) != 2:
        raise ValueError(f"{product!r} is no product key; write domain/product")
    if id_ is None:
        return product
    if not _ID.fullmatch(id_):
        raise ValueError(f"{id_!r} is no id of an entry")
    return f"{product}/{id_}"


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


def _named(files: Sequence[Path]) -> dict[str, Path]:
    """A name of its own for each file: two partitions may have called theirs the same."""
    return {
        f"{number:05d}{path.suffix if _SUFFIX.fullmatch(path.suffix) else ''}": path
        for number, path in enumerate(files)
    }


def _json(content: Mapping[str, Any]) -> bytes:
    # A reason may quote what is no text; JSON can write it all the same.
    return json.dumps(content, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _read(stored: Stored) -> QuarantineEntry:
    """Raises `Unreadable`."""
    try:
        return _parsed(stored)
    except (ValueError, LookupError, TypeError, AttributeError) as problem:
        raise Unreadable(
            stored.place.rpartition("/")[0],
            f"the quarantine's entry {stored.place}",
            f"cannot be read ({problem or type(problem).__name__})",
            "Put it back from a backup; or move it away, when what it held is not missed",
        ) from problem


def _parsed(stored: Stored) -> QuarantineEntry:
    content = json.loads(stored.entry)
    known = {one.name for one in fields(QuarantineEntry)}
    given = {name: value for name, value in content.items() if name in known}
    # What an entry says of itself must not lead a reader to another place.
    if place_of(content["product"], content["id"]) != stored.place:
        raise ValueError(f"the quarantine's entry at {stored.place} says that it is another")
    for name in content["file_names"]:
        if not _FILE_NAME.fullmatch(name):
            raise ValueError(f"the quarantine's entry at {stored.place} names a file {name!r}")
    marks = {name: json.loads(mark) for name, mark in stored.added}
    closed = marks.get(CLOSED)
    return QuarantineEntry(
        **{
            **given,
            "at": datetime.fromisoformat(content["at"]),
            "reasons": tuple((r[0], r[1], r[2], r[3]) for r in content["reasons"]),
            "objects": tuple((key, etag) for key, etag in content["objects"]),
            "partitions": tuple(content["partitions"]),
            "file_names": tuple(content["file_names"]),
            "replays": tuple(
                Replay(mark["version"], datetime.fromisoformat(mark["at"]))
                for name, mark in marks.items()
                if name.startswith(_REPLAYS)
            ),
            "closed": None
            if closed is None
            else Closing(closed["by"], closed["reason"], datetime.fromisoformat(closed["at"])),
            "replaced_by": marks.get(_REPLACED, {}).get("version"),
        }
    )


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
    import pyarrow.parquet as pq

    for path in files:
        with pq.ParquetFile(path) as parquet:
            yield from parquet.iter_batches()
