"""A subject's rows among what was rejected.

Belongs here: each kind of entry without the rows, and what the entry says of itself afterwards.
Does not belong here: keeping entries (`governance/quarantine/`), landed bytes (`rewritten_objects.py`).

An entry keeps its id and its place, also when none of its rows is left: that something was rejected, and
why, stays known.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.contracts.file_formats import COMPRESSIONS
from shared_resources.contracts.model import Column
from shared_resources.environment import Environment
from shared_resources.erasing.in_messages import of_subjects
from shared_resources.erasing.in_text import Words
from shared_resources.erasing.rewritten_objects import (
    NotRewritable,
    is_one,
    may_hold,
    rest_of,
    rewrite,
)
from shared_resources.erasing.subjects import Known, Subjects, columns_by_landed_name
from shared_resources.governance.quarantine.folder import KEPT, QuarantineFolder, QuarantineStore
from shared_resources.governance.quarantine.quarantine import (
    REJECTS,
    Quarantine,
    QuarantineEntry,
    place_of,
)
from shared_resources.governance.quarantine.rejection import OF_MESSAGES
from shared_resources.landing.rejects import CELLS, TEXT
from shared_resources.stores.branched.registry import Branches
from shared_resources.streams.log.port import message_schema
from shared_resources.wiring.branch import BRANCHES

_NO_LINES = frozenset({".parquet", *COMPRESSIONS})


@dataclass(frozen=True)
class InEntry:
    """`rows` left the entry `id`. `problem` says why its files could not be rewritten, if so."""

    id: str
    rows: int = 0
    problem: str = ""


def erase_in_quarantine(
    quarantine: Quarantine, known: Known, who: Subjects, erasure: str, *, dry_run: bool = False
) -> Iterator[InEntry]:
    """Rewrite every entry of the product that holds their rows."""
    for entry in quarantine.list(known.contract.key):
        with tempfile.TemporaryDirectory(prefix="mesh-erase-") as folder:
            work = _Entry(quarantine, entry, known, who, Path(folder))
            try:
                rows = work.rewrite()
            except NotRewritable as problem:
                yield InEntry(entry.id, problem=str(problem))
                continue
            if (rows or work.said_more) and not dry_run:
                work.keep(quarantine.store, erasure)
            if rows or work.said_more:
                yield InEntry(entry.id, rows)


def quarantines(environment: Environment) -> Iterator[tuple[str, Quarantine]]:
    """Production's, and each branch's own without production's beneath it."""
    yield "", environment.quarantine
    for branch in Branches(environment.state).all():
        home = environment.home / BRANCHES / branch.name
        yield branch.name, Quarantine(QuarantineFolder(home / "quarantine"))


