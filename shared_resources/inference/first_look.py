"""What a file says by itself: its format, how its text is written, its columns as they stand in it.

Belongs here: encoding, delimiter, header, fields of JSON, the schema of Parquet.
Does not belong here: what texts may mean (`types.py`), reading the rows (`rows.py`).
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.contracts.file_formats import CSV, JSONL, PARQUET, FileFormat
from shared_resources.contracts.reading.columns import IDENTIFIER
from shared_resources.contracts.types import MOMENTS, ColumnType, Family
from shared_resources.inference.inferred import NotInferable
from shared_resources.inference.types import TEXT
from shared_resources.landing.formats.csv_records import CsvDamage, Dialect, Record, records
from shared_resources.landing.formats.json_fields import Number, read_fields
from shared_resources.landing.formats.parquet.footer import is_ordinary
from shared_resources.landing.formats.parquet.pages import DAMAGE, reason
from shared_resources.landing.rejects import Reason
from shared_resources.landing.text import Limits, TextFile, open_text
from shared_resources.sql import exact_path

_DELIMITERS = (",", ";", "\t", "|")
_EVERY = frozenset(Family) - {Family.STRING}
_JSON_TYPES = {
    str: TEXT,
    bool: ColumnType(Family.BOOLEAN),
    int: ColumnType(Family.INTEGER),
    Number: ColumnType(Family.FLOAT),
}
_NUMBER = re.compile(r"[-+]?[0-9.,]+([eE][-+]?[0-9]+)?%?")


@dataclass(frozen=True)
class Field:
    """A column as it stands in a file: its name there, one that a column can have, its type."""

    landed_as: str
    name: str
    type: ColumnType


@dataclass(frozen=True)
class FirstLook:
    """`texts` are the families of which values may be written in columns of text; `left_out` are the
    columns that cannot be had, each with the reason. `options` are clauses of `landing`."""

    format: FileFormat
    fields: tuple[Field, ...]
    texts: Set[Family]
    options: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()
    to_confirm: tuple[str, ...] = ()


def look_at(file: Path, form: FileFormat, work: Path) -> FirstLook:
    """Raises `NotInferable`, or `UnreadableObject` for a file that cannot be read."""
    try:
        return _look_at(file, form, work)
    except NotInferable as problem:
        named = str(file) in str(problem)
        raise problem if named else NotInferable(f"{file}: {problem}") from None


def _look_at(file: Path, form: FileFormat, work: Path) -> FirstLook:
    if form == CSV:
        return _csv(file, work)
    if form == JSONL:
        return _jsonl(file, work)
    if form == PARQUET:
        return of_schema(_parquet_schema(file), PARQUET)
    raise NotInferable(
        f"{file}: nothing is inferred from {form.name} yet; write the contract by hand"
    )


def _parquet_schema(file: Path) -> pa.Schema:
    if not is_ordinary(file):  # of some footers a question ends the process
        raise NotInferable(f"{file}: has a footer such as no writer makes; land it again")
    try:
        with pq.ParquetFile(file) as parquet:
            return parquet.schema_arrow
    except DAMAGE as error:
        raise NotInferable(f"{file}: is no whole Parquet file ({reason(error)})") from None


def of_schema(schema: pa.Schema, form: FileFormat) -> FirstLook:
    """The columns that have types already."""
    types = [(field.name, column_type(field.type)) for field in schema]
    others = [(field.name, field.type) for field in schema if column_type(field.type) is None]
    left_out = [f"{name!r} holds {type_}, of which no column can be" for name, type_ in others]
    kept = [(name, type_) for name, type_ in types if type_ is not None]
    fields = _fields(kept, [name for name, _ in others])
    return FirstLook(form, fields, frozenset(), left_out=tuple(left_out))


def _csv(file: Path, work: Path) -> FirstLook:
    encoding = _encoding(file, work)
    with open_text(file, file.name, encoding, work, Limits()) as text:
        delimiter = _delimiter(text)
        header = _header(file, text, delimiter)
    sure = () if encoding != "cp1252" else (f"the encoding is {encoding}; it is no UTF-8",)
    given = {"encoding": encoding, "delimiter": delimiter}
    usual = {"encoding": "utf-8", "delimiter": ","}
    options = tuple((name, value) for name, value in given.items() if value != usual[name])
    fields = _fields((name, TEXT) for name in header)
    return FirstLook(CSV, fields, _EVERY, options, to_confirm=sure)


def _encoding(file: Path, work: Path) -> str:
    """UTF-8 where the whole file is; by its mark where that is UTF-16's; else Windows' own."""
    from shared_resources.landing.errors import UnreadableObject

    with file.open("rb") as opened:
        mark = opened.read(2)
    if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    try:
        with open_text(file, file.name, "utf-8", work, Limits()):
            return "utf-8"
    except UnreadableObject as problem:
        if "utf-8" not in problem.problem.lower():
            raise
    return "cp1252"


def _delimiter(text: TextFile) -> str:
    """DuckDB's opinion, where it is one of those in use and stands in the header."""
    with text.path.open(encoding="utf-8") as file:
        file.seek(text.start)
        line = next((line for line in file if line.strip()), "")
    query = f"SELECT Delimiter FROM sniff_csv({exact_path(str(text.path))})"
    try:
        with duckdb.connect() as connection:
            found = str(connection.execute(query).fetchall()[0][0])
    except duckdb.Error:
        found = ""
    if found in _DELIMITERS and found in line:
        return found
    return max(_DELIMITERS, key=line.count)


