"""The landing sensor: each object once, what was ingested by hand never, nothing ignored silently."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from shared_resources.contracts.model import LandingMode, Partitioning
from shared_resources.locations.sensing.landing_sensor import landing_sensor
from shared_resources.wiring import LocalEnvironment
from tests.arrivals.simulated import stands
from tests.landing.staging import landing_contract
from tests.tiny_mesh import TinyMesh, column, contract_text

EXTRACT = landing_contract("csv", object_name="*.csv")
DAILY = replace(
    landing_contract("csv", object_name="{partition}.csv", mode=LandingMode.PARTITION),
    partitioning=Partitioning("day", date(2026, 1, 1), date(2027, 1, 1)),
)
KEY = dg.AssetKey(["order", "lines"])


class Ticks:
    """A sensor, its cursor from tick to tick, and a landing zone to put objects into."""

    def __init__(self, contract: object, home: Path, zone: Path | None = None) -> None:
        self.environment = LocalEnvironment(root=home, home=home)
        self.sensor = landing_sensor("order", [contract], environment=lambda: self.environment)  # type: ignore[list-item]
        self.zone = (zone or self.environment.landing_zone.root) / "shop/items"
        self.cursor: str | None = None

    def put(self, name: str, second: int = 0) -> None:
        path = self.zone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f".{path.name}").write_text("id\n1\n")
        path.with_name(f".{path.name}").replace(path)
        os.utime(path, (1_700_000_000 + second,) * 2)

    def tick(self) -> dg.SensorResult:
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=self.cursor)
            result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def asked(self) -> list[dict[str, str]]:
        """The tags of the runs that a tick asks for, the partition among them."""
        return [
            {**request.tags, **({"partition": p} if (p := request.partition_key) else {})}
            for request in self.tick().run_requests or []
        ]


@pytest.fixture
def extract(tmp_path: Path) -> Ticks:
    return Ticks(EXTRACT, tmp_path)


@pytest.fixture
def daily(tmp_path: Path) -> Ticks:
    return Ticks(DAILY, tmp_path)


def test_the_sensor_is_named_and_runs_by_itself(extract: Ticks) -> None:
    sensor = extract.sensor
    assert sensor.name == "order_landing"
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 10


def test_a_new_object_is_asked_for_once(extract: Ticks) -> None:
    assert extract.tick().skip_reason is not None
    extract.put("a.csv")
    (request,) = extract.tick().run_requests or []
    assert request.asset_selection == [KEY]
    assert request.tags["mesh/object"] == "shop/items/a.csv"
    assert request.tags["mesh/product"] == "order/lines"
    assert extract.asked() == []


def test_a_replaced_object_is_asked_for_again_under_another_run_key(extract: Ticks) -> None:
    extract.put("a.csv")
    first = (extract.tick().run_requests or [])[0]
    extract.put("a.csv")
    second = (extract.tick().run_requests or [])[0]
    assert first.run_key != second.run_key
    assert first.tags == second.tags


def test_a_lost_cursor_gives_the_same_run_keys(extract: Ticks) -> None:
    """Dagster launches a run key once, so a cursor that was reset repeats nothing."""
    extract.put("a.csv")
    first = (extract.tick().run_requests or [])[0]
    extract.cursor = None
    assert (extract.tick().run_requests or [])[0].run_key == first.run_key


def test_of_several_extracts_the_newest_is_asked_for(extract: Ticks) -> None:
    extract.put("new.csv", 2)
    extract.put("old.csv", 1)
    assert [tags["mesh/object"] for tags in extract.asked()] == ["shop/items/new.csv"]
    assert extract.asked() == []
    extract.put("late.csv", 0)
    result = extract.tick()
    assert not result.run_requests
    assert "late.csv" in str(result.skip_reason)


def test_unmatched_objects_are_told_at_every_tick(extract: Ticks) -> None:
    extract.put("notes.txt")
    for _ in range(2):
        assert "notes.txt: its name does not match" in str(extract.tick().skip_reason)


def test_a_refused_link_is_told_and_keeps_the_cursor(extract: Ticks, tmp_path: Path) -> None:
    extract.put("a.csv")
    extract.asked()
    before = without_times(extract.cursor)
    (tmp_path / "secret.csv").write_text("secret")
    (extract.zone / "b.csv").symlink_to(tmp_path / "secret.csv")
    assert "leads out of the landing zone" in str(extract.tick().skip_reason)
    assert without_times(extract.cursor) == before


def without_times(cursor: str | None) -> dict[str, object]:
    told = stands(cursor)
    return {
        name: value
        for name, value in told.items()
        if name != "seen" and not name.endswith(("_at", "_seconds"))
    }


def days(first: str, count: int) -> list[str]:
    return [(date.fromisoformat(first) + timedelta(days=i)).isoformat() for i in range(count)]


def test_few_partitions_are_runs_of_their_own(daily: Ticks) -> None:
    for day in days("2026-03-01", 3):
        daily.put(f"{day}.csv")
    asked = daily.asked()
    assert [tags["partition"] for tags in asked] == days("2026-03-01", 3)
    assert asked[0]["mesh/object"] == "shop/items/2026-03-01.csv"


def test_many_partitions_in_a_row_are_one_run(daily: Ticks) -> None:
    for day in [*days("2026-03-01", 5), *days("2026-03-07", 2), *days("2026-04-01", 4)]:
        daily.put(f"{day}.csv")
    asked = daily.asked()
    start, end = (f"dagster/asset_partition_range_{edge}" for edge in ("start", "end"))
    assert [(tags.get(start), tags.get(end), tags.get("partition")) for tags in asked] == [
        ("2026-03-01", "2026-03-05", None),
        (None, None, "2026-03-07"),
        (None, None, "2026-03-08"),
        ("2026-04-01", "2026-04-04", None),
    ]
    assert daily.asked() == []
    daily.put("2026-03-02.csv")
    assert [tags["partition"] for tags in daily.asked()] == ["2026-03-02"]


def test_what_is_no_partition_is_told(daily: Ticks) -> None:
    for name in ("2026-02-30", "2025-12-31", "2027-01-01", "latest"):
        daily.put(f"{name}.csv")
    said = str(daily.tick().skip_reason)
    assert all(name in said for name in ("2026-02-30", "2025-12-31", "2027-01-01", "latest"))


def landing_mesh(mesh: TinyMesh, daily: bool) -> None:
    properties = {
        "landing": {
            "prefix": "shop/items",
            "format": "csv",
            "mode": "partition" if daily else "replace",
            "object": "{partition}.csv" if daily else "*.csv",
        }
    }
    if daily:
        span = {"column": "day", "start": "2026-01-01", "end": "2027-01-01"}
        properties["partitions"] = {"cadence": "daily", **span}
    columns = [column("id"), column("day", "DATE")]
    mesh.product("shop/items", contract_text("shop/items", columns, properties=properties))


def run_all(mesh: TinyMesh, cursor: str | None) -> tuple[str | None, int]:
    """One tick of the mesh's sensor, and its runs; the cursor and how many runs succeeded."""
    definitions = mesh.definitions("shop")
    sensor = definitions.resolve_sensor_def("shop_landing")
    with dg.build_sensor_context(
        instance=mesh.instance, cursor=cursor, definitions=definitions
    ) as context:
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    requests = result.run_requests or []
    for request in requests:
        partition = (request.partition_key,) if request.partition_key else ()
        assert mesh.run("shop/items", tags=request.tags, partitions=partition).success
    return result.cursor, len(requests)


