"""The rows of files as a table, read by the reader that will read them when they land.

Belongs here: staging files with what is known of their columns so far, the text that means null.
Does not belong here: the readers (`landing/`), what follows from the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from shared_resources.contracts.model import Column, Contract, Landing, Server
from shared_resources.contracts.types import Family
from shared_resources.inference.first_look import Field, FirstLook
from shared_resources.inference.types import TEXT, Texts, Typed, typed
from shared_resources.landing.reader import stage_object
from shared_resources.landing.rejects import first_reason
from shared_resources.sql import parquet_rows, quote_identifier
from shared_resources.stores.protocol import StagedFile

_KEY = "inferred/rows"


@dataclass(frozen=True)
class Rows:
    """Staged files with the columns' types, and what was found out about these, by name.

    `each` is how many of the files belong to each that was landed. `unread` counts the rows that no
    reader can read, and `why_unread` says it of the first of them.
    """

    files: tuple[StagedFile, ...]
    fields: tuple[Field, ...]
    found: Mapping[str, Typed]
    each: tuple[int, ...] = ()
    null_text: str = ""
    unread: int = 0
    why_unread: str = ""

    @property
    def count(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def source(self) -> str:
        """The rows as a relation."""
        return parquet_rows(file.path for file in self.files)


def read_rows(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], look: FirstLook, folder: Path
) -> Rows:
    """Read the files twice: as they stand, then with the types that their texts turned out to have.

    Raises `UnreadableObject` for a file that cannot be read as a whole.
    """
    first = _staged(files, look, Rows((), look.fields, {}), folder / "as-they-stand")
    texts = [field for field in look.fields if field.type.family is Family.STRING]
    if not texts or not look.texts or not first.count:
        return first
    null_text, found = _types(connection, first, texts, look)
    fields = tuple(
        replace(field, type=found[field.name].type) if field.name in found else field
        for field in look.fields
    )
    if fields == look.fields and not null_text:
        return replace(first, found=found)
    return _staged(files, look, Rows((), fields, found, null_text=null_text), folder / "typed")


def _types(
    connection: duckdb.DuckDBPyConnection, rows: Rows, texts: Sequence[Field], look: FirstLook
) -> tuple[str, dict[str, Typed]]:
    """What the columns of text hold, with the text that means null for most of them.

    Only one text can mean it: where that is no empty cell, empty cells are texts, and no numbers.
    """
    choices: dict[str, dict[str, Typed]] = {"": {}}
    written: dict[str, frozenset[str]] = {}
    empty: dict[str, bool] = {}
    for field in texts:
        cells = Texts(connection, quote_identifier(field.name), rows.source)
        choices[""][field.name] = typed(field.name, cells, look.texts)
        empty[field.name] = cells.rows < rows.count
        if choices[""][field.name].type.family is not Family.STRING:
            continue
        written[field.name] = cells.null_texts()
        for text in written[field.name]:
            other = typed(field.name, cells, look.texts, text)
            choices.setdefault(text, {})[field.name] = other

    def chosen(text: str) -> dict[str, Typed]:
        plain = choices[""]
        if not text:
            return plain
        return {
            name: Typed(TEXT) if empty[name] else choices[text].get(name, one)
            for name, one in plain.items()
        }

    def told(text: str) -> int:
        return sum(one.type.family is not Family.STRING for one in chosen(text).values())

    best = max(choices, key=lambda text: (told(text), not text))
    return best, chosen(best)


def _staged(files: Sequence[Path], look: FirstLook, known: Rows, folder: Path) -> Rows:
    contract = _contract(look, known)
    staged: list[StagedFile] = []
    each: list[int] = []
    unread, why = 0, ""
    for number, file in enumerate(files):
        into = folder / str(number)
        into.mkdir(parents=True)
        made = stage_object(contract, file, file.name, into)
        staged += made.files
        each.append(len(made.files))
        unread += made.rejected_rows
        if made.rejects is not None and not why:
            why = f"{file.name}, {first_reason(made.rejects)}"
    return replace(known, files=tuple(staged), each=tuple(each), unread=unread, why_unread=why)


def _contract(look: FirstLook, known: Rows) -> Contract:
    options = dict(look.options)
    domain, name = _KEY.split("/")
    columns = tuple(
        Column(
            field.name,
            field.type,
            "",
            None,
            text_format=known.found[field.name].text_format if field.name in known.found else "",
            landed_as="" if field.landed_as == field.name else field.landed_as,
        )
        for field in known.fields
    )
    landing = Landing(
        _KEY,
        look.format,
        "*",
        encoding=options.get("encoding", "utf-8"),
        delimiter=options.get("delimiter", ","),
        ignores_extra=bool(look.left_out),
        null_text=known.null_text,
    )
    return Contract(
        path=Path(),
        digest="",
        id="",
        domain=domain,
        name=name,
        version="1.0.0",
        status="active",
        description="",
        owner="",
        columns=columns,
        rules=(),
        servers=(Server.LAKE,),
        landing=landing,
    )