def _first(text: TextFile, delimiter: str) -> Record | None:
    every = records(text, Dialect(delimiter, ""), Limits().record_bytes)
    return next((record for record in every if record.cells), None)


def _header(file: Path, text: TextFile, delimiter: str) -> tuple[str, ...]:
    try:
        first = _first(text, delimiter)
    except CsvDamage as damage:
        raise NotInferable(f"{file}, line {damage.line}: is damaged: {damage.problem}") from None
    names = tuple(cell or "" for cell in first.cells) if first else ()
    remedy = "its first line must name the columns, each once"
    if len(names) == 1 and len(names[0].split()) > 2:
        parted = ", ".join(map(repr, _DELIMITERS))
        raise NotInferable(
            f"{file}: its first line has one cell; part the cells by one of {parted}"
        )
    if not names or any(not name.strip() or _NUMBER.fullmatch(name) for name in names):
        raise NotInferable(f"{file}: has no header; {remedy}")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise NotInferable(
            f"{file}: its header has {', '.join(map(repr, doubled))} twice; {remedy}"
        )
    return names


def _jsonl(file: Path, work: Path) -> FirstLook:
    kinds: dict[str, set[type]] = {}
    with open_text(file, file.name, "utf-8", work, Limits()) as text:
        for line in _lines(text):
            found = read_fields(line)
            if not isinstance(found, Reason):
                for name, value in found.items():
                    kinds.setdefault(name, set()).add(type(value))
    if not kinds:
        raise NotInferable(f"{file}: holds no JSON object; land one a line")
    types: list[tuple[str, ColumnType]] = []
    left_out, others = [], []
    for name, seen in kinds.items():
        seen = seen - {type(None)}
        if seen <= {int, Number}:
            seen = {Number} if Number in seen else seen
        if len(seen) > 1 or seen & {dict, list}:
            left_out.append(f"{name!r} holds {_kinds(seen)}, of which no column can be")
            others.append(name)
        else:
            types.append((name, _JSON_TYPES[next(iter(seen))] if seen else TEXT))
    return FirstLook(JSONL, _fields(types, others), MOMENTS, left_out=tuple(left_out))


def _lines(text: TextFile) -> Iterator[str]:
    with text.path.open("rb") as file:
        file.seek(text.start)
        for line in file:
            if not line.isspace():
                yield line.decode("utf-8").strip(" \t\r\n")


def _kinds(seen: Iterable[type]) -> str:
    names = {dict: "objects", list: "arrays", str: "texts", bool: "true and false"}
    return " and ".join(sorted({names.get(kind, "numbers") for kind in seen}))


def column_type(type_: pa.DataType) -> ColumnType | None:
    """The type of a column that holds such values; None where no column can."""
    is_ = pa.types
    if is_.is_dictionary(type_):
        type_ = type_.value_type
    if is_.is_string(type_) or is_.is_large_string(type_) or type_ == pa.string_view():
        return TEXT
    if is_.is_boolean(type_):
        return ColumnType(Family.BOOLEAN)
    if is_.is_uint64(type_):
        return ColumnType(Family.DECIMAL, precision=20, scale=0)
    if is_.is_integer(type_):
        return ColumnType(Family.INTEGER)
    if is_.is_floating(type_):
        return ColumnType(Family.FLOAT)
    if is_.is_decimal128(type_):
        return ColumnType(Family.DECIMAL, precision=type_.precision, scale=type_.scale)
    if is_.is_date(type_):
        return ColumnType(Family.DATE)
    if is_.is_timestamp(type_):
        return ColumnType(Family.TIMESTAMP_TZ if type_.tz else Family.TIMESTAMP)
    return None


def _fields(
    columns: Iterable[tuple[str, ColumnType]], others: Sequence[str] = ()
) -> tuple[Field, ...]:
    """With names that columns can have, each once, and none by which data calls another column.

    `others` are what data calls columns that are left out. Raises `NotInferable`.
    """
    listed = list(columns)
    landed = [landed_as for landed_as, _ in listed] + list(others)
    _check_names(landed, none=not listed)
    fields: list[Field] = []
    taken: set[str] = set()
    for landed_as, type_ in listed:
        plain = column_name(landed_as)
        name, number = plain, 2
        while name in taken or (name in landed and name != landed_as):
            name, number = f"{plain}_{number}", number + 1
        taken.add(name)
        fields.append(Field(landed_as, name, type_))
    return tuple(fields)


def _check_names(landed: Sequence[str], *, none: bool) -> None:
    doubled = sorted({name for name in landed if landed.count(name) > 1})
    if doubled:
        raise NotInferable(f"the column {doubled[0]!r} is there twice; call each otherwise")
    for name in landed:
        if not name.strip() or any("\ud800" <= letter <= "\udfff" for letter in name):
            raise NotInferable(f"a column is called {name!r}, which is no name; call it otherwise")
    if none:
        raise NotInferable("no column holds single values of a type that a column can have")


def column_name(landed_as: str) -> str:
    """The name in snake_case: `Order ID` and `orderID` become `order_id`, `Straße` `strasse`."""
    plain = unicodedata.normalize("NFKD", landed_as.replace("ß", "ss").replace("%", " percent "))
    plain = plain.encode("ascii", "ignore").decode()
    words = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])", r"\1\3_\2\4", plain)
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    name = name if name[:1].isalpha() else f"column_{name}".rstrip("_")
    return name[:200].rstrip("_") if IDENTIFIER.fullmatch(name[:200]) else "column"
