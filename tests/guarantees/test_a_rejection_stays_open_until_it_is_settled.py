"""What was rejected stays open until what takes its place is published, or someone closes it.

Versions are compared, never clocks: in half of these tests the clock goes back an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

import pyarrow.parquet as pq
import pytest

from shared_resources.housekeeping.tasks import Task, perform
from shared_resources.mesh import read_product
from shared_resources.stores import versions
from tests.cli.commands import call
from tests.guarantees.orders import (
    COLUMNS,
    KEY,
    LANDING,
    amounts,
    daily_orders_product,
    land_day,
    land_orders,
    orders_product,
)
from tests.tiny_mesh import TinyMesh, column, contract_text


@pytest.fixture(params=[timedelta(0), timedelta(hours=1)], ids=["clock", "clock went back"])
def later(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on everything is published later, or an hour earlier by the clock."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls.fromtimestamp((datetime.now(UTC) - request.param).timestamp(), tz)

    return lambda: monkeypatch.setattr(versions, "datetime", Clock)


def entries(*options: str) -> list[dict[str, object]]:
    told = call("quarantine", "list", KEY, *options, "--json")
    assert (told.code, told.err) == (0, "")
    return list(told.json)


def publish_day(mesh: TinyMesh, day: str, landed: list[float | None]) -> bool:
    land_day(mesh, day, landed)
    return mesh.run(KEY, partitions=[day]).success


def any_amount(mesh: TinyMesh) -> None:
    """Today's contract takes what it refused."""
    amount = column("amount", "DOUBLE", required=True)
    text = contract_text(KEY, (COLUMNS[0], amount), properties={"landing": LANDING})
    mesh.product(KEY, text)


def test_a_refused_extract_is_settled_by_the_next_one_that_is_published(
    mesh: TinyMesh, later: Callable[[], None]
) -> None:
    orders_product(mesh)
    land_orders(mesh, [-1.0])
    assert not mesh.run(KEY).success
    land_orders(mesh, [-1.0, -2.0])
    assert not mesh.run(KEY).success
    assert [entry["open"] for entry in entries()] == [True, True]

    later()
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success

    assert entries() == [] and "2 settled with --all" in call("quarantine", "list").out
    assert [entry["settled"] for entry in entries("--all")] == ["replaced by v1"] * 2
    assert "replaced by v1" in call("quarantine", "list", "--all").out
    any_amount(mesh)
    id_ = entries("--all")[0]["id"]
    call("quarantine", "replay", id_).refused("is older than version 1", code=1)
    assert amounts(mesh) == [1.0]
    details = call("quarantine", "show", id_, "--json").json
    assert (details["on_top_of"], details["replaced_by"], len(details["rows_shown"])) == (0, 1, 1)


def test_a_refused_day_is_settled_by_that_very_day(
    mesh: TinyMesh, later: Callable[[], None]
) -> None:
    daily_orders_product(mesh)
    assert publish_day(mesh, "2024-01-01", [1.0])
    for day in ("2024-01-01", "2024-01-02"):
        assert not publish_day(mesh, day, [-1.0])
    later()
    assert publish_day(mesh, "2024-01-03", [3.0])
    assert len(entries()) == 2, "another day settles nothing"
    assert publish_day(mesh, "2024-01-02", [2.0])
    (left,) = entries()
    assert call("quarantine", "show", left["id"], "--json").json["partitions"] == ["2024-01-01"]

    assert call("rollback", KEY, "--to", 2).code == 0
    assert len(entries()) == 2, "what settled it is not what readers see any more"
    assert call("rollback", KEY, "--to", 3).code == 0
    assert len(entries()) == 1, "and now it is again"


def test_rows_that_were_set_aside_are_settled_by_the_next_batch_and_not_by_their_own(
    mesh: TinyMesh, later: Callable[[], None]
) -> None:
    orders_product(mesh, lossBudgetPercent=50)
    later()
    land_orders(mesh, [1.0, -2.0, 3.0])
    assert mesh.run(KEY).success
    assert [entry["kind"] for entry in entries()] == ["rows"]
    land_orders(mesh, [1.0, 2.0, 3.0, -4.0])
    assert mesh.run(KEY).success
    (first, second) = entries("--all")
    assert (first["settled"], second["open"]) == ("replaced by v2", True)


def test_rows_that_were_set_aside_lie_in_quarantine_and_nowhere_else(mesh: TinyMesh) -> None:
    orders_product(mesh, lossBudgetPercent=50)
    land_orders(mesh, [1.0, -2.0, 3.0])
    assert mesh.run(KEY).success
    (entry,) = entries()
    assert entry["rows"] == 1
    home = mesh.environment.home
    held = {
        path: [row["amount"] for row in pq.read_table(path).to_pylist()]
        for path in home.rglob("*.parquet")
        if home / "landing" not in path.parents
    }
    assert [path.relative_to(home).parts[0] for path, found in held.items() if -2.0 in found] == [
        "quarantine"
    ]
    assert [found for path, found in held.items() if home / "quarantine" not in path.parents] == [
        [1.0, 3.0]
    ]


def test_what_settled_an_entry_is_known_after_it_has_expired(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    assert not publish_day(mesh, "2024-01-01", [-1.0])
    for day in ("2024-01-01", "2024-01-02", "2024-01-03"):
        assert publish_day(mesh, day, [1.0])
    product = read_product(mesh.environment, KEY)
    assert product is not None and product.contract is not None
    in_years = datetime.now(UTC) + timedelta(days=3_000)
    (done,) = perform(mesh.environment, product.contract, Task.EXPIRE, now=in_years)
    assert done.details["versions_removed"] == [1, 2]
    assert entries() == []
    assert [entry["settled"] for entry in entries("--all")] == ["replaced by v1"]


def test_somebody_closes_an_entry_once_and_the_reason_stays(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders_product(mesh)
    land_orders(mesh, [-1.0])
    assert not mesh.run(KEY).success
    (entry,) = entries()
    id_ = str(entry["id"])
    call("quarantine", "close", id_).refused("--reason")
    call("quarantine", "close", id_, "--reason", " ").refused("say why")
    call("quarantine", "close", "feed", "--reason", "gone").refused("the id of no entry")

    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    assert "is closed" in call("quarantine", "close", id_[:6], "--reason", "a test").out
    monkeypatch.setattr("getpass.getuser", lambda: "eve")
    again = call("quarantine", "close", id_, "--reason", "another")
    assert again.code == 0 and "settled already: closed by ada: a test" in again.out

    assert entries() == []
    (kept,) = entries("--all")
    assert (kept["open"], kept["settled"]) == (False, "closed by ada: a test")
    shown = call("quarantine", "show", id_, "--json").json
    assert (shown["closed"]["by"], len(shown["rows_shown"])) == ("ada", 1)
    any_amount(mesh)
    call("quarantine", "replay", id_).refused("was closed by ada", "--force", code=1)
    assert call("quarantine", "replay", id_, "--force").code == 0
    assert amounts(mesh) == [-1.0]
