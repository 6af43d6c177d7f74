"""For the tests of domain teams: rows that keep a contract, and a mesh that is gone afterwards.

Belongs here: `rows_of` and `temporary_mesh`, which a domain's tests need, and what they are made of.
Does not belong here: the platform's own tests (`tests/`).
"""

from shared_resources.testing.rows import NoSuchRows, rows_of
from shared_resources.testing.temporary_mesh import (
    Made,
    NotPublishable,
    TemporaryMesh,
    temporary_mesh,
)

__all__ = ["Made", "NoSuchRows", "NotPublishable", "TemporaryMesh", "rows_of", "temporary_mesh"]
