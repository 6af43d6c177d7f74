"""The mark that a commit leaves beside the metadata file that it made the table's.

Belongs here: names of metadata files and their marks, leaving one.
Does not belong here: what a mark tells (`stores/lake/metadata_files.py`).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyiceberg.io import FileIO

METADATA = ".metadata.json"
COMMITTED = ".committed"


def mark_of(metadata: str) -> str:
    return metadata.removesuffix(METADATA) + COMMITTED


def mark_committed(io: FileIO, metadata: str) -> None:
    """Note that the catalog has pointed at this file. That it did is not less true without a note."""
    with suppress(Exception), io.new_output(mark_of(metadata)).create(overwrite=True) as stream:
        stream.write(b"committed\n")
