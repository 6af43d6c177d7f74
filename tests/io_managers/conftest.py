"""The stores under test: each test of the protocol runs on every one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.io_managers.lake import LakeStore
from shared_resources.io_managers.protocol import ProductStore
from shared_resources.io_managers.warehouse import WarehouseStore

STORES: dict[str, type[LakeStore] | type[WarehouseStore]] = {
    "lake": LakeStore,
    "warehouse": WarehouseStore,
}


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ProductStore:
    return STORES[request.param](tmp_path / request.param)


@pytest.fixture
def lake(tmp_path: Path) -> LakeStore:
    return LakeStore(tmp_path / "lake")


@pytest.fixture
def warehouse(tmp_path: Path) -> WarehouseStore:
    return WarehouseStore(tmp_path / "warehouse")
