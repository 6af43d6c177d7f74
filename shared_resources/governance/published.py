"""What is published, for the policies that look at it, and asking them.

Belongs here: the stored tables of a product with their evidence; findings, warnings and waivers of the
policies that look at them.
Does not belong here: the policies (`policies/`), what a store holds (`stores/`), contracts against what
is published under them (`data_products/compared/`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared_resources.evidence.record import Evidence

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class PublishedTable:
    """The version that readers see in one store. `schema` is what is stored, None where nobody opened
    the table; `evidence` is None where it cannot be read."""

    store: str
    number: int
    schema: Mapping[str, pa.DataType] | None = None
    evidence: Evidence | None = None


# By the key of a product what is published of it, the store that readers take it from first.
Published = Callable[[str], Sequence[PublishedTable]]


def nothing_published(key: str) -> Sequence[PublishedTable]:
    """For who looks at files alone."""
    return ()


def from_list(tables: Iterable[PublishedTable]) -> Published:
    """The same tables of whatever product: for examples."""
    known = tuple(tables)
    return lambda key: known
