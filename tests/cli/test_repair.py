"""`mesh repair`, and what every other command says before it was run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import MESH, call, start
from tests.guarantees.orders import KEY, land_orders
from tests.guarantees.orders import orders_product as product
from tests.stores.losing import remember
from tests.stores.places import Place
from tests.tiny_mesh import TinyMesh


def published_twice(mesh: TinyMesh) -> list[Path]:
    product(mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success
    land_orders(mesh, [2.0, 3.0])
    assert mesh.run(KEY).success
    return catalog_files(mesh)


def catalog_files(mesh: TinyMesh) -> list[Path]:
    return sorted((mesh.environment.home / "lake").glob("catalog.db*"))


def everything(mesh: TinyMesh) -> set[Path]:
    return {path for path in (mesh.environment.home / "lake" / KEY).rglob("*.*") if path.is_file()}


@pytest.mark.parametrize("with_its_log", [True, False])
def test_a_deleted_catalog_is_made_anew_from_what_lies_in_the_lake(
    mesh: TinyMesh, with_its_log: bool
) -> None:
    files = published_twice(mesh) if with_its_log else published_twice(mesh)[:1]
    before = everything(mesh)
    for file in files:
        file.unlink()
    land_orders(mesh, [4.0])
    assert not mesh.run(KEY).success
    call("read", KEY).refused(f"mesh repair {KEY}", ".metadata.json", code=1)
    cleaned = call("housekeeping")
    assert cleaned.code == 1 and f"mesh repair {KEY}" in cleaned.err
    assert everything(mesh) >= before
    told = call("repair", "--dry-run", "--json")
    assert told.code == 0 and [row["product"] for row in told.json] == [KEY]
    assert call("read", KEY).code == 1
    assert call("repair").code == 0
    assert call("repair", "--json").json == []
    assert len(call("versions", KEY, "--json").json) == 2
    assert "3.0" in call("read", KEY).out
    assert mesh.run(KEY).success
    assert [version.number for version in mesh.versions(KEY)] == [1, 2, 3]


def test_an_older_catalog_is_seen_by_status_though_what_it_serves_is_whole(mesh: TinyMesh) -> None:
    product(mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success
    put_back = remember(Place("lake", mesh.environment.home / "lake"))
    land_orders(mesh, [2.0, 3.0])
    assert mesh.run(KEY).success
    assert call("status").code == 0
    put_back()
    told = call("status")
    assert told.code == 1 and f"mesh repair {KEY}" in told.out


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500])
def test_a_catalog_that_is_no_database_is_said_to_be_that(mesh: TinyMesh, content: bytes) -> None:
    database, *others = published_twice(mesh)
    for file in (database, *others):
        file.unlink()
    database.write_bytes(content)
    call("read", KEY).refused("catalog.db", "mesh repair", code=1)
    if content:
        assert call("repair").code == 1
        database.unlink()
    assert call("repair").code == 0
    assert len(call("versions", KEY, "--json").json) == 2


@pytest.mark.slow
def test_a_deleted_state_database_does_no_harm(mesh: TinyMesh) -> None:
    """Versions, evidence and rows are the stores'; a run that is made again replaces, and adds none."""
    published_twice(mesh)
    (mesh.environment.home / "state.db").unlink()
    told = call("landing", "--json")
    assert (told.code, told.err) == (0, "")
    assert start("run", KEY).code == 0
    assert [len(mesh.rows(KEY, version.number)) for version in mesh.versions(KEY)] == [1, 2, 2]
    assert call("status").code == 0


@pytest.mark.slow
def test_a_mesh_that_may_only_be_read_is_read(mesh: TinyMesh) -> None:
    """On a file system that is mounted read-only, by processes of their own."""
    published_twice(mesh)
    home = mesh.environment.home
    only_read = f"mount --bind {home} {home} && mount -o remount,ro,bind {home} && "
    inside = ["unshare", "--mount", "sh", "-c"]
    if subprocess.run([*inside, only_read + "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    shown = f"{MESH} read {KEY} && {MESH} status && {MESH} versions {KEY} && {MESH} quarantine list"
    done = subprocess.run([*inside, only_read + shown], capture_output=True, text=True)
    # Who read is said where it cannot be noted.
    said = "the access log cannot be written now (Read-only file system); it is kept\n"
    assert (done.returncode, done.stderr) == (0, said)
    assert "3.0" in done.stdout
