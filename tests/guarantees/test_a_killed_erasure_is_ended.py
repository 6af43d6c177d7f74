"""Promise: wherever `mesh erase` is killed, `mesh erase --again` ends it, without being told whom.

Nobody who was to be erased is anywhere then, everybody else is still there and proven, and journal and
certificate say what happened.
"""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared_resources.environment import Environment
from shared_resources.evidence.erasures import journal
from tests.cli.commands import call
from tests.forkserver import ended, running
from tests.guarantees.processes import Death, child
from tests.guarantees.test_an_erased_subject_is_nowhere import contents
from tests.nightly import NIGHTLY
from tests.tiny_mesh import TinyMesh, column, contract_text, custom, tiny_mesh

PEOPLE, ORDERS = "shop/people", "shop/orders"
GONE = ["Q00001zx", "Q00002zx"]
KEPT = ["K00001zx", "K00002zx"]
KEY = column("person", "VARCHAR", required=True, customProperties=custom(subject="customer"))

R = "shared_resources"
KEEPS = [
    Death(f"{R}.registry.attestations:AttestationFolder.keep", time=n) for n in (1, 2, 4, 6, 8, 10)
]
STEPS = [
    Death(f"{R}.erasing.in_text:_clean_file"),
    Death(f"{R}.erasing.in_text:clean_sqlite"),
    Death(f"{R}.landing.zones.folder:FolderLandingZone.replace"),
    Death(f"{R}.landing.zones.folder:FolderLandingZone.replace", time=2),
    Death(f"{R}.arrivals.ledger.ledger:Ledger.took_the_place"),
    Death(f"{R}.governance.quarantine.folder:QuarantineFolder.rewrite"),
    Death(f"{R}.stores.lake.store:LakeStore.erase"),
    Death(f"{R}.stores.lake.committing.erasing:_note"),
    Death(f"{R}.stores.lake.committing.erasing:_commit"),
    Death("pyiceberg.catalog.sql:SqlCatalog.commit_table"),
    Death(f"{R}.stores.lake.committing.erasing:_finish", time=2),
    Death(f"{R}.stores.lake.committing.erasing:remove_unneeded"),
    Death(f"{R}.stores.embedded_warehouse.store:WarehouseStore.erase"),
    Death(f"{R}.stores.embedded_warehouse.erasing:build"),
    Death(f"{R}.stores.embedded_warehouse.manifests:Manifests.replace"),
    Death(f"{R}.stores.embedded_warehouse.manifests:Manifests.replace", time=2),
    Death(f"{R}.stores.embedded_warehouse.erasing:_Erasing.clear_up"),
    Death(f"{R}.stores.lake.store:LakeStore.rollback"),
    Death(f"{R}.erasing.in_stores:bring_level"),
    Death(f"{R}.erasing.carrying_out:renew"),
    Death(f"{R}.object_store.local_copies:LocalCopies.remove_all"),
    Death(f"{R}.reporting.outside_runs:report_version"),
]
QUICK = ("SqlCatalog.commit_table", "remove_all")
CASES = [
    pytest.param(
        Death(one.where, after, one.time),
        id=f"{'after' if after else 'before'} {one.where.rpartition(':')[2]} {one.time}",
        marks=[] if one.where.endswith(QUICK) and after else [pytest.mark.slow],
    )
    for one in (*STEPS, *KEEPS)
    for after in (False, True)
    if after is not (one in KEEPS) or NIGHTLY  # the moment after one is nearly that before the next
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TinyMesh, Path]]:
    folder = tmp_path_factory.mktemp("shop")
    with tiny_mesh(folder) as mesh:
        for key, name, stores in (
            (PEOPLE, "csv", ("lake", "warehouse")),
            (ORDERS, "csv", ("warehouse",)),
        ):
            age = column("age", logicalTypeOptions={"minimum": 0})
            landing = {"prefix": key, "format": name, "object": "*.csv"}
            properties = {"landing": landing, "lossBudgetPercent": 60}
            mesh.product(key, contract_text(key, [KEY, age], servers=stores, properties=properties))
        for day, who in enumerate(([*GONE, *KEPT], [GONE[0], *KEPT]), 1):
            rows = "".join(f"{one},{day}\n" for one in who)
            for key in (PEOPLE, ORDERS):
                mesh.land(f"{key}/2024-01-0{day}.csv", f"person,age\n{rows}{GONE[0]},-1\n")
                assert mesh.run(key).success
        home = mesh.environment.home
        (home / "logs").mkdir(exist_ok=True)
        (home / "logs" / "run.log").write_text(f"read {GONE[1]}\n")
        with closing(sqlite3.connect(home / "events.db")) as events, events:
            events.execute("CREATE TABLE event (body TEXT)")
            events.execute("INSERT INTO event VALUES (?)", [f"printed {GONE[0]}"])
        shutil.copytree(home, folder / "before", symlinks=True)
        yield mesh, folder / "before"


@pytest.fixture
def shop(published: tuple[TinyMesh, Path]) -> TinyMesh:
    mesh, before = published
    home = mesh.environment.home
    shutil.rmtree(home)
    shutil.copytree(before, home, symlinks=True)
    return mesh


def erase(environment: Environment) -> None:
    """The whole command, in a process of its own."""
    subjects = [word for one in GONE for word in ("--subject", one)]
    done = call("erase", *subjects, "--reason", "request 88")
    raise SystemExit(done.code)


def found_below(folder: Path) -> set[str]:
    keys = [one.encode() for one in GONE]
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file()
        and any(key in content for content in contents(path) if b"zx" in content for key in keys)
    }


def ends_consistently(mesh: TinyMesh) -> None:
    home, place = mesh.environment.home, mesh.environment.attestor.place
    assert place is not None
    assert found_below(home) == set()
    for number in (1, 2):
        for store in mesh.environment.stores.values():
            for key in (PEOPLE, ORDERS):
                if store.versions(key):
                    rows = store.open(key, number).batches(["person"]).read_all()
                    assert sorted(rows["person"].to_pylist()) == KEPT
    for key in (PEOPLE, ORDERS):
        verified = call("evidence", key, "--verify")
        assert verified.code == 0 and "REDACTED" in verified.out, verified
    entries = journal(place)
    assert entries and all(one.done_at is not None and one.left == () for one in entries)
    said = [place["place"] for one in entries for place in one.places]
    assert {"landing", "quarantine", "lake", "warehouse"} <= set(said)
    assert call("erase", "--again", "--json").json == []


@pytest.mark.parametrize("death", CASES)
def test_killed_at_a_step(shop: TinyMesh, death: Death) -> None:
    process = child(erase, shop.environment, death=death)
    with running(process):
        ended(process)
    if process.exitcode == 0 and death in KEEPS:
        pytest.skip("an erasure keeps less often than that")
    assert process.exitcode == -signal.SIGKILL, f"{death.where} is no step of an erasure any more"
    place = shop.environment.attestor.place
    assert place is not None
    if not journal(place):  # nothing was begun, and nothing is erased
        assert len(shop.rows(PEOPLE, 1)) == len([*GONE, *KEPT])
        assert call("evidence", PEOPLE, "--verify").code == 0
        return
    again = call("erase", "--again", "--json")
    assert again.code == 0, again
    for one in again.json:
        assert not any(key in json.dumps(one) for key in GONE)
    ends_consistently(shop)
