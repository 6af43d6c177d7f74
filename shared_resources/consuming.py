"""Reading a product from anywhere: a notebook, a service, `mesh read`.

Belongs here: `read`, the door for consumers outside Dagster.
Does not belong here: inputs of products (`io_managers/published.py`), who may read what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared_resources import environment as environments
from shared_resources.io_managers.frames import as_frame


def read(
    product: str,
    *,
    columns: Sequence[str] | None = None,
    version: int | None = None,
    as_type: Any = None,
) -> Any:
    """The published rows of `domain/product`, whole versions only.

    `as_type` is a pandas (default) or polars frame, a `pyarrow.Table`, or a
    `pyarrow.RecordBatchReader` for more than fits in memory. Raises `NotPublished`,
    `UnsupportedFrame`, and `KeyError` for a column that the product does not have.
    """
    snapshot = environments.current().open_product(product, version)
    return as_frame(snapshot, as_type, columns)
