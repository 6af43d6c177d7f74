"""The files that a pipeline's workers read of an input: the version's own, or the granted rows.

Belongs here: which files, and writing those that hold what is granted and no more.
Does not belong here: reading them (`transforms.py`), what is granted (`access/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.parquet import row_groups
from shared_resources.stores.protocol import Snapshot
from shared_resources.stores.reading.sql_snapshot import no_such_column

# Several files, so that workers elsewhere share them.
_GROUPS_PER_FILE = 4


@dataclass(frozen=True)
class InputFiles:
    """`pieces` are (file, first group of rows, the one after the last); `schema` what they give."""

    schema: pa.Schema
    pieces: tuple[tuple[str, int, int], ...]


def input_files(
    snapshot: Snapshot,
    columns: Sequence[str] | None,
    partitions: Sequence[str] | None,
    scratch: Path,
    *,
    copied: bool = False,
) -> InputFiles:
    """The version's own files where they are what the reader may see, in the version's types, else
    files below `scratch` with exactly that. `copied` has them written in any case.

    Raises `KeyError` for a column that the reader is not shown.
    """
    whole = snapshot.schema
    names = list(whole.names if columns is None else columns)
    if unknown := [name for name in names if name not in whole.names]:
        raise KeyError(no_such_column(snapshot, unknown))
    schema = pa.schema([pa.field(name, whole.field(name).type) for name in names])
    own = None if copied or partitions is not None else _own(snapshot, schema)
    if own is None:
        scratch.mkdir(parents=True)
        own = tuple(_written(snapshot, schema, partitions, scratch))
    return InputFiles(schema, own)


def _own(snapshot: Snapshot, schema: pa.Schema) -> tuple[tuple[str, int, int], ...] | None:
    """The groups of rows of the version's files; None where one does not hold what the version says.

    A version of which somebody sees a part shows him no files.
    """
    paths = snapshot.paths()
    if snapshot.renamed or not paths or any(path.suffix != ".parquet" for path in paths):
        return None
    pieces: list[tuple[str, int, int]] = []
    for path in paths:
        footer = pq.read_metadata(path)
        found = footer.schema.to_arrow_schema()
        held = {name: found.field(name).type for name in schema.names if name in found.names}
        if held != {field.name: field.type for field in schema}:
            return None  # written before a column was added or widened
        pieces += [(str(path), group, group + 1) for group in range(footer.num_row_groups)]
    return tuple(pieces)


def _written(
    snapshot: Snapshot, schema: pa.Schema, partitions: Sequence[str] | None, scratch: Path
) -> Iterator[tuple[str, int, int]]:
    tables = row_groups(snapshot.batches(schema.names, partitions))
    with ExitStack() as opened:
        for number, table in enumerate(tables):
            file, group = divmod(number, _GROUPS_PER_FILE)
            path = scratch / f"{file:05d}.parquet"
            if not group:
                opened.close()
                # Read once and removed: nothing of it is worth more than its speed.
                writer = opened.enter_context(
                    pq.ParquetWriter(
                        path,
                        schema,
                        compression="lz4",
                        use_dictionary=False,
                        write_statistics=False,
                    )
                )
            writer.write_table(table.cast(schema), row_group_size=max(table.num_rows, 1))
            yield str(path), group, group + 1
