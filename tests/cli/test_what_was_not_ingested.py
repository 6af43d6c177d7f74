"""Whatever lies below a prefix and was not ingested is named, with the reason, until it is settled."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

import dagster as dg
import pytest

from shared_resources.cli.not_ingested import notes_after_run
from shared_resources.running.pending import NothingLanded, UpToDate, tasks_of
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, column, contract_text

KEY = "shop/items"
SPAN = {"cadence": "daily", "column": "day", "start": "2026-01-01", "end": "2027-01-01"}
HOUR = 3600.0


def product(mesh: TinyMesh, object_: str) -> None:
    daily = "{partition}" in object_
    mode = "partition" if daily else "replace"
    landing = {"prefix": KEY, "format": "csv", "mode": mode, "object": object_}
    properties = {"landing": landing, **({"partitions": SPAN} if daily else {})}
    columns = [column("id"), column("day", "DATE")]
    mesh.product(KEY, contract_text(KEY, columns, properties=properties))


def land(mesh: TinyMesh, name: str, row: int = 1, *, hours: float = 0.0) -> None:
    """Land an object that says that it was written so many hours from now."""
    file = mesh.land(name if "/" in name else f"{KEY}/{name}", f"id,day\n{row},2026-03-01\n")
    if hours:
        os.utime(file, (time.time() + hours * HOUR,) * 2)


def tick(mesh: TinyMesh) -> str:
    """A sensor's tick without its runs; what it said."""
    definitions = mesh.definitions("shop")
    sensor = definitions.resolve_sensor_def("shop_landing")
    with dg.build_sensor_context(instance=mesh.instance, definitions=definitions) as context:
        assert isinstance(sensor(context), dg.SensorResult)
    return str(call("landing", KEY, "--json").json[0]["said"])


def by_hand(mesh: TinyMesh) -> str:
    """What `mesh run` looks at, and what it says in the end."""
    with contextlib.suppress(UpToDate, NothingLanded):
        if not tasks_of(mesh.environment, KEY, None)[0].partitions:
            assert mesh.run(KEY).success
    return "; ".join(notes_after_run(mesh.environment, [KEY]).get(KEY, []))


def named(*options: str) -> dict[str, dict[str, Any]]:
    (row,) = call("landing", KEY, *options, "--json").json
    assert row["passed_over_count"] == sum(one["settled"] is None for one in row["passed_over"])
    return {one["key"]: one for one in row["passed_over"]}


@pytest.mark.parametrize("look", [tick, by_hand])
@pytest.mark.parametrize(
    ("object_", "name", "why"),
    [
        ("{partition}.csv", "2026-02-29.csv", "is no day"),
        ("{partition}.csv", "2025-12-31.csv", "lies before the product's first partition"),
        ("{partition}.csv", "2027-01-01.csv", "lies after the product's last partition"),
        ("{partition}.csv", "2026-03-01.csv.gz", "its name does not match"),
        ("d={partition}/data.csv", "d%3D2026-03-01/data.csv", "its name does not match"),
        ("*.csv", "notes.txt", "its name does not match"),
        ("*.csv", "deep/er/a.csv", "its name does not match"),
        ("*.csv", "old.csv", "new.csv is newer"),
    ],
)
def test_what_was_passed_over_is_named_with_the_reason(
    mesh: TinyMesh, look: Any, object_: str, name: str, why: str
) -> None:
    product(mesh, object_)
    if object_ == "*.csv":
        land(mesh, f"{KEY}/new.csv")
    land(mesh, f"{KEY}/{name}", hours=-5)
    said = look(mesh)
    assert f"not ingested: {KEY}/{name}: " in said and why in said
    assert why in named()[f"{KEY}/{name}"]["reason"]
    assert f"{KEY}/{name} is not ingested" in call("landing").out


