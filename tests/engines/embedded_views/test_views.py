"""Views for a stock DuckDB: what each reader sees of both stores, and that they follow versions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from shared_resources.access.door import Reader, open_for
from shared_resources.access.grants import NoAgreement
from shared_resources.access.log import log_of
from shared_resources.access.masking_key import hmac_keys
from shared_resources.access.principal import principal_named
from shared_resources.data_products.publishing import rollback
from shared_resources.engines.applying import apply_to, plan_for
from shared_resources.engines.difference import Plan
from shared_resources.engines.embedded_views import file as views_file
from shared_resources.engines.embedded_views.file import UnreadableViews
from shared_resources.engines.embedded_views.following import follow
from shared_resources.engines.engine import AccessEngine
from shared_resources.engines.shares import shares_of
from shared_resources.mesh import read_mesh
from tests.access.test_door import PEOPLE, PURPOSES, ROLES, agree, people_contract
from tests.cli.commands import call
from tests.engines.people import renamed
from tests.tiny_mesh import TinyMesh, custom, failures

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
KEY = "crm/people"
SEEN = {**ROLES, "once": {"columns": ["id", "email"], "masks": {"email": "sha-256-query-local"}}}


@pytest.fixture(params=["lake", "warehouse"])
def people(mesh: TinyMesh, request: pytest.FixtureRequest) -> Iterator[TinyMesh]:
    mesh.central(purposes=PURPOSES, open=["public"])
    mesh.product(KEY, people_contract(request.param, roles=SEEN))
    mesh.domain("marketing")
    mesh.land(f"{KEY}/people.parquet", PEOPLE)
    done = mesh.run(KEY)
    assert done.success, failures(done)
    yield mesh


def engine(mesh: TinyMesh) -> AccessEngine:
    return mesh.environment.engines["duckdb"]


def plan(mesh: TinyMesh, *, prune: bool = False, now: datetime = NOW) -> Plan:
    return plan_for(engine(mesh), shares_of(read_mesh(mesh.root), now), prune=prune)


def apply(mesh: TinyMesh, *, prune: bool = False, now: datetime = NOW) -> list[str]:
    return [str(one.action) for one in apply_to(engine(mesh), plan(mesh, prune=prune, now=now))]


def views(mesh: TinyMesh, reader: str = "marketing", purpose: str = "care") -> Path:
    return mesh.environment.home / "access" / "views" / reader / f"{purpose}.duckdb"


def seen(file: Path, product: str = KEY) -> list[dict[str, Any]]:
    with duckdb.connect(file, read_only=True) as connection:
        table = connection.sql(f"FROM {product.replace('/', '.')} ORDER BY id").to_arrow_table()
    return [dict(row) for row in table.to_pylist()]


@contextmanager
def opened_elsewhere(file: Path) -> Iterator[Callable[[], int]]:
    """The file kept open by a process that has nothing but DuckDB, asked how many rows it sees."""
    code = (
        "import duckdb, sys\n"
        "connection = duckdb.connect(sys.argv[1], read_only=True)\n"
        "for _ in sys.stdin:\n"
        "    print(connection.sql('FROM crm.people').to_arrow_table().num_rows, flush=True)\n"
    )
    command = [sys.executable, "-I", "-c", code, str(file)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None and other.stdout is not None

        def count() -> int:
            assert other.stdin is not None and other.stdout is not None
            other.stdin.write("?\n")
            other.stdin.flush()
            return int(other.stdout.readline())

        yield count
        other.stdin.close()


def through_the_door(mesh: TinyMesh, who: str = "marketing") -> list[dict[str, Any]]:
    snapshot = open_for(mesh.environment, KEY, Reader(principal_named(who), "care"))
    return sorted(snapshot.batches().read_all().to_pylist(), key=lambda row: row["id"])


@pytest.mark.parametrize("roles", [*([role] for role in ROLES), ["north", "south"]], ids=str)
def test_a_view_shows_what_the_door_shows(people: TinyMesh, roles: list[str]) -> None:
    agree(people, "marketing", *roles, ends=NOW + DAY, starts=NOW - DAY)
    assert not engine(people).in_use
    assert apply(people) == ["make"]
    assert engine(people).in_use
    assert seen(views(people)) == through_the_door(people)
    assert not plan(people).differs
    assert apply(people) == []


def test_it_follows_every_new_version_and_an_open_file_stays_with_its_own(
    people: TinyMesh,
) -> None:
    agree(people, "marketing", "everything")
    agree(people, "agent:bot", "pseudonymous")
    assert apply(people) == ["make", "make"]
    (bot,) = (file for file in views(people).parents[1].glob("agent-bot-*/care.duckdb"))
    before, hashed = seen(views(people)), seen(bot)
    with opened_elsewhere(views(people)) as count:
        assert count() == 3
        people.land(f"{KEY}/people.parquet", PEOPLE.slice(1))
        assert people.run(KEY).success
        assert [row["id"] for row in seen(views(people))] == [2, 3]
        assert [row["id"] for row in seen(bot)] == [2, 3]
        assert count() == 3
    assert not plan(people).differs
    contract = read_mesh(people.root).product(KEY).contract
    assert contract is not None
    rollback(people.environment, contract, 1, by="crm@example.com")
    assert (seen(views(people)), seen(bot)) == (before, hashed)
    assert not plan(people).differs


def test_the_masking_key_stands_in_no_file(people: TinyMesh) -> None:
    agree(people, "marketing", "pseudonymous")
    apply(people)
    content = views(people).read_bytes()
    for half in hmac_keys(people.environment):
        assert half not in content
        assert half.hex().encode() not in content
    assert b"ann@example.com" not in content
    assert {one.by for one in log_of(people.environment.home).readings(KEY)} >= {
        "mesh access apply"
    }


def test_a_hash_for_one_reading_joins_within_it_and_in_no_other(people: TinyMesh) -> None:
    agree(people, "marketing", "once")
    apply(people)
    with duckdb.connect(views(people), read_only=True) as connection:
        once, again = (
            connection.sql("SELECT email FROM crm.people ORDER BY id").fetchall() for _ in range(2)
        )
    assert once[1] == again[1] == (None,)
    assert {once[0], once[2]}.isdisjoint({again[0], again[2]})
    assert not plan(people).differs


def test_an_agreement_outside_its_time_shows_an_error_and_no_row(people: TinyMesh) -> None:
    agree(people, "marketing", "everything", ends=NOW - DAY)
    agree(people, "agent:bot", "everything", starts=NOW + DAY)
    apply(people, now=NOW - 2 * DAY)
    with pytest.raises(duckdb.Error, match=r"ended .*ask for a longer one: mesh access request"):
        seen(views(people))
    (bot,) = views(people).parents[1].glob("agent-bot-*/care.duckdb")
    with pytest.raises(duckdb.Error, match="begins"):
        seen(bot)
    assert [item.consumer for item in plan(people).kept] == ["marketing"]
    assert apply(people, prune=True) == ["remove"]
    assert not views(people).exists()
    assert bot.exists()


def test_rows_through_the_door_wait_until_it_opens(people: TinyMesh) -> None:
    agree(people, "marketing", "pseudonymous", starts=NOW + DAY)
    planned = plan(people)
    assert not planned.changes
    assert "apply then" in planned.withheld[0].why


def test_what_is_not_published_is_withheld(mesh: TinyMesh) -> None:
    mesh.central(purposes=PURPOSES)
    mesh.product(KEY, people_contract("lake"))
    mesh.domain("marketing")
    agree(mesh, "marketing", "everything")
    assert "not published yet" in plan(mesh).withheld[0].why


def test_a_changed_role_and_a_changed_view_are_put_right(people: TinyMesh) -> None:
    first = agree(people, "marketing", "everything")
    apply(people)
    first.unlink()
    agree(people, "marketing", "north")
    with duckdb.connect(views(people)) as connection:
        connection.execute("CREATE OR REPLACE VIEW crm.people AS SELECT 1 AS id")
        connection.execute("CREATE VIEW crm.mine AS SELECT 2 AS id")
    planned = plan(people)
    assert [str(change.action) for change in planned.changes] == ["replace"]
    assert [item.product for item in planned.kept] == ["crm/mine"]
    assert str(views(people)) in engine(people).words(planned.changes[0])[0]
    apply(people, prune=True)
    assert seen(views(people)) == through_the_door(people)
    assert not plan(people, prune=True).differs


def test_who_dies_while_he_writes_has_changed_nothing(
    people: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = agree(people, "marketing", "everything")
    apply(people)
    before = seen(views(people))
    first.unlink()
    agree(people, "marketing", "north")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(views_file, "sync_all", killed)
        patched.setattr(shutil, "rmtree", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            apply(people)
    assert seen(views(people)) == before
    assert list(views(people).parent.glob(".*.making"))
    assert apply(people) == ["replace"]
    assert [file.name for file in views(people).parent.iterdir()] == ["care.duckdb"]
    assert seen(views(people)) == through_the_door(people)


def test_a_version_that_cannot_be_followed_leaves_the_one_before(
    people: TinyMesh, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    agree(people, "marketing", "everything")
    apply(people)

    def full(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(views_file, "sync_all", full)
        people.land(f"{KEY}/people.parquet", PEOPLE.slice(0, 1))
        assert people.run(KEY).success
    assert "still show the version before (OSError)" in caplog.text
    assert len(seen(views(people))) == 3
    assert [str(change.action) for change in plan(people).changes] == ["replace"]
    follow(people.environment, KEY)
    assert len(seen(views(people))) == 1


def test_a_view_that_the_next_version_does_not_fit_goes(
    people: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = agree(people, "marketing", "everything")
    apply(people)

    def other(*_: object) -> None:
        raise NoAgreement("it is of other columns")

    with monkeypatch.context() as patched:
        patched.setattr("shared_resources.engines.embedded_views.views.view_of", other)
        follow(people.environment, KEY)
    assert not views(people).exists()
    follow(people.environment, KEY)  # none stands: none is made
    assert not views(people).exists()
    apply(people)
    file.unlink()
    follow(people.environment, KEY)
    assert [item.consumer for item in plan(people).kept] == ["marketing"]
    assert apply(people, prune=True) == ["remove"]


def test_a_file_that_is_no_database_is_named(people: TinyMesh) -> None:
    agree(people, "marketing", "everything")
    apply(people)
    views(people).write_bytes(b"no database")
    with pytest.raises(UnreadableViews, match=r"care\.duckdb cannot be read .* remove it"):
        plan(people)


def test_rows_that_are_gone_are_made_again(people: TinyMesh) -> None:
    agree(people, "marketing", "pseudonymous")
    apply(people)
    with duckdb.connect(views(people)) as connection:
        ((table,),) = connection.sql("SELECT table_name FROM duckdb_tables()").fetchall()
        connection.execute(f'DROP TABLE "mesh.rows"."{table}"')
    assert apply(people) == ["replace"]
    assert seen(views(people)) == through_the_door(people)


def test_a_note_that_somebody_else_wrote_is_none(people: TinyMesh) -> None:
    agree(people, "marketing", "everything")
    apply(people)
    for note in ("not json", json.dumps([1])):
        with duckdb.connect(views(people)) as connection:
            connection.execute(f"COMMENT ON VIEW crm.people IS '{note}'")
        assert not plan(people).differs


def test_who_is_erased_is_in_no_file_of_views(people: TinyMesh) -> None:
    contract = yaml.safe_load(people_contract("lake", "warehouse", roles=SEEN))
    (key, *_) = contract["schema"][0]["properties"]
    key["customProperties"] = custom(subject="customer")
    people.product(KEY, yaml.safe_dump(contract, sort_keys=False))
    people.land(f"{KEY}/people.parquet", PEOPLE.set_column(0, "id", pa.array([111111, 2, 3])))
    assert people.run(KEY).success
    agree(people, "marketing", "pseudonymous")
    agree(people, "agent:bot", "everything")
    ended = agree(people, "agent:gone", "pseudonymous")
    apply(people)
    ended.unlink()
    (bot,) = views(people).parents[1].glob("agent-bot-*/care.duckdb")
    (gone,) = views(people).parents[1].glob("agent-gone-*/care.duckdb")
    for died in (f".{gone.name}.00.making", ".other.duckdb.00.making"):
        gone.with_name(died).mkdir()
        (gone.with_name(died) / gone.name).write_bytes(gone.read_bytes())
    erased = call("erase", "--subject", "111111")
    assert erased.code == 0, erased
    assert [[row["id"] for row in seen(file)] for file in (views(people), bot)] == [[2, 3], [2, 3]]
    assert {*views(people).parents[1].glob("*/*")} == {views(people), bot}


def test_a_file_of_views_that_cannot_be_made_anew_is_left_by_an_erasure(people: TinyMesh) -> None:
    contract = yaml.safe_load(people_contract("lake", "warehouse", roles=SEEN))
    contract["schema"][0]["properties"][0]["customProperties"] = custom(subject="customer")
    people.product(KEY, yaml.safe_dump(contract, sort_keys=False))
    agree(people, "marketing", "pseudonymous")
    apply(people)
    views(people).write_bytes(b"no database")
    erased = call("erase", "--subject", "2")
    assert erased.code == 1 and "LEFT views marketing/care.duckdb" in erased.err, erased


def test_a_file_that_cannot_be_read_keeps_no_other_reader_behind(people: TinyMesh) -> None:
    agree(people, "agent:bot", "everything")
    agree(people, "marketing", "everything")
    apply(people)
    (bot,) = views(people).parents[1].glob("agent-bot-*/care.duckdb")
    for broken, whole in ((bot, views(people)), (views(people), bot)):
        kept = broken.read_bytes()
        broken.write_bytes(b"no database")
        people.land(f"{KEY}/people.parquet", PEOPLE.slice(1 if broken == bot else 2))
        assert people.run(KEY).success
        assert len(seen(whole)) == (2 if broken == bot else 1)
        broken.write_bytes(kept)


def test_who_may_not_read_a_file_reads_none_that_is_being_made(
    people: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(people, "marketing", "pseudonymous")
    apply(people)
    views(people).chmod(0o600)
    modes: list[int] = []
    once = views_file.sync_all

    def look(paths: list[Path], folder: Path) -> None:
        modes.extend(path.parent.stat().st_mode & 0o777 for path in paths)
        once(paths, folder)

    monkeypatch.setattr(views_file, "sync_all", look)
    people.land(f"{KEY}/people.parquet", PEOPLE.slice(1))
    assert people.run(KEY).success
    assert modes == [0o700] and views(people).stat().st_mode & 0o777 == 0o600
    assert [row["id"] for row in seen(views(people))] == [2, 3]


@pytest.mark.parametrize("mask", ["mask-to-fixed-value", "keyed-hash"])
def test_a_former_name_is_in_the_view_while_it_is_served(people: TinyMesh, mask: str) -> None:
    """Behind the same mask as the present one, over a version from before the rename, too."""
    sees = {"columns": ["id", "address"], "masks": {"address": mask}}
    file = people.root / "domains" / "crm" / "products" / "people" / "contract.odcs.yaml"
    text = file.read_text()
    file.write_text(renamed(text, {"reader": sees}, {"name": "email", "until": "2099-12-31"}))
    agree(people, "marketing", "reader")
    assert apply(people) == ["make"]
    rows = seen(views(people))
    assert rows == through_the_door(people) and len(rows) == 3
    assert all([*row] == ["id", "address", "email"] for row in rows)
    assert all(row["address"] == row["email"] for row in rows)
    file.write_text(renamed(text, {"reader": sees}, "email"))
    assert plan(people).differs
    apply(people)
    assert [*seen(views(people))[0]] == ["id", "address"]