class _Entry:
    def __init__(
        self,
        quarantine: Quarantine,
        entry: QuarantineEntry,
        known: Known,
        who: Subjects,
        folder: Path,
    ) -> None:
        self._entry = entry
        self._known = known
        self._who = who
        self._folder = folder
        self._words = Words(who.distinctive)
        self._place = place_of(entry.product, entry.id)
        self._quarantine = quarantine
        self._written: dict[str, Path] = {}
        self._messages_gone: set[tuple[int, int]] = set()  # by partition and offset
        self._rows = 0
        stored = quarantine.store.read(self._place)
        self._said: bytes = stored.entry if stored is not None else b"{}"

    @property
    def said_more(self) -> bool:
        """Whether a reason quotes them."""
        return self._words.said_in(self._said)

    def rewrite(self) -> int:
        """The rows that leave it. Raises `NotRewritable`."""
        for name, path in self._files():
            if self._entry.kind == "object":
                self._object(name, path)
            elif self._entry.kind in OF_MESSAGES:
                self._messages(name, path)
            else:
                self._parquet(name, path, self._is_row)
        rejects = self._quarantine.rejects(self._entry)
        if rejects is not None and self._entry.kind in OF_MESSAGES:
            self._parquet(REJECTS, rejects, self._is_of_message, counted=False)
        elif rejects is not None:
            self._parquet(REJECTS, rejects, self._is_reject)
        return self._rows

    def keep(self, store: QuarantineStore, erasure: str) -> None:
        content: dict[str, Any] = json.loads(self._words.out_of(self._said.decode()))
        content["rows"] = max(0, int(content["rows"]) - self._rows)
        content["erased"] = [*content.get("erased", ()), [erasure, self._rows]]
        store.rewrite(self._place, self._written, json.dumps(content, indent=1).encode())

    def _files(self) -> list[tuple[str, Path]]:
        names = self._entry.file_names
        paths = self._quarantine.files(self._entry)
        return [(f"{KEPT}/{name}", path) for name, path in zip(names, paths, strict=True)]

    def _object(self, name: str, path: Path) -> None:
        landing, to = self._known.contract.landing, self._new(name)
        key = self._entry.objects[0][0] if self._entry.objects else name
        try:
            if landing is None:
                raise NotRewritable("its contract says nothing of landed files any more")
            columns = columns_by_landed_name(self._known)
            rows = rewrite(path, key, landing, columns, self._who, to)
        except NotRewritable:
            if not may_hold(path, key, landing.encoding if landing else "utf-8", self._who):
                return
            rows = self._lines(path, to)
        self._note(name, to, rows)

    def _lines(self, path: Path, to: Path) -> int:
        """Of bytes that are no file of their format: without the lines that hold a key."""
        lines = path.read_bytes().splitlines(keepends=True)
        left = [line for line in lines if not self._words.found_in(line)]
        if path.suffix in _NO_LINES or b"\0" in lines[0] or len(left) == len(lines):
            raise NotRewritable("it cannot be read, and may hold them")
        to.write_bytes(b"".join(left))
        return len(lines) - len(left)

    def _messages(self, name: str, path: Path) -> None:
        table = _table(name, path)
        goes = of_subjects(
            table.select(message_schema().names).cast(message_schema()), self._known, self._who
        )
        gone = table.select(["partition", "offset"]).filter(pa.array(goes, pa.bool_()))
        self._messages_gone |= {(one["partition"], one["offset"]) for one in gone.to_pylist()}
        if any(goes):
            to = self._new(name)
            pq.write_table(rest_of(table, goes), to, compression="zstd")
            self._note(name, to, sum(goes))

    def _parquet(self, name: str, path: Path, goes: Any, *, counted: bool = True) -> None:
        table = _table(name, path)
        names = [one for one in table.column_names if one in self._needed]
        rows = [goes(row) for row in table.select(names).to_pylist()]
        if any(rows):
            to = self._new(name)
            pq.write_table(rest_of(table, rows), to, compression="zstd")
            self._note(name, to, sum(rows), counted=counted)

    @property
    def _needed(self) -> set[str]:
        return {*self._known.names, "_object", "_row", "_raw", "_reasons"}

    def _is_row(self, row: Mapping[str, Any]) -> bool:
        by_name = self._known.by_name.items()
        return any(is_one(row.get(name), column, self._who) for name, column in by_name)

    def _is_of_message(self, row: Mapping[str, Any]) -> bool:
        """Whether it says what is wrong with a message that goes: it quotes its values."""
        partition = str(row["_object"]).rpartition("[")[2].rstrip("]")
        return (int(partition), row["_row"]) in self._messages_gone

    def _is_reject(self, row: Mapping[str, Any]) -> bool:
        try:
            said = json.loads(row["_raw"])
        except (ValueError, TypeError):
            return self._words.found_in(str(row["_raw"]).encode())
        if not isinstance(said, dict):
            return self._words.found_in(str(row["_raw"]).encode())
        if CELLS in said or TEXT in said:
            cells = said.get(CELLS) or ()
            of = [(cell, column) for cell in cells for column in self._known.columns]
            return self._any(of) or self._words.found_in(str(said.get(TEXT, "")).encode())
        by_name = {**self._known.by_name, **columns_by_landed_name(self._known)}
        return self._any([(said.get(name), column) for name, column in by_name.items()])

    def _any(self, cells: list[tuple[Any, Column]]) -> bool:
        return any(is_one(cell, column, self._who) for cell, column in cells)

    def _new(self, name: str) -> Path:
        return self._folder / f"{len(self._written):05d}{PurePosixPath(name).suffix}"

    def _note(self, name: str, written: Path, rows: int, *, counted: bool = True) -> None:
        if rows:
            self._written[name] = written
            self._rows += rows if counted else 0


def _table(name: str, path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as problem:
        raise NotRewritable(f"{name} is no whole Parquet file") from problem
