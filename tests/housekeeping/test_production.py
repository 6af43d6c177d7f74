"""Housekeeping of a product on S3 and in Snowflake: the same tasks, the same promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared_resources.housekeeping.tasks import NOTHING, Done, Task, perform
from shared_resources.wiring import ProductionEnvironment
from tests.stores.products import contract, day, publish, published

DAILY = contract(partitioned=True, retention=timedelta(days=365))
LATER = timedelta(days=400)


@pytest.mark.slow
def test_a_product_of_both_stores_in_production(production: ProductionEnvironment) -> None:
    stores = production.stores_of(DAILY)
    for number in range(5):
        for store in stores:
            publish(store, DAILY, f"b{number}", {day(0): [number]}, append=True)

    def do(task: Task) -> dict[str, Done]:
        done = perform(production, DAILY, task, now=datetime.now(UTC) + LATER)
        return {one.place: one for one in done}

    lake, warehouse = (store.name for store in stores)
    assert do(Task.COMPACT)[lake].summary == "5 files → 1"
    assert {one.summary for one in do(Task.EXPIRE).values()} == {"versions 1 to 4 of 5"}
    assert do(Task.ORPHANS).keys() == {lake, warehouse}
    assert do(Task.QUARANTINE)["quarantine"].summary == NOTHING
    for store in stores:
        assert published(store, DAILY.key) == list(range(5))
        assert [version.number for version in store.versions(DAILY.key)] == [5]
        store.remove_orphans(DAILY.key, timedelta(0))
        assert publish(store, DAILY, "next", {day(1): [9]}).number == 6
        assert published(store, DAILY.key) == [*range(5), 9]
