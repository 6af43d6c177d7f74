"""What a new product can begin as, by the names that people type.

Belongs here: the names, and the kind of product that each is to the mesh.
Does not belong here: the files that each has (`new_product.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from shared_resources.mesh import ProductKind


class Beginning(StrEnum):
    """`SOURCE` and `MACHINE_LEARNING` are functions, with more of them written already."""

    INGEST = "ingest"
    STREAM = "stream"
    SOURCE = "source"
    FUNCTION = "function"
    DBT = "dbt"
    MACHINE_LEARNING = "machine-learning"

    @property
    def kind(self) -> ProductKind:
        """What it is to the mesh."""
        if self in (Beginning.SOURCE, Beginning.MACHINE_LEARNING):
            return ProductKind.FUNCTION
        return ProductKind(self.value)

    @property
    def reads(self) -> bool:
        """Whether it is made of other products."""
        return self not in (Beginning.INGEST, Beginning.STREAM, Beginning.SOURCE)

    @classmethod
    def of(cls, kind: str | None, reads: Sequence[str], topic: str) -> Beginning:
        """The one that is named; else what the product is made of says it."""
        if kind:
            return cls(kind)
        if topic:
            return cls.STREAM
        return cls.FUNCTION if reads else cls.INGEST