@pytest.mark.parametrize("look", [tick, by_hand])
def test_it_is_settled_once_by_name_and_reason(
    mesh: TinyMesh, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    product(mesh, "*.csv")
    land(mesh, "new.csv")
    for name in ("a.txt", "old.csv"):
        land(mesh, name, hours=-5)
    look(mesh)
    assert set(named()) == {f"{KEY}/a.txt", f"{KEY}/old.csv"}
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    told = call("landing", "settle", KEY, f"{KEY}/a.txt", "--reason", "the till's")
    assert told.code == 0 and f"{KEY}/a.txt is settled" in told.out
    assert set(named()) == {f"{KEY}/old.csv"} and "a.txt" not in look(mesh)
    call("landing", "settle", KEY, "--everything", "--reason", "all of it")
    assert named() == {} and look(mesh).count("not ingested") == 0
    every = named("--all")
    assert every[f"{KEY}/a.txt"]["settled"]["reason"] == "the till's"
    assert every[f"{KEY}/old.csv"]["settled"]["by"] == "ada"
    assert "(settled by ada: the till's)" in call("landing", KEY, "--all").out

    land(mesh, "a.txt", 2)
    assert "a.txt" in look(mesh), "what is written anew is named again"


def test_what_is_gone_or_meant_after_all_is_not_named(mesh: TinyMesh) -> None:
    product(mesh, "*.csv")
    land(mesh, "new.csv")
    for name in ("a.txt", "b.txt", "old.csv"):
        land(mesh, name, hours=-5)
    tick(mesh)
    assert len(named()) == 3
    for name in ("a.txt", "old.csv"):
        (mesh.environment.landing_zone.root / KEY / name).unlink()  # type: ignore[attr-defined]
    product(mesh, "*.*")
    tick(mesh)
    assert set(named()) == {f"{KEY}/b.txt"}
    assert "new.csv is newer" in named()[f"{KEY}/b.txt"]["reason"]


def test_objects_below_no_prefix_are_named(mesh: TinyMesh) -> None:
    product(mesh, "*.csv")
    land(mesh, "shop/itemz/a.csv")
    land(mesh, "shop/items.csv")
    land(mesh, "zzz/deep/b.csv")
    land(mesh, "good.csv")
    said = call("landing").out
    assert all(
        f"outside: {key} is not ingested: lies below no product's prefix" in said
        for key in ("shop/itemz/a.csv", "shop/items.csv", "zzz/deep/b.csv")
    )
    assert "good.csv" not in said
    call("landing", "settle", "outside", "zzz/deep/b.csv", "--reason", "another team's")
    row = call("landing", "--json").json[-1]
    assert [one["key"] for one in row["passed_over"]] == ["shop/items.csv", "shop/itemz/a.csv"]
    assert len(call("landing", "--all", "--json").json[-1]["passed_over"]) == 3


def test_wrong_use_is_said(mesh: TinyMesh) -> None:
    product(mesh, "*.csv")
    key = f"{KEY}/a.txt"
    call("landing", "settle", KEY, key).refused("--reason")
    call("landing", "settle", KEY, key, "--reason", " ").refused("say why")
    call("landing", "settle", KEY, "--reason", "x").refused("--everything")
    call("landing", "settle", KEY, key, "--reason", "x").refused("no object that was passed over")
    call("landing", "settle", "shop/itms", key, "--reason", "x").refused("did you mean shop/items?")


@pytest.mark.parametrize("seen_before", [False, True], ids=["both new", "one after the other"])
@pytest.mark.parametrize("look", [tick, by_hand])
def test_an_object_from_the_future_holds_nothing_back(
    mesh: TinyMesh, look: Any, seen_before: bool
) -> None:
    product(mesh, "*.csv")
    land(mesh, "odd.csv", 1, hours=30 * 24)
    if seen_before:
        said = look(mesh)
        assert f"odd: {KEY}/odd.csv: its modification time" in said and "lies in the future" in said
        assert named()[f"{KEY}/odd.csv"]["odd"]
        assert mesh.run(KEY, tags={"mesh/object": f"{KEY}/odd.csv"}).success
    time.sleep(0.02)
    land(mesh, "later.csv", 2)
    look(mesh)
    assert mesh.run(KEY, tags={"mesh/object": f"{KEY}/later.csv"}).success
    assert [row["id"] for row in mesh.rows(KEY)] == [2]
    assert mesh.run(KEY).success, "of both it is the newer one by hand, too"
    assert [row["id"] for row in mesh.rows(KEY)] == [2]


def test_it_is_named_in_production_too(production_mesh: TinyMesh) -> None:
    product(production_mesh, "*.csv")
    for name in ("new.csv", "notes.txt", "elsewhere/x.csv"):
        land(production_mesh, name)
    tick(production_mesh)
    assert set(named()) == {f"{KEY}/notes.txt"}
    assert "outside: elsewhere/x.csv is not ingested" in call("landing").out
