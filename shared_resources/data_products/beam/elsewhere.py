"""Files for workers on other machines: a place that they share with this process.

Belongs here: sending the inputs there, fetching what was written, removing both.
Does not belong here: which place that is (`settings.py`).

A process that is killed leaves them there: the next attempt of the same batch removes them first, and a
rule of the bucket that ends what is older than a few days removes the rest.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from shared_resources.data_products.beam.input_files import InputFiles
from shared_resources.data_products.beam.settings import BeamUnusable


@contextmanager
def sent(
    inputs: Mapping[str, InputFiles], place: str, options: Any
) -> Iterator[dict[str, InputFiles]]:
    """The inputs as files below `place`, which is removed afterwards with all that is in it.

    Raises `BeamUnusable` when the place cannot be written.
    """
    FileSystems.set_options(options)
    try:
        _remove(place)
        there = {name: _sent(files, f"{place}/{name}") for name, files in inputs.items()}
    except (BeamIOError, OSError, ValueError) as problem:
        raise BeamUnusable(
            f"{place} cannot be written ({type(problem).__name__}: {problem}); see that --temp_location "
            "names a place that exists, and that what its storage needs is installed"
        ) from None
    try:
        yield there
    finally:
        _remove(place)


def _sent(files: InputFiles, place: str) -> InputFiles:
    copies: dict[str, str] = {}
    for path in dict.fromkeys(path for path, _, _ in files.pieces):
        copies[path] = f"{place}/{Path(path).name}"
        with Path(path).open("rb") as source, FileSystems.create(copies[path]) as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    pieces = tuple((copies[path], first, end) for path, first, end in files.pieces)
    return InputFiles(files.schema, pieces)


def fetched(place: str, folder: Path) -> None:
    """Copy every file below `place` into the folder."""
    for match in FileSystems.match([f"{place}/*"]):
        for found in match.metadata_list:
            name = found.path.rsplit("/", 1)[-1]
            with FileSystems.open(found.path) as source, (folder / name).open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)


def _remove(place: str) -> None:
    for match in FileSystems.match([f"{place}/**"]):
        if found := [one.path for one in match.metadata_list]:
            FileSystems.delete(found)
