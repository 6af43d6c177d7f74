"""A subject's key in text that nobody keeps in columns: logs, events, small state.

Belongs here: taking keys out of text files and SQLite databases below a folder, in place, so that
no free page and no journal of the database keeps them.
Does not belong here: rows with a key column (`in_stores.py` and others).

A key is put out only where it stands alone, between characters that could not belong to it, and
only where it is long enough not to be there by chance (`subjects.DISTINCTIVE`).

State and events are full of numbers and words of their own: the microseconds of a moment, the size of
a file, a run's status. Whoever overwrites these breaks what he cleans. So digits are put out only
where a word leads to them ("person 123456"), and a single word of letters nowhere.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, AnyStr, BinaryIO

from shared_resources.sql import quote_identifier

_CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)"
SQLITE = b"SQLite format 3\0"
# What is not text, or has a form that a shorter or longer word would break.
_NOT_TEXT = frozenset(
    {".parquet", ".duckdb", ".avro", ".key", ".pem", ".lock", ".pkl", ".gz", ".zst"}
)
_CHUNK = 16 << 20


# Before digits in a sentence, and never before a number in JSON, YAML or a moment.
_LED_TO = r"(?<=[A-Za-z])(?:[ #=(]|: ?)[ #(]?"
_ALONE_BEFORE, _ALONE_AFTER = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
_NO_DECIMAL = r"(?![.:][0-9])"


class Words:
    """Keys to be found: in data, where every word may be one, and in text of others, where numbers and
    words stand by chance (`said_in` and after it)."""

    def __init__(self, values: Collection[str]) -> None:
        everywhere = {form for value in values for form in _written(value)}
        alone = rf"{_ALONE_BEFORE}(?:{_any_of(everywhere)}){_ALONE_AFTER}"
        self._alone, self._in_data = re.compile(alone), re.compile(alone.encode())
        digits = [value for value in values if value.lstrip("-").isdecimal()]
        telling = [v for v in values if v not in digits and re.search(r"[^A-Za-z_]", v)]
        written = {form for value in telling for form in _written(value)}
        said = (
            rf"{_ALONE_BEFORE}(?P<key>{_any_of(written)}){_ALONE_AFTER}"
            rf"|{_LED_TO}(?P<number>{_any_of(digits)}){_ALONE_AFTER}{_NO_DECIMAL}"
        )
        self._said, self._said_bytes = re.compile(said), re.compile(said.encode())
        self.any = bool(values)
        longest = max((len(form.encode()) for form in everywhere), default=0)
        self._kept = 16 + longest  # with what leads to one, and what it must not stand before

    def __repr__(self) -> str:
        return "Words(…)"

    def found_in(self, content: bytes) -> bool:
        """Whether data hold any."""
        return self._in_data.search(content) is not None

    def said_in(self, content: bytes) -> bool:
        return self._said_bytes.search(content) is not None

    def out_of_own(self, text: str) -> str:
        """Text that nobody reads as anything but text: also without what else stands there by chance."""
        return self._alone.sub(lambda found: "*" * len(found[0]), text)

    def out_of(self, text: str) -> str:
        return self._said.sub(lambda found: _starred(found, "*"), text)

    def out_of_bytes(self, content: bytes) -> bytes:
        return self._said_bytes.sub(lambda found: _starred(found, b"*"), content)

    def places_in(self, file: BinaryIO) -> list[tuple[int, int]]:
        """Where in the file they stand, which may be larger than memory."""
        found: set[tuple[int, int]] = set()
        held, start = file.read(_CHUNK), 0
        while True:
            following = file.read(_CHUNK)
            for match in self._said_bytes.finditer(held):
                # At an edge nobody sees what it stands beside: it is whole in the piece before or after.
                if (match.start() or not start) and (match.end() + 2 < len(held) or not following):
                    begin, end = match.span(match.lastgroup or 0)
                    found.add((start + begin, start + end))
            if not following:
                return sorted(found)
            start, held = start + max(0, len(held) - self._kept), held[-self._kept :] + following


def _any_of(values: Iterable[str]) -> str:
    ordered = sorted(values, key=lambda value: (-len(value), value))
    return "|".join(map(re.escape, ordered)) or r"(?!)"


def _written(value: str) -> set[str]:
    """As itself, and as JSON, and JSON within JSON, write it."""
    forms = {value}
    for _ in range(2):
        forms |= {json.dumps(f, ensure_ascii=pure)[1:-1] for f in forms for pure in (True, False)}
    return forms


def _starred(found: re.Match[AnyStr], star: AnyStr) -> AnyStr:
    """The match with the key in it put out, and what led to it left."""
    start, end = found.span(found.lastgroup or 0)
    whole, at = found[0], found.start()
    return whole[: start - at] + star * (end - start) + whole[end - at :]


def clean_folder(folder: Path, words: Words, *, dry_run: bool = False) -> Iterator[Path]:
    """Take the keys out of every text file and SQLite database below, or out of the file that it is;
    name those that had any."""
    below = [folder] if folder.is_file() else folder.rglob("*")
    for path in sorted(p for p in below if words.any and p.is_file() and not p.is_symlink()):
        with suppress(FileNotFoundError):  # its owner has just removed it
            if is_sqlite(path):
                if clean_sqlite(path, words, dry_run=dry_run):
                    yield path
            elif _may_be_text(path) and _clean_file(path, words, dry_run=dry_run):
                yield path


def is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def _may_be_text(path: Path) -> bool:
    return path.suffix not in _NOT_TEXT and not path.name.endswith(("-wal", "-shm"))


def _clean_file(path: Path, words: Words, *, dry_run: bool) -> bool:
    with path.open("rb") as file:
        places = words.places_in(file)
    if places and not dry_run:
        # In place and as long as it was: who appends to a log goes on with the same file.
        with path.open("r+b") as file:
            for start, end in places:
                file.seek(start)
                file.write(b"*" * (end - start))
    return bool(places)


def clean_sqlite(path: Path, words: Words, *, dry_run: bool = False) -> int:
    """Take the keys out of every text of the database; the number of values that had one.

    What is overwritten is filled with zeros, and the file written anew without free pages.
    """
    changed = 0
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.create_function("mesh_found", 1, lambda value: _found(value, words))
        connection.create_function("mesh_erased", 1, lambda value: _erased(value, words))
        for table, column in _texts(connection):
            name, of = quote_identifier(table), quote_identifier(column)
            if dry_run:
                query = f"SELECT count(*) FROM {name} WHERE mesh_found({of})"  # noqa: S608
                changed += connection.execute(query).fetchone()[0]
                continue
            with connection:
                done = connection.execute(
                    f"UPDATE OR REPLACE {name} SET {of} = mesh_erased({of}) "  # noqa: S608
                    f"WHERE mesh_found({of})"
                )
                changed += done.rowcount
        if not dry_run and (changed or _in_files(path, words)):
            for statement in (_CHECKPOINT, "VACUUM", _CHECKPOINT):
                # In use by somebody who does not wait: what was overwritten is cleared all the same.
                with suppress(sqlite3.OperationalError):
                    connection.execute(statement).fetchall()
    return changed


def _in_files(path: Path, words: Words) -> bool:
    """In a free page, or in the log that is written ahead."""
    files = [path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-journal")]
    return any(words.said_in(file.read_bytes()) for file in files if file.exists())


def _texts(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Every column of every table: SQLite lets any of them hold text."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return [
        (table, str(row[1]))
        for (table,) in tables
        for row in connection.execute(f"PRAGMA table_info({quote_identifier(table)})")
    ]


def _found(value: object, words: Words) -> bool:
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    return isinstance(value, bytes) and words.said_in(value)


def _erased(value: Any, words: Words) -> Any:
    if isinstance(value, bytes):
        return words.out_of_bytes(value)
    return words.out_of(value) if isinstance(value, str) else value