@pytest.mark.parametrize("daily", [False, True])
def test_objects_are_ingested_by_their_runs_and_never_again(mesh: TinyMesh, daily: bool) -> None:
    landing_mesh(mesh, daily)
    folder = mesh.environment.landing_zone.root / "shop/items"
    folder.mkdir(parents=True)
    landed = days("2026-03-01", 5) if daily else ["one"]
    for i, name in enumerate(landed):
        (folder / f"{name}.csv").write_text(f"id,day\n{i},2026-03-0{i + 1}\n")
    cursor, runs = run_all(mesh, None)
    assert runs == 1
    assert [row["id"] for row in mesh.rows("shop/items")] == list(range(len(landed)))
    assert run_all(mesh, cursor)[1] == 0
    assert run_all(mesh, None)[1] == 0, "a new cursor must learn from what was published"


def test_a_refused_object_is_not_asked_for_again(mesh: TinyMesh) -> None:
    landing_mesh(mesh, daily=False)
    folder = mesh.environment.landing_zone.root / "shop/items"
    folder.mkdir(parents=True)
    (folder / "bad.csv").write_text("id,day\nseven,2026-03-01\n")
    assert not mesh.run("shop/items").success
    assert run_all(mesh, None)[1] == 0
    assert (folder / "bad.csv").exists()
    (folder / "good.csv").write_text("id,day\n7,2026-03-01\n")
    assert run_all(mesh, None)[1] == 1
    assert [row["id"] for row in mesh.rows("shop/items")] == [7]
