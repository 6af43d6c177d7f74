"""The stores under test: each test of the protocol runs on every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.protocol import ProductStore
from tests.stand_ins.servers import environment
from tests.stores.places import LOCAL, REMOTE, Place

Places = Callable[[str], Place]


@pytest.fixture
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Places]:
    """Makes an empty place for a store; servers are started only for a store that needs them."""
    with ExitStack() as stack:

        def make(store: str) -> Place:
            variables = {}
            if store in REMOTE:
                variables = request.getfixturevalue("stand_ins").fresh()
                stack.enter_context(environment(variables))
            return Place(store, tmp_path / store, variables)

        yield make


@pytest.fixture(params=[*LOCAL, *(pytest.param(store, marks=pytest.mark.slow) for store in REMOTE)])
def place(request: pytest.FixtureRequest, places: Places) -> Place:
    """An empty place, of each store in turn; what is said of those with servers is asked by the slow
    suite, unless a test is `everywhere`."""
    return places(request.param)


@pytest.fixture
def store(place: Place) -> ProductStore:
    return place.open()


@pytest.fixture
def lake(tmp_path: Path) -> LakeStore:
    return LakeStore(tmp_path / "lake")


@pytest.fixture
def warehouse(tmp_path: Path) -> WarehouseStore:
    return WarehouseStore(tmp_path / "warehouse")
