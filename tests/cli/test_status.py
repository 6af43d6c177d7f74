"""`mesh status`: what is published, and what became of the last batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared_resources.observing import product_health as module
from tests.cli.commands import call
from tests.guarantees.orders import COLUMNS, KEY, daily_orders_product, land_day, land_orders
from tests.guarantees.orders import orders_product as product
from tests.tiny_mesh import TinyMesh, contract_text

FIELDS = [
    "key",
    "domain",
    "owner",
    "contract_version",
    "rows",
    "published_at",
    "snapshot",
    "checks_passed",
    "checks_failed",
    "fresh",
    "health",
]
NEVER = {
    "kind": "never published",
    "reason": "it was never published",
    "remedy": f"`mesh run +{KEY}`",
    "names": [],
    "failing": False,
}


def row(key: str = KEY, *, code: int = 0) -> dict[str, object]:
    told = call("status", "--json")
    assert (told.code, told.err) == (code, "")
    (found,) = [one for one in told.json if one["key"] == key]
    return dict(found)


def test_a_row_a_product_with_the_fields_that_others_rely_on(mesh: TinyMesh) -> None:
    product(mesh)
    assert list(row()) == FIELDS
    assert row() == {
        **dict.fromkeys(FIELDS),
        "key": KEY,
        "domain": "order",
        "owner": "order@example.com",
        "contract_version": "1.0.0",
        "fresh": False,
        "health": {"state": "never published", "reasons": [NEVER]},
    }
    land_orders(mesh, [1.0, 2.0])
    result = mesh.run(KEY)
    found = row()
    assert (found["rows"], found["checks_failed"], found["fresh"]) == (2, 0, True)
    evaluated = [one.check_name for one in result.get_asset_check_evaluations()]
    assert found["checks_passed"] == len(evaluated) - 1 and "mesh_health" in evaluated
    assert found["health"] == {"state": "whole", "reasons": []}
    (version,) = mesh.versions(KEY)
    assert found["snapshot"] == version.snapshot
    assert datetime.fromisoformat(str(found["published_at"])) == version.published_at


def test_a_refused_batch_shows_the_checks_that_it_failed_until_a_good_one_is_published(
    mesh: TinyMesh,
) -> None:
    product(mesh)
    land_orders(mesh, [1.0])
    mesh.run(KEY)
    passed = row()["checks_passed"]
    land_orders(mesh, [-1.0, 2.0])
    assert not mesh.run(KEY).success

    found = row(code=1)

    assert isinstance(passed, int)
    assert (found["rows"], found["checks_failed"]) == (1, 1)
    assert found["checks_passed"] == passed - 1
    land_orders(mesh, [5.0, 6.0, 7.0])
    assert mesh.run(KEY).success
    assert (row()["rows"], row()["checks_failed"]) == (3, 0)


def test_a_refused_day_beside_good_ones_shows(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    land_day(mesh, "2024-01-01", [1.0])
    land_day(mesh, "2024-01-02", [-1.0])
    mesh.run(KEY, partitions=("2024-01-01", "2024-01-02"))
    assert (row(code=1)["rows"], row(code=1)["checks_failed"]) == (1, 1)


def test_what_was_published_too_long_ago_is_not_fresh(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    product(mesh)
    land_orders(mesh, [1.0])
    mesh.run(KEY)

    real = datetime

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return real.now(UTC) + timedelta(days=2, minutes=1)

    monkeypatch.setattr(module, "datetime", Later)
    assert row()["fresh"] is False


def test_a_contract_that_is_not_valid_keeps_its_row(mesh: TinyMesh) -> None:
    product(mesh)
    mesh.product("torn/rows", contract_text("torn/rows", COLUMNS) + "colour: blue\n")
    assert row("torn/rows", code=1)["contract_version"] is None
    assert row(code=1)["contract_version"] == "1.0.0"


def test_the_table_keeps_keys_whole(mesh: TinyMesh) -> None:
    long = "order/a_product_with_quite_a_long_name_that_someone_wants_to_copy"
    mesh.product(
        long,
        contract_text(
            long,
            COLUMNS,
            properties={
                "landing": {
                    "prefix": "order/long",
                    "format": "csv",
                    "mode": "replace",
                    "object": "*.csv",
                }
            },
        ),
    )
    told = call("status")
    assert told.code == 0
    assert any(line.startswith(long) for line in told.out.splitlines())
