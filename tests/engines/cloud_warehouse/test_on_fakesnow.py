"""What fakesnow does execute of it, over the real connector: which columns are published; and what a
person is told where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.engines.cloud_warehouse.engine import SnowflakeEngine
from shared_resources.engines.cloud_warehouse.live import published_columns
from shared_resources.stores.cloud_warehouse.session import SnowflakeProblem
from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from tests.stand_ins import StandIns
from tests.stand_ins.servers import environment
from tests.stores.places import Place
from tests.stores.products import contract, publish


def test_columns_of_published_products_are_found(stand_ins: StandIns, tmp_path: Path) -> None:
    place = Place("snowflake", tmp_path, stand_ins.fresh())
    with environment(place.variables):
        store = place.open()
        assert isinstance(store, SnowflakeStore)
        publish(store, contract(), "b1", [1, 2])
        assert published_columns(store.session, ["order", "nobody"]) == {
            "order/sales": ("id", "label", "amount")
        }
        assert published_columns(store.session, []) == {}
        with pytest.raises(SnowflakeProblem, match="SHOW DATABASE ROLES"):
            SnowflakeEngine(store.session).live()
