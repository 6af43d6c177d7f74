"""What every registry does, in a folder and on S3 with a database: one suite for all of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared_resources.mesh import read_mesh
from shared_resources.mesh.promised import promise_digest, promise_of
from shared_resources.object_store.s3_objects import S3Objects
from shared_resources.registry.folder import FolderRegistry
from shared_resources.registry.registry import (
    CENTRAL,
    Entry,
    RegisteredMeanwhile,
    Registry,
    RegistryDamaged,
)
from shared_resources.registry.shared import SharedRegistry
from shared_resources.state.database import StateDatabase
from shared_resources.wiring import ProductionEnvironment
from tests.mesh_files import write_product

SUMS = """\
from shared_resources import data_product, product_input


@data_product(lines=product_input("order/lines", columns=["row_id"]))
def sums(lines):
    return lines
"""


@pytest.fixture(params=["folder", "sqlite", "postgres"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    if request.param == "folder":
        return FolderRegistry(tmp_path / "registry")
    production: ProductionEnvironment = request.getfixturevalue("production")
    state = StateDatabase(f"sqlite:///{tmp_path / 'state.db'}", tmp_path / "locks")
    if request.param == "postgres":
        state = StateDatabase(request.getfixturevalue("postgres").fresh(), tmp_path / "locks")
    objects, place = S3Objects(production.settings), production.settings.lake.url("_registry")
    return SharedRegistry(state, objects, place, tmp_path / "copies")


def promise(root: Path, name: str = "sales") -> tuple[Entry, dict[str, bytes]]:
    files = promise_of(read_mesh(root).domain(name))
    at = datetime(2026, 11, 29, 12, tzinfo=UTC)
    return Entry(name, promise_digest(files), "a" * 64, "0.1.0", "somebody", at), files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_product(tmp_path / "mesh", "order/lines")
    write_product(tmp_path / "mesh", "sales/sums", code=SUMS)
    return tmp_path / "mesh"


def test_a_domain_is_known_elsewhere_by_what_it_promised(
    registry: Registry, root: Path, tmp_path: Path
) -> None:
    assert registry.promised(None).promises == {} and registry.entries() == {}
    sales, files = promise(root)
    registry.register(sales, files, None)
    registry.register(*promise(root, "order"), None)
    assert registry.entries() == {"order": promise(root, "order")[0], "sales": sales}
    here = read_mesh(root).product("sales/sums")
    there = read_mesh(tmp_path / "elsewhere", registered=registry.promised)
    assert there.domain_names == ("order", "sales") and there.findings == ()
    assert there.own_products == ()
    known = there.product("sales/sums")
    assert known.contract is not None and here.contract is not None
    assert known.contract.columns == here.contract.columns
    assert (known.kind, known.reads) == (here.kind, ("order/lines",))
    assert [one.columns for one in known.inputs] == [("row_id",)]
    assert there.consumers("order/lines") == (known,)
    assert there.domain("sales").owner == "sales@example.com"


def test_only_what_is_referred_to_is_looked_at(registry: Registry, root: Path) -> None:
    for name in ("order", "sales"):
        registry.register(*promise(root, name), None)
    assert registry.promised({"order", "nobody"}).promises.keys() == {"order"}


def test_files_go_before_what_was_promised(registry: Registry, root: Path) -> None:
    registry.register(*promise(root, "order"), None)
    contract = root / "domains/order/products/lines/contract.odcs.yaml"
    contract.write_text(contract.read_text().replace("1.0.0", "1.1.0", 1))
    mesh = read_mesh(root, registered=registry.promised)
    assert not mesh.domain("order").registered
    assert mesh.product("order/lines").contract.version == "1.1.0"


def test_what_the_governance_team_registered_holds_where_its_file_is_not(
    registry: Registry, root: Path, tmp_path: Path
) -> None:
    files = {CENTRAL: b"approvers: [boss@example.com]\n"}
    entry = replace(promise(root)[0], domain=CENTRAL, promise=promise_digest(files))
    registry.register(entry, files, None)
    assert registry.entries() == {}
    assert registry.promised(()).promises == {}
    for place in (root, tmp_path / "elsewhere"):
        central = read_mesh(place, registered=registry.promised).central
        assert central.approvers == ("boss@example.com",)
    (root / "domains" / CENTRAL).write_text("approvers: [we@example.com]\n")
    central = read_mesh(root, registered=registry.promised).central
    assert central.approvers == ("boss@example.com",)
    (found,) = central.findings
    assert "mesh registry govern" in found.remedy


def test_a_later_entry_is_in_force_and_the_earlier_ones_stay_known(
    registry: Registry, root: Path
) -> None:
    first, files = promise(root)
    second = replace(first, release="b" * 64)
    gone = replace(second, promise="")
    registry.register(first, files, None)
    registry.register(second, files, first)
    assert registry.entries() == {"sales": second}
    registry.register(gone, None, second)
    assert registry.entries() == {} and registry.promised(None).promises == {}
    registry.register(first, None, None)
    assert registry.history("sales") == (first, second, gone, first)
    assert registry.promised(None).promises.keys() == {"sales"}


def test_of_two_who_register_at_once_one_is_told(registry: Registry, root: Path) -> None:
    first, files = promise(root)
    registry.register(first, files, None)

    def one(release: str) -> bool:
        try:
            registry.register(replace(first, release=release * 64), files, first)
        except RegisteredMeanwhile as problem:
            assert "somebody registered release" in str(problem)
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one, "bcde")) == 1
    assert len(registry.history("sales")) == 2


def test_another_promise_than_the_entrys_is_not_kept(registry: Registry, root: Path) -> None:
    entry, files = promise(root)
    with pytest.raises(RegistryDamaged, match="not the one of its entry"):
        registry.register(entry, {**files, "domain.yaml": b"name: other\n"}, None)
    assert registry.entries() == {}


def test_a_promise_that_was_changed_on_disk_is_a_finding(root: Path, tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path / "registry")
    registry.register(*promise(root), None)
    place = registry.promised(None).promises["sales"]
    contract = place / "products" / "sums" / "contract.odcs.yaml"
    for damage in (lambda: contract.write_text("name: other\n"), contract.unlink):
        damage()
        mesh = read_mesh(tmp_path / "elsewhere", registered=registry.promised)
        (found,) = mesh.findings
        assert "not the one that was registered" in found.message and "deploy" in found.remedy
        assert mesh.products == ()
    entry, files = promise(root)
    registry.register(replace(entry, release="b" * 64), files, entry)
    assert read_mesh(tmp_path / "elsewhere", registered=registry.promised).findings == ()


def test_a_file_of_entries_that_is_none_names_itself(root: Path, tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path / "registry")
    registry.register(*promise(root), None)
    file = tmp_path / "registry" / "domains" / "sales.json"
    for text in ("", "[]", "[1]", '[{"domain": "sales"}]', "{"):
        file.write_text(text)
        with pytest.raises(RegistryDamaged, match=r"sales\.json .*deploy 'sales' again"):
            registry.promised(None)


def test_a_load_asks_the_network_once(
    production: ProductionEnvironment, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = production.registry
    for name in ("order", "sales"):
        registry.register(*promise(root, name), None)
    asked: list[object] = []
    begin = production.state.begin
    monkeypatch.setattr(StateDatabase, "begin", lambda _: asked.append(1) or begin())
    monkeypatch.setattr(S3Objects, "client", None)  # S3 is not asked at all
    copies = SharedRegistry(
        production.state, S3Objects(production.settings), "s3://nowhere", tmp_path / "new"
    )
    assert read_mesh(tmp_path / "elsewhere", registered=copies.promised).findings == ()
    assert len(asked) == 1
