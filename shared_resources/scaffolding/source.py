"""A new product that asks a system outside of the mesh: its code, and the variable of its address.

Belongs here: the code, and naming the variable in `domain.yaml`, whose words and comments stay.
Does not belong here: which variables a domain may see (`confinement/variables.py`), the contract.

The address may hold a password, so it stands in no file: whoever runs the product sets the variable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from shared_resources.contracts.types import ColumnType, Family
from shared_resources.scaffolding.new_files import NotMade

LIST = "environment"
_CODE = '''\
"""{title}, asked of the database in which it is kept.

Belongs here: how its rows are asked for. What it promises is in the contract.
"""

from __future__ import annotations

import os

import polars as pl
import sqlalchemy as sa

from shared_resources import data_product

# It holds the database's address, maybe with a password: `domain.yaml` names it, no file holds it.
ADDRESS = "{variable}"
TABLE = {table}
# What the table calls each column of the contract, and what it holds there.
COLUMNS = {{
{columns}
}}


@data_product
def {name}() -> pl.DataFrame:
    """{description}"""
    address = os.environ.get(ADDRESS)
    if not address:
        raise LookupError(f"{{ADDRESS}} is not set, e.g. to postgresql+psycopg2://user@host/shop")
    engine = sa.create_engine(address)
    try:
        with engine.connect() as connection:
            rows = connection.execute(sa.select(*COLUMNS.values()).select_from(TABLE)).all()
    finally:
        engine.dispose()
    return pl.DataFrame(rows, schema=[*COLUMNS], orient="row", infer_schema_length=None)
'''
_ENTRY = re.compile(rf"(?m)^{LIST}:[ ]*(\[[^\]\n]*\])?[ ]*(#.*)?$")


def variable_of(domain: str, name: str) -> str:
    """The variable that holds the address of the product's source. Its ends are nobody else's."""
    return f"SOURCE_{domain}_{name}_ADDRESS".upper()


def source_code(
    key: str, description: str, table: str, columns: Sequence[tuple[str, str, ColumnType]]
) -> str:
    """`product.py`. `table` may have its schema before it; `columns` are (name, name there, type)."""
    domain, name = key.split("/")
    schema, _, bare = table.rpartition(".")
    of_schema = f", schema={json.dumps(schema)}" if schema else ""
    return _CODE.format(
        title=name.replace("_", " ").capitalize(),
        name=name,
        description=description,
        variable=variable_of(domain, name),
        table=f"sa.table({json.dumps(bare)}{of_schema})",
        columns="\n".join(
            f'    "{column}": sa.column({json.dumps(there)}, {_held(type_)}),'
            for column, there, type_ in columns
        ),
    )


def _held(type_: ColumnType) -> str:
    match type_.family:
        case Family.STRING:
            return "sa.String()"
        case Family.INTEGER:
            return "sa.BigInteger()"
        case Family.FLOAT:
            return "sa.Float()"
        case Family.DECIMAL:
            return f"sa.Numeric({type_.precision}, {type_.scale})"
        case Family.BOOLEAN:
            return "sa.Boolean()"
        case Family.DATE:
            return "sa.Date()"
        case Family.TIMESTAMP:
            return "sa.DateTime()"
        case Family.TIMESTAMP_TZ:
            return "sa.DateTime(timezone=True)"


def with_variable(file: Path, name: str) -> str:
    """The text of `domain.yaml` in which the domain's code may see the variable.

    Raises `NotMade` for a file to which it cannot be added by writing into it.
    """
    text = file.read_text(encoding="utf-8")
    added, sound = text, False
    try:
        before = yaml.safe_load(text)
        named = [*(before.get(LIST) or [])]
        if name in named:
            return text
        listed = _ENTRY.search(text)
        if listed is None:
            added = f"{text.rstrip()}\n{LIST}: [{name}]\n"
        elif listed[1] is not None or not named:
            inside = ", ".join([*map(str, named), name])
            added = f"{text[: listed.start()]}{LIST}: [{inside}]{text[listed.end() :]}"
        else:
            rest = text[listed.end() :]
            indent = " " * (len(rest.lstrip("\n")) - len(rest.lstrip("\n").lstrip(" ")))
            added = f"{text[: listed.end()]}\n{indent}- {name}{rest}"
        after = yaml.safe_load(added)
        sound = {**before, LIST: sorted([*named, name])} == {**after, LIST: sorted(after[LIST])}
    except (yaml.YAMLError, AttributeError, TypeError, KeyError):
        sound = False
    if not sound:
        raise NotMade(
            f"{file}: the variable cannot be added to what stands there; add {name} to `{LIST}` "
            "yourself, and begin again"
        )
    return added
