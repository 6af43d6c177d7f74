"""From files, or a published product, to what a contract would say of them.

Belongs here: the order in which things are found out, and putting them together.
Does not belong here: each of them; the contract's text (`scaffolding/inferred_contract.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow.parquet as pq

from shared_resources.contracts.file_formats import PARQUET, FileFormat, all_endings, format_of
from shared_resources.contracts.model import Classification, LandingMode
from shared_resources.contracts.types import Family
from shared_resources.governance.audit.engine.connection import audit_connection
from shared_resources.inference.days import column_of_days, days_of, object_name
from shared_resources.inference.elsewhere import fetch_objects, fetch_table
from shared_resources.inference.first_look import FirstLook, look_at, of_schema
from shared_resources.inference.inferred import Inferred, InferredColumn, NotInferable
from shared_resources.inference.keys import is_named_like_a_key, key_of
from shared_resources.inference.personal_data import classified
from shared_resources.inference.rows import Rows, read_rows
from shared_resources.inference.snowflake_table import SNOWFLAKE, fetch_snowflake_table
from shared_resources.inference.values import Values, common, values_of
from shared_resources.parquet import write_parquet
from shared_resources.stores.protocol import Snapshot, StagedFile

# Below this, what holds for all rows may be chance.
_FEW_ROWS = 100
# A last line that is cut off is one; with more, the file is not what it was taken for.
_MOST_UNREAD = 0.1


def infer_files(place: Path, shown: str = "") -> Inferred:
    """Of a file, or of all the files of a folder, which are of one format and have the same columns.

    `shown` is how the place is called, where that is not its path. Raises `NotInferable`, and
    `UnreadableObject` for a file that cannot be read.
    """
    files = _files(place)
    form = _format(files)
    with _workshop() as (folder, connection):
        look = look_at(files[0], form, folder)
        rows = read_rows(connection, files, look, folder)
        found = _found(connection, rows, look, shown or str(place))
        days = days_of(files)
        column = column_of_days(connection, rows, days, rows.each) if days else ""
    return _landed(found, files, look, rows, column, days)


def infer_objects(place: str) -> Inferred:
    """Of an object on S3, or of all directly below a prefix. Raises as `infer_files` does."""
    with TemporaryDirectory(prefix="mesh-infer-") as folder:
        return infer_files(fetch_objects(place, Path(folder)), place)


def infer_table(place: str) -> Inferred:
    """Of a table of a database, which is to land as Parquet. Raises `NotInferable`."""
    with _workshop() as (folder, connection):
        if place.startswith(SNOWFLAKE):
            table = fetch_snowflake_table(place, folder)
        else:
            table = fetch_table(place, folder)
        look = replace(of_schema(pq.read_schema(table.file), PARQUET), left_out=table.left_out)
        rows = read_rows(connection, [table.file], look, folder)  # with names that columns can have
        found = _found(connection, rows, look, table.shown)
    names = {column.landed_as: column.name for column in found.columns}
    key = tuple(names[one] for one in table.key)
    said = f"its primary key in the database is ({', '.join(table.key)})"
    landing = {"format": PARQUET.name, "mode": LandingMode.REPLACE.value, "object": "*.parquet"}
    if table.left_out:
        landing["extraColumns"] = "ignore"
    return replace(
        found,
        columns=tuple(
            replace(one, required=one.landed_as in table.required) for one in found.columns
        ),
        key=key or found.key,
        landing=landing,
        evidence=(*found.evidence, said) if key else found.evidence,
        to_confirm=(
            *table.to_confirm,
            *(one for one in found.to_confirm if not (key and "primary key" in one)),
        ),
    )


def infer_published(
    snapshot: Snapshot, declared: Mapping[str, Classification | None] | None = None
) -> Inferred:
    """Of a published version, whose columns have their types, and their classifications (`declared`;
    one without any counts as classified)."""
    with _workshop() as (folder, connection):
        path = folder / "rows.parquet"
        with snapshot.batches() as reader:
            schema = reader.schema
            written = write_parquet(path, schema, reader)
        look = of_schema(schema, PARQUET)
        rows = Rows((StagedFile(path, "", written),), look.fields, {})
        shown = f"{snapshot.version.product} as published"
        return _found(connection, rows, look, shown, declared or {})


@contextmanager
def _workshop() -> Iterator[tuple[Path, duckdb.DuckDBPyConnection]]:
    """A folder and a connection that are gone afterwards."""
    with TemporaryDirectory(prefix="mesh-infer-") as temporary:
        folder = Path(temporary)
        with audit_connection(folder) as connection:
            yield folder, connection


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise NotInferable(f"{place}: there is no such file or folder")
    files = sorted(f for f in place.iterdir() if f.is_file() and not f.name.startswith("."))
    if not files:
        raise NotInferable(f"{place}: holds no file")
    return files


def _format(files: Sequence[Path]) -> FileFormat:
    formats = {file: format_of(file) for file in files}
    unknown = [file for file, form in formats.items() if form is None]
    if unknown:
        known = ", ".join(all_endings())
        raise NotInferable(f"{unknown[0]}: files are told by their endings: {known}, also with .gz")
    first = formats[files[0]]
    others = [file for file, form in formats.items() if form != first]
    if others:
        raise NotInferable(f"{others[0]}: is of another format than {files[0].name}")
    assert first is not None
    return first


def _found(
    connection: duckdb.DuckDBPyConnection,
    rows: Rows,
    look: FirstLook,
    source: str,
    declared: Mapping[str, Classification | None] | None = None,
) -> Inferred:
    if not rows.count and not rows.unread:
        raise NotInferable(f"{source}: holds no rows, of which nothing can be inferred")
    if rows.unread > _MOST_UNREAD * (rows.count + rows.unread):
        raise NotInferable(
            f"{source}: {rows.unread:,} of {rows.count + rows.unread:,} rows cannot be read, the first "
            f"of them {rows.why_unread}; mend them at their source"
        )
    values = [values_of(connection, rows.source, field) for field in rows.fields]
    key = key_of(connection, rows.source, values)
    columns = tuple(_column(connection, rows, one, key, declared or {}) for one in values)
    to_confirm = [
        *look.to_confirm,
        *(f"the column {said}; it is left out" for said in look.left_out),
    ]
    if rows.null_text:
        to_confirm.append(f"the text {rows.null_text!r} means that there is no value")
    if rows.unread:
        said = f"{rows.unread:,} rows cannot be read, the first of them {rows.why_unread}"
        to_confirm.append(said)
    evidence = [f"{rows.count:,} rows of {source}"]
    if len(key) > 1 or (key and rows.count < _FEW_ROWS):
        said = f"the primary key ({', '.join(key)}) differs in all of {rows.count:,} rows"
        to_confirm.append(f"{said}; will it always?")
    elif not key:
        to_confirm.append("no primary key was found: is one row told from another at all?")
    to_confirm.append("descriptions, classifications and service levels are proposals")
    return Inferred(
        source, rows.count, columns, key, evidence=tuple(evidence), to_confirm=tuple(to_confirm)
    )


def _column(
    connection: duckdb.DuckDBPyConnection,
    rows: Rows,
    values: Values,
    key: Sequence[str],
    declared: Mapping[str, Classification | None],
) -> InferredColumn:
    field = values.field
    level, personal = classified(connection, rows.source, field)
    if field.landed_as in declared:
        level, personal = declared[field.landed_as] or Classification.RESTRICTED, ""
    found = common(connection, rows.source, values)
    typed = rows.found.get(field.name)
    evidence = [typed.evidence] if typed and field.type.family is not Family.STRING else []
    evidence += found.evidence
    if not level.classified:
        evidence += found.shown
    missing = values.rows - values.present
    evidence.append(f"{missing:,} of {values.rows:,} rows have none" if missing else "in every row")
    to_confirm = [said for said in (typed.to_confirm if typed else "", personal) if said]
    if not values.present:
        to_confirm.append("it holds nothing: its type is a guess")
    options: dict[str, Any] = dict(found.options)
    if typed and typed.text_format:
        options["format"] = typed.text_format
    unique = values.unique and is_named_like_a_key(field.name) and key != (field.name,)
    return InferredColumn(
        name=field.name,
        landed_as=field.landed_as,
        type=field.type,
        required=values.required,
        unique=unique,
        options=options,
        enumeration=() if level.classified else found.enumeration,
        classification=level,
        evidence=tuple(said for said in evidence if said),
        to_confirm=tuple(to_confirm),
    )


def _landed(
    found: Inferred,
    files: Sequence[Path],
    look: FirstLook,
    rows: Rows,
    column: str,
    days: Sequence[date],
) -> Inferred:
    """With how the files are read, and the partitions of files of which each is a day."""
    daily = bool(column)
    landing: dict[str, Any] = {
        "format": look.format.name,
        "mode": (LandingMode.PARTITION if daily else LandingMode.REPLACE).value,
        "object": object_name(files, daily=daily),
        **dict(look.options),
    }
    partitions = None
    if daily:
        partitions = {"cadence": "daily", "column": column, "start": min(days).isoformat()}
    if rows.null_text:
        landing["nullText"] = rows.null_text
    if look.left_out:
        landing["extraColumns"] = "ignore"
    to_confirm = list(found.to_confirm)
    if len(files) > 1 and not daily:
        to_confirm.append(
            f"{len(files)} files were looked at, and each is taken for a full extract, of which the "
            "newest counts"
        )
    return replace(found, landing=landing, partitions=partitions, to_confirm=tuple(to_confirm))
