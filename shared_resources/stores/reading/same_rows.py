"""Whether two sets of files hold the same rows, in whatever order and number of files.

Belongs here: the checksums of a query's rows. Does not belong here: what is compared, and what a
difference means (the stores' housekeeping).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared_resources.sql import quote_identifier

if TYPE_CHECKING:
    import duckdb


def checksums(
    connection: duckdb.DuckDBPyConnection, query: str, columns: Sequence[str]
) -> Mapping[str, int]:
    """Of the query's rows: their number, the sum of a hash of each column, and of each whole row.

    Sums do not depend on the order; the hash of the whole row tells when values of one column moved
    to another row.
    """
    names = [quote_identifier(name) for name in columns]
    hashed = [*(f"hash({name})" for name in names), f"hash({', '.join(names)})"]
    sums = ", ".join(f"coalesce(sum({one}::HUGEINT), 0)" for one in hashed)
    found = connection.execute(f"SELECT count(*), {sums} FROM ({query})").fetchall()  # noqa: S608
    return dict(zip(("rows", *columns, "row"), found[0], strict=True))
