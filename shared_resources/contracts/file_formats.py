"""File formats of landing objects: which a contract may name, and which code reads each.

Belongs here: every format by name, those of other distributions too.
Does not belong here: reading an object (`landing/formats/`).

Another distribution adds a format by an entry point of the group `dagster_data_mesh.formats` that
leads to a `FileFormat`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath

from shared_resources.extensions import UnusableExtension, extensions

GROUP = "dagster_data_mesh.formats"
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
# The clauses of `landing` that only some formats have.
TEXT_OPTIONS = ("encoding", "delimiter", "nullText")


@dataclass(frozen=True)
class FileFormat:
    """A format: `name` is what `landing.format` says, `endings` are those of the names of its files.

    `reader` is where its `landing.formats.format_reader.FormatReader` stands, as `module:name`; the
    module is imported when the first object is read. `options` are those of `TEXT_OPTIONS` that mean
    something for it, `tag` what Dagster's UI calls it.
    """

    name: str
    endings: tuple[str, ...]
    reader: str
    options: tuple[str, ...] = ()
    tag: str = ""


CSV = FileFormat("csv", (".csv",), "shared_resources.landing.formats.csv:READER", TEXT_OPTIONS)
JSONL = FileFormat(
    "jsonl",
    (".jsonl", ".ndjson"),
    "shared_resources.landing.formats.jsonl:READER",
    ("encoding",),
    tag="json",
)
PARQUET = FileFormat(
    "parquet", (".parquet",), "shared_resources.landing.formats.parquet.reader:READER"
)
OWN = (CSV, JSONL, PARQUET)


@cache
def all_formats() -> dict[str, FileFormat]:
    """Every format by name.

    Raises `UnusableExtension` for an entry point that leads to no format, or to one whose name or
    ending is taken.
    """
    found = {one.name: one for one in OWN}
    for added, one in extensions(GROUP, FileFormat):
        if taken := _taken(one, found.values()):
            raise UnusableExtension(
                f"{added} adds the file format {one.name!r}, whose {taken} there is already; "
                "rename it, or uninstall one of the two"
            )
        found[one.name] = one
    return found


def _taken(one: FileFormat, there: Iterable[FileFormat]) -> str | None:
    for other in there:
        if other.name == one.name:
            return "name"
        if both := {*other.endings} & {*one.endings}:
            return f"ending {sorted(both)[0]}"
    return None


def format_named(name: str) -> FileFormat | None:
    """The format of a name. Other distributions are asked only for what is not the platform's own."""
    return next((one for one in OWN if one.name == name), None) or all_formats().get(name)


def format_of(file: PurePath) -> FileFormat | None:
    """The format of a file by its name, compressed (`.csv.gz`) or not; None if that tells of none."""
    endings = [one.lower() for one in file.suffixes if one.lower() not in COMPRESSIONS]
    return by_ending(endings[-1] if endings else "")


def all_endings() -> list[str]:
    """What names of files may end in, for people."""
    return [ending for one in all_formats().values() for ending in one.endings]


def by_ending(ending: str) -> FileFormat | None:
    """The format of files whose names end so, such as ``.csv``; None if it tells of none."""
    own = next((one for one in OWN if ending in one.endings), None)
    return own or next((one for one in all_formats().values() if ending in one.endings), None)
