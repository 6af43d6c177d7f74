"""Refusing an object for a day or a point in time that no contract's type has.

Belongs here: the refusal, for whoever decodes an object that has types of its own.
Does not belong here: the range (`contracts/values/moments.py`), text (`landing/typed_cells.py`).
"""

from __future__ import annotations

import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.values.moments import YEARS, first_outside, is_moment
from shared_resources.contracts.values.offending import described
from shared_resources.landing.errors import UnreadableObject


def refuse_outside(
    object_key: str, contract: Contract, column: str, values: pa.Array, before: int
) -> None:
    """Raise `UnreadableObject` for a day or a point in time that is out of range.

    `before` is the number of rows that came before `values`.
    """
    position = first_outside(values) if is_moment(values.type) else None
    if position is None:
        return
    found = described(pa.chunked_array([values]), position, contract, column, before)
    raise UnreadableObject(
        object_key,
        f"{found}, which is out of {YEARS}",
        "land it as a day within them, or as null",
        f"column {column!r}",
    )
