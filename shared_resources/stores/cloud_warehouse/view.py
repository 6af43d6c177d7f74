"""The view of a product in Snowflake: what people's SQL reads, and what the contract says of it.

Belongs here: the one statement that makes the view show a version, with comments and tags.
Does not belong here: when it is executed (`store.py`), who may read it.

The view is replaced by one statement, so a reader sees one whole version or another. Grants stay
(COPY GRANTS). Tags and comments are part of the same statement: a masking policy that hangs on the
tag `classification` applies from the first moment on, and never lapses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from shared_resources.contracts.model import Classification, Column, Contract
from shared_resources.contracts.promise import aliases, shown
from shared_resources.stores.cloud_warehouse.session import SnowflakeSession
from shared_resources.stores.cloud_warehouse.sql import SUFFIX, Columns, Name, names, text

TAGS_SCHEMA = "mesh"
CLASSIFICATION = "classification"
TAGS = (CLASSIFICATION, "owner", "domain", "product", "contract_version", "contract_tags")
LONGEST_TAG = 256


def view_statement(contract: Contract, columns: Columns, table: Name) -> str:
    """Make `"<domain>"."<product>"` show the table's rows, called and described by the contract."""
    known = {column.name: column for column in contract.columns}
    known |= {alias: known[name] for alias, name in aliases(contract).items()}
    called = shown(contract, [name for name, _ in columns])
    described = ", ".join(
        " ".join((names([name]), *_column_properties(known.get(name)))) for name in called
    )
    return (
        f"CREATE OR REPLACE VIEW {Name(contract.domain, contract.name)} ({described}) "
        f"WITH TAG ({_values(_product_tags(contract))}) COPY GRANTS "
        f"COMMENT = {text(contract.description)} "
        f"AS SELECT {names(called.values())} FROM {table}"
    )


def shown_table(session: SnowflakeSession, product: str) -> str | None:
    """The name of the table that the product's view shows; None where there is no view of ours."""
    domain, _, name = product.partition("/")
    rows = session.query(
        "SELECT view_definition FROM information_schema.views "
        "WHERE table_schema = ? AND table_name = ?",
        [domain, name],
    ).rows
    tables = [found.group() for found in re.finditer(re.escape(name) + SUFFIX, str(rows))]
    return tables[-1] if tables else None


def create_tags(session: SnowflakeSession) -> None:
    """Make the tags, once an account; policies and grants may hang on them."""
    session.execute(f"CREATE SCHEMA IF NOT EXISTS {names([TAGS_SCHEMA])}")
    for tag in TAGS:
        allowed = ""
        if tag == CLASSIFICATION:
            allowed = " ALLOWED_VALUES " + ", ".join(text(value) for value in Classification)
        session.execute(f"CREATE TAG IF NOT EXISTS {Name(TAGS_SCHEMA, tag)}{allowed}")


def _column_properties(column: Column | None) -> Iterator[str]:
    """A column that nobody classified, or that the contract no longer has, is taken for the worst."""
    classification = column.classification if column else None
    worst = Classification.RESTRICTED
    yield f"WITH TAG ({_values({CLASSIFICATION: (classification or worst).value})})"
    if column and column.description:
        yield f"COMMENT {text(column.description)}"


def _product_tags(contract: Contract) -> Mapping[str, str]:
    tags = {
        "owner": contract.owner,
        "domain": contract.domain,
        "product": contract.key,
        "contract_version": contract.version,
        "contract_tags": ",".join(contract.tags),
    }
    return {name: value for name, value in tags.items() if value}


def _values(tags: Mapping[str, str]) -> str:
    return ", ".join(
        f"{Name(TAGS_SCHEMA, name)} = {text(value[:LONGEST_TAG])}" for name, value in tags.items()
    )
