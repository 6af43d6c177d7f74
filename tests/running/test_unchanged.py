"""What `mesh run` makes again, and what stays as it is: each reason by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pyarrow as pa
import pytest

from shared_resources.evidence import keys
from shared_resources.evidence.record import Evidence, ReplayOf, RolledBack
from shared_resources.running.at_rest import at_rest
from shared_resources.running.input_changes import InputChanges, _by_versions
from shared_resources.stores.protocol import Version
from shared_resources.stores.versions import stamp, version_of
from tests.guarantees.orders import COLUMNS, KEY, land_orders, orders_table
from tests.running.whole_runs import (
    LINES,
    PER_DAY,
    SUMS,
    extract,
    function,
    lines,
    mesh_run,
    per_day,
    rolled_back,
    sums,
    unchanged,
)
from tests.tiny_mesh import TinyMesh, column, contract_text


def land_lines(mesh: TinyMesh, day: str, *amounts: float) -> None:
    days = pa.array([date.fromisoformat(day)] * len(amounts), pa.date32())
    table = orders_table(list(amounts)).append_column("day", days)
    mesh.land(f"{LINES}/{day}.parquet", table)


def two_products(mesh: TinyMesh) -> None:
    extract(mesh)
    sums(mesh)
    land_orders(mesh, [1.0, 2.0])
    assert mesh_run(mesh) == {KEY: True, SUMS: True}
    assert unchanged(mesh_run(mesh)) == {KEY, SUMS}


def test_nothing_is_made_again_and_no_location_is_needed(mesh: TinyMesh) -> None:
    two_products(mesh)
    wanted = {KEY: (), SUMS: (KEY,)}
    assert at_rest(mesh.environment, wanted) == {
        KEY: "nothing new has landed",
        SUMS: "what it reads, its code and its contract are as they were",
    }
    definitions = mesh.root / "domains/sales/definitions.py"
    definitions.write_text(definitions.read_text().replace("__file__", "__file__, jobs=[]"))
    assert set(at_rest(mesh.environment, wanted)) == {KEY}, "its own jobs are known when it loads"
    definitions.write_text("defs = 1\n")
    assert set(at_rest(mesh.environment, wanted)) == {KEY}, "it does not load"
    land_orders(mesh, [3.0])
    assert at_rest(mesh.environment, wanted) == {}


@pytest.mark.slow
def test_again_makes_what_is_unchanged(mesh: TinyMesh) -> None:
    two_products(mesh)
    assert mesh_run(mesh, again=True) == {KEY: True, SUMS: True}


CHANGES: dict[str, tuple[Callable[[TinyMesh], None], set[str]]] = {
    "another extract": (lambda mesh: land_orders(mesh, [3.0]), {KEY, SUMS}),
    "code": (lambda mesh: sums(mesh, 2), {SUMS}),
    "contract": (lambda mesh: sums(mesh, more="# for people\n"), {SUMS}),
    "the input's contract": (lambda mesh: extract(mesh, "# for people\n"), {KEY, SUMS}),
    "always": (lambda mesh: sums(mesh, alwaysRun=True), {SUMS}),
    "rollback": (lambda mesh: rolled_back(mesh, SUMS, 1), {SUMS}),
    "rollback of the input": (lambda mesh: rolled_back(mesh, KEY, 1), {KEY, SUMS}),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_is_made_again_and_then_is_unchanged(mesh: TinyMesh, change: str) -> None:
    two_products(mesh)
    changed, again = CHANGES[change]
    changed(mesh)
    assert {KEY, SUMS} - unchanged(mesh_run(mesh)) == again
    after = unchanged(mesh_run(mesh))
    assert after == ({KEY} if change == "always" else {KEY, SUMS})


@pytest.mark.slow
def test_an_owner_knows_better_than_the_words_of_the_code(mesh: TinyMesh) -> None:
    two_products(mesh)
    for vouched in (None, False):
        sums(mesh, **({} if vouched is None else {"alwaysRun": vouched}))
        code = mesh.root / "domains/sales/products/sums/product.py"
        code.write_text("import time\n" + code.read_text())
        assert mesh_run(mesh)[SUMS] is True
        assert (SUMS in unchanged(mesh_run(mesh))) is (vouched is False)


@pytest.mark.slow
def test_a_waiver_makes_it_again(mesh: TinyMesh) -> None:
    extract(mesh)
    text = contract_text(SUMS, (*COLUMNS, column("note", "VARCHAR")))
    function(mesh, SUMS, text, 'orders.with_columns(note=pl.lit("a"))', orders=KEY)
    land_orders(mesh, [1.0])
    assert mesh_run(mesh) == {KEY: True, SUMS: True}
    waiver = {
        "policy": "no_undeclared_personal_data",
        "product": "sums",
        "reason": "They are made up.",
        "approver": "governance@example.com",
        "expires": date.today(),
    }
    mesh.domain("sales", waivers=[waiver])
    assert unchanged(mesh_run(mesh)) == {KEY}
    assert unchanged(mesh_run(mesh)) == {KEY, SUMS}


@pytest.mark.slow
def test_a_version_of_an_earlier_release_is_made_again_once(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Evidence.properties
    with monkeypatch.context() as earlier:
        earlier.setattr(
            Evidence,
            "properties",
            lambda self: {k: v for k, v in written(self).items() if k != keys.CODE},
        )
        extract(mesh)
        sums(mesh)
        land_orders(mesh, [1.0])
        assert mesh_run(mesh) == {KEY: True, SUMS: True}
    assert unchanged(mesh_run(mesh)) == {KEY}, "an ingest has no code that could have changed"
    assert unchanged(mesh_run(mesh)) == {KEY, SUMS}


@pytest.mark.slow
def test_what_was_refused_is_tried_again(mesh: TinyMesh) -> None:
    two_products(mesh)
    sums(mesh, -1)
    assert mesh_run(mesh)[SUMS] is False
    assert mesh_run(mesh)[SUMS] is False
    sums(mesh)
    # What readers see is of that very code; but the last word is a refusal.
    assert mesh_run(mesh)[SUMS] is True
    assert unchanged(mesh_run(mesh)) == {KEY, SUMS}


def three_days(mesh: TinyMesh) -> list[str]:
    days = ["2024-01-01", "2024-01-02", "2024-01-03"]
    lines(mesh)
    per_day(mesh)
    for day in days:
        land_lines(mesh, day, 1.0, 2.0)
    assert mesh_run(mesh) == {LINES: days, PER_DAY: days}
    assert unchanged(mesh_run(mesh)) == {LINES, PER_DAY}
    return days


def test_one_corrected_day_is_one_day_of_its_consumers(mesh: TinyMesh) -> None:
    first, second, third = three_days(mesh)
    land_lines(mesh, second, 5.0)
    assert mesh_run(mesh) == {LINES: [second], PER_DAY: [second]}
    # The days that were not made again know what they were made of by an earlier version.
    land_lines(mesh, third, 7.0)
    assert mesh_run(mesh, LINES) == {LINES: [third]}
    land_lines(mesh, first, 9.0)
    assert mesh_run(mesh) == {LINES: [first], PER_DAY: [first, third]}
    assert unchanged(mesh_run(mesh)) == {LINES, PER_DAY}
    assert mesh.rows(PER_DAY) and sorted(r["amount"] for r in mesh.rows(PER_DAY)) == [5.0, 7.0, 9.0]
    per_day(mesh, 2)
    assert mesh_run(mesh)[PER_DAY] == [first, second, third]


@pytest.mark.slow
def test_a_rolled_back_input_is_read_again_on_all_days(mesh: TinyMesh) -> None:
    days = three_days(mesh)
    land_lines(mesh, days[1], 5.0)
    assert mesh_run(mesh) == {LINES: [days[1]], PER_DAY: [days[1]]}
    rolled_back(mesh, LINES, 1)
    # What landed was ingested: the rollback of an ingest of days is somebody's decision, and stays.
    assert mesh_run(mesh) == {LINES: "nothing new has landed", PER_DAY: days}
    assert unchanged(mesh_run(mesh)) == {LINES, PER_DAY}
    rolled_back(mesh, PER_DAY, 1)
    assert mesh_run(mesh)[PER_DAY] == days


@pytest.mark.slow
def test_a_refused_day_is_tried_again_when_its_contract_has_changed(mesh: TinyMesh) -> None:
    days = three_days(mesh)
    land_lines(mesh, "2024-01-04", -1.0)
    assert mesh_run(mesh, LINES) == {LINES: False}
    assert unchanged(mesh_run(mesh, LINES)) == {LINES}
    lines(mesh, "# for people\n")
    assert mesh_run(mesh, LINES) == {LINES: False}, "it may take it"
    assert unchanged(mesh_run(mesh, LINES)) == {LINES}, "it did not"
    land_lines(mesh, "2024-01-04", 1.0)
    assert mesh_run(mesh) == {LINES: ["2024-01-04"], PER_DAY: ["2024-01-04"]}
    assert len(mesh.rows(PER_DAY)) == 2 * len(days) + 1


def version(number: int, *days: str, **more: object) -> Version:
    """As a store writes and reads it."""
    evidence = Evidence("run", "1.0.0", "digest", (), partitions=days, **more)  # type: ignore[arg-type]
    of = 1 if evidence.rolled_back else None
    return version_of(LINES, "lake", "s", stamp(evidence, number, f"b{number}", 1, of))


@pytest.mark.parametrize(
    ("between", "known_since"),
    [
        (version(3, "a"), 0),
        (version(3, "a", rolled_back=RolledBack("why", "who")), 3),
        (version(3, "a", replay_of=ReplayOf("entry", "batch")), 3),
        (version(3, ""), 3),
        (None, 3),
    ],
    ids=["a day", "a rollback", "a replay", "no days", "expired"],
)
def test_changed_days_are_known_as_far_as_versions_tell(
    between: Version | None, known_since: int
) -> None:
    there = [version(1, "a", "b", "c"), version(2, "b"), between, version(4, "c")]
    changes = _by_versions("lake", [one for one in there if one is not None])
    assert changes.known_since == known_since
    assert not changes.changed("b", ("lake", 3)) and changes.changed("c", ("lake", 3))
    assert changes.changed("b", ("lake", 2)) is (known_since == 3)
    assert changes.changed("a", ("lake", 2))
    assert changes.changed("a", ("warehouse", 4)) and changes.changed("a", ("lake", 5))
    assert not changes.moved(("lake", 4)) and changes.moved(("lake", 3))
    assert InputChanges().changed("a", ("lake", 1))
