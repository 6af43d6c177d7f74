"""The stores under test by name, and where each is: enough for another process to open it.

Belongs here: opening a store from its name, its folder and its environment variables.
Does not belong here: fixtures (`conftest.py`), what other processes do (`workers.py`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared_resources.production.checks import read_settings
from shared_resources.registry.attestations import AttestationFolder
from shared_resources.stores.attested.attestor import Attestor
from shared_resources.stores.branched.sharing import VersionSharing
from shared_resources.stores.branched.store import BranchStore
from shared_resources.stores.cloud_warehouse.sharing import SnowflakeSharing
from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from shared_resources.stores.embedded_warehouse.sharing import WarehouseSharing
from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake.sharing import LakeSharing
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.protocol import ProductStore
from shared_resources.wiring import ProductionEnvironment

LOCAL = ("lake", "warehouse")
REMOTE = ("lake-s3", "snowflake")
STORES = (*LOCAL, *REMOTE)
# The test is quick, or telling, enough to ask each store of it at every change.
everywhere = pytest.mark.parametrize("place", STORES, indirect=True)


@dataclass(frozen=True)
class Place:
    """`root` is a folder of the store's own on this machine; `variables` lead to its servers."""

    store: str
    root: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def open(self) -> ProductStore:
        """A new object of the store; in a process of its own, which gets the variables."""
        os.environ.update(self.variables)
        match self.store:
            case "lake":
                return LakeStore(self.root, attestor=self.attestor)
            case "warehouse":
                return WarehouseStore(self.root, self.attestor)
            case "lake-s3":
                from shared_resources.stores.lake.on_s3 import s3_lake

                return s3_lake(self._production().settings, self.root, attestor=self.attestor)
            case "snowflake":
                from shared_resources.object_store.local_copies import LocalCopies

                connect = self._production().settings.snowflake_connection
                copies = LocalCopies(self.root / "copies")
                return SnowflakeStore(connect, self.root, copies, self.attestor)
            case name:
                raise ValueError(f"{name!r} is no store under test; there are {', '.join(STORES)}")

    @property
    def attestor(self) -> Attestor:
        """Beside the store, in a folder that is none of its products'."""
        return Attestor(AttestationFolder(self.root.with_name(f"{self.root.name}-attestations")))

    def branch(self, name: str, store: ProductStore | None = None) -> BranchStore:
        """The store of a branch over this place, or over the given object of its store."""
        base = store or self.open()
        return BranchStore(base, sharing_of(base), name)

    def _production(self) -> ProductionEnvironment:
        settings = read_settings(self.variables)
        return ProductionEnvironment(root=self.root, home=self.root, settings=settings)


def sharing_of(store: ProductStore) -> VersionSharing:
    """What lets products of the store share versions."""
    match store:
        case LakeStore():
            return LakeSharing(store)
        case WarehouseStore():
            return WarehouseSharing(store)
        case SnowflakeStore():
            return SnowflakeSharing(store)
    raise ValueError(f"{store} is no store under test")
