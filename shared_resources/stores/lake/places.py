"""What housekeeping needs to know of a product in the lake.

Belongs here: the product with its catalog, its files and its lock. Does not belong here: what is
done with them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract
from shared_resources.stores.attested.attestor import Attestor
from shared_resources.stores.lake.catalog.table_catalog import TableCatalog
from shared_resources.stores.lake.files.local import LakeFiles
from shared_resources.stores.lake.table_facts import AnyTable

if TYPE_CHECKING:
    from pyiceberg.table import Table


@dataclass(frozen=True)
class LakeTable:
    """`files` knows where its files are, `area` is where its batches are staged, `staging` makes a
    new staged attempt, `lock` holds off publishers as long as everybody is well, `attestor` vouches
    for what is committed.
    """

    product: str
    catalog: TableCatalog
    files: LakeFiles
    area: Path
    staging: Callable[[Contract, str], Path]
    lock: Callable[[], AbstractContextManager[None]]
    attestor: Attestor

    def load(self) -> Table | None:
        """For who will change it."""
        return self.catalog.load(self.product)

    def described(self) -> AnyTable | None:
        """For who only reads it."""
        return self.catalog.described(self.product)
