"""The store of a branch on Snowflake, whose tables dbt reads where they are.

Belongs here: which table holds a version. Does not belong here: everything else (`store.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_resources.stores.branched.names import in_branch
from shared_resources.stores.branched.sharing import VersionSharing
from shared_resources.stores.branched.store import BranchStore

if TYPE_CHECKING:
    from shared_resources.stores.cloud_warehouse.store import SnowflakeStore


class SnowflakeBranchStore(BranchStore):
    def __init__(self, base: SnowflakeStore, sharing: VersionSharing, branch: str) -> None:
        super().__init__(base, sharing, branch)
        self._snowflake = base

    def relation(self, product: str, number: int) -> str:
        """The quoted name of the version's table. Raises `NotPublished`."""
        own = {version.number for version in self.own_versions(product)}
        key = in_branch(product, self.branch) if number in own else product
        return self._snowflake.relation(key, number)
