"""A reader's file of views, and its change in one atomic step.

Belongs here: what stands in the file, and writing it anew with one view made or removed.
Does not belong here: what a view says (`statements.py`), who has which (`views.py`).

DuckDB lets nobody open a file that somebody writes. So a change is a new file beside the old one, which
takes its name when it is whole and on disk: a reader finds one or the other, and who dies in between has
changed nothing. What he leaves is removed by the next change.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.engines.embedded_views.statements import ROWS, View, rows_table, view_name
from shared_resources.problems import MeshProblem
from shared_resources.sql import quote_identifier, quote_literal
from shared_resources.state.durable import sync_all
from shared_resources.stores.reading.duck import in_memory

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_OLD = "mesh_before"
_MAKING = ".making"


class UnreadableViews(MeshProblem):
    """The file is no database that this DuckDB reads."""

    def __init__(self, file: Path, error: Exception) -> None:
        super().__init__(
            f"{file} cannot be read ({type(error).__name__}); remove it, and `mesh access apply "
            "--engine duckdb` makes it again"
        )


@dataclass(frozen=True)
class Standing:
    """A view as it stands in a file. `sql` is DuckDB's own writing of it; `said` what was noted."""

    product: str
    sql: str
    said: Mapping[str, str]
    whole: bool = True


def standing(file: Path) -> list[Standing]:
    """The views of the file. Raises `UnreadableViews`."""
    import duckdb

    if not file.exists():
        return []
    try:
        with duckdb.connect(file, read_only=True) as connection:
            return _standing(connection)
    except duckdb.Error as problem:
        raise UnreadableViews(file, problem) from problem


def as_written(view: View) -> str:
    """The view's SQL as DuckDB writes it down, to be compared with what stands in a file."""
    with in_memory() as connection:
        for statement in (*view.prepared(), view.sql):
            connection.execute(statement)
        return _standing(connection)[0].sql


def change(
    file: Path,
    product: str,
    view: View | None,
    said: Mapping[str, str],
    rows: Callable[[], pa.RecordBatchReader] | None = None,
) -> None:
    """Write the file anew, with this view of the product, or none. `rows` are what a view with rows of
    its own shows. A file without a view goes. One writer a file at a time is the caller's to see to."""
    import duckdb

    remove_left(file)
    kept = [one for one in standing(file) if one.product != product]
    if view is None and not kept:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # In a folder of its own, for this user's eyes: who may not read the file reads no half of it either.
    making = file.with_name(f".{file.name}.{uuid.uuid4().hex}{_MAKING}")
    making.mkdir(mode=0o700)
    made = making / file.name
    try:
        with duckdb.connect(made, config={"default_block_size": 16_384}) as connection:
            if kept:
                connection.execute(f"ATTACH {quote_literal(str(file))} AS {_OLD} (READ_ONLY)")
                for one in kept:
                    _carry(connection, one)
                connection.execute(f"DETACH {_OLD}")
            if view is not None:
                _make(connection, view, said, rows)
        if file.exists():
            made.chmod(file.stat().st_mode)
        sync_all([made], file.parent)
        made.replace(file)
        sync_all([], file.parent)
    finally:
        shutil.rmtree(making)


def remove_left(file: Path) -> None:
    """Remove what a process that died was writing in the file's place."""
    for left in file.parent.glob(f".{file.name}.*{_MAKING}"):
        shutil.rmtree(left)


def _standing(connection: duckdb.DuckDBPyConnection) -> list[Standing]:
    found = connection.execute(
        "SELECT schema_name, view_name, sql, comment FROM duckdb_views() WHERE NOT internal"
    ).fetchall()
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE schema_name = ?", [ROWS]
    ).fetchall()
    rows = {name for (name,) in tables}
    standing = []
    for schema, name, sql, comment in sorted(found):
        said = _said(comment)
        whole = not said.get("rows") or said["rows"] in rows
        standing.append(Standing(f"{schema}/{name}", sql, said, whole))
    return standing


def _said(comment: str | None) -> dict[str, str]:
    """What was noted of the view; nothing where somebody else has written there."""
    try:
        said = json.loads(comment or "{}")
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in said.items()} if isinstance(said, dict) else {}


def _carry(connection: duckdb.DuckDBPyConnection, one: Standing) -> None:
    """The view as it stood. One whose files are gone cannot be made, nor read before: it goes, and the
    next plan says that it is missing."""
    import duckdb

    domain = one.product.partition("/")[0]
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(domain)}")
    rows = one.said.get("rows")
    if rows and one.whole:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(ROWS)}")
        table = rows_table(rows)
        connection.execute(f"CREATE TABLE {table} AS FROM {_OLD}.{table}")
    try:
        connection.execute(one.sql)
    except duckdb.Error:
        return
    _comment(connection, one.product, one.said)


def _make(
    connection: duckdb.DuckDBPyConnection,
    view: View,
    said: Mapping[str, str],
    rows: Callable[[], pa.RecordBatchReader] | None,
) -> None:
    for statement in view.prepared():
        connection.execute(statement)
    if view.rows:
        assert rows is not None
        shown = rows()
        connection.register("mesh_shown", shown)
        names = ", ".join(quote_identifier(name) for name, _ in view.columns)
        connection.execute(
            f"INSERT INTO {rows_table(view.rows)} SELECT {names} FROM mesh_shown"  # noqa: S608
        )
        connection.unregister("mesh_shown")
    connection.execute(view.sql)
    _comment(connection, view.product, {**said, **({"rows": view.rows} if view.rows else {})})


def _comment(connection: duckdb.DuckDBPyConnection, product: str, said: Mapping[str, str]) -> None:
    text = quote_literal(json.dumps(dict(said)))
    connection.execute(f"COMMENT ON VIEW {view_name(product)} IS {text}")


def files_below(folder: Path, *, left: bool = False) -> Iterator[Path]:
    """Every file of views, by reader and purpose; with `left`, those, too, that somebody died making."""
    found = {*folder.glob("*/*.duckdb")}
    if left:
        for made in folder.glob(f"*/.*{_MAKING}"):
            name = made.name.removeprefix(".").removesuffix(_MAKING)
            found.add(made.with_name(name.rpartition(".")[0]))
    yield from sorted(found)
