"""What a release is made of: immutable, complete, and called by what is in it."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from shared_resources.releasing.contents import NotReleasable, release_files
from shared_resources.releasing.differences import differences, platform_of
from shared_resources.releasing.environments import EnvironmentNotBuilt, Environments
from shared_resources.releasing.releases import KEPT, Releases, UnknownRelease
from shared_resources.repositories.platform_wheel import running_version
from tests.releasing.projects import COLUMNS, build, lines, project, register, write_lock
from tests.tiny_mesh import TinyMesh, column


def test_it_holds_one_domain_and_what_that_needs(mesh: TinyMesh) -> None:
    project(mesh)
    models = mesh.root / "dbt_project"
    for file in ("dbt_project.yml", "macros/m.sql", "models/order/a.sql", "models/sales/b.sql"):
        (models / file).parent.mkdir(parents=True, exist_ok=True)
        (models / file).write_text("")
    cache = mesh.root / "domains/order/__pycache__"
    cache.mkdir()
    (cache / "definitions.pyc").write_text("")
    release = build(mesh)
    assert sorted(release.files) == [
        "dbt_project/dbt_project.yml",
        "dbt_project/macros/m.sql",
        "dbt_project/models/order/a.sql",
        "domains/governance.yaml",
        "domains/order/definitions.py",
        "domains/order/domain.yaml",
        "domains/order/products/lines/contract.odcs.yaml",
        "requirements.lock",
    ]
    for name in release.files:
        assert (release.root / name).read_bytes() == (mesh.root / name).read_bytes()
        assert stat.S_IMODE((release.root / name).stat().st_mode) == stat.S_IRUSR
    assert not set(release_files(mesh.root, "order", central=False)) & {"domains/governance.yaml"}


def test_the_same_files_are_the_same_release_and_others_another(mesh: TinyMesh) -> None:
    project(mesh)
    releases = Releases(mesh.environment.home)
    first = build(mesh)
    assert build(mesh) == first == releases.get("order", first.digest[:8])
    assert releases.of("order") == (first,)
    mesh.product("order/lines", lines(version="1.0.1"))
    second = build(mesh)
    write_lock(mesh, "dagster-data-mesh==0.1.0\npolars==2.0.0\n", "order")
    third = build(mesh)
    assert len({first.digest, second.digest, third.digest}) == 3
    assert second.environment == first.environment != third.environment
    assert "domains/order/requirements.lock" in third.files
    assert releases.of("order") == (first, second, third)
    assert {one.name for one in first.place.parent.iterdir() if one.is_dir()} == {
        one.digest for one in (first, second, third)
    }


def test_it_says_from_which_commit_it_was_made(mesh: TinyMesh) -> None:
    project(mesh)
    assert (build(mesh).commit, build(mesh).changed) == ("", False)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", "-C", mesh.root, *who, *command], check=True)
    mesh.product("order/lines", lines(version="1.0.1"))
    release = build(mesh)
    assert len(release.commit) == 40 and release.changed


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: (root / "requirements.lock").unlink(), "no requirements.lock in .*make lock"),
        (lambda root: (root / "domains/order/x.py").symlink_to("/etc/hosts"), "leads out of"),
    ],
)
def test_what_cannot_be_released_is_refused_and_leaves_nothing(
    mesh: TinyMesh, spoil: object, words: str
) -> None:
    project(mesh)
    spoil(mesh.root)  # type: ignore[operator]
    with pytest.raises(NotReleasable, match=words):
        build(mesh)
    assert Releases(mesh.environment.home).of("order") == ()


@pytest.mark.parametrize("name", ["", ".", "..", "../mesh/domains/order", "/etc", "source_systems"])
def test_a_name_that_is_none_of_a_domain_makes_nothing(mesh: TinyMesh, name: str) -> None:
    project(mesh)
    before = sorted(mesh.environment.home.rglob("*"))
    with pytest.raises(NotReleasable, match="there is no domain"):
        build(mesh, name)
    releases = Releases(mesh.environment.home)
    assert releases.of(name) == () and mesh.environment.registry.history(name) == ()
    with pytest.raises(UnknownRelease):
        releases.get(name, "a")
    assert sorted(mesh.environment.home.rglob("*")) == before


@pytest.mark.parametrize("name", ["", "..", "/x", "***", "zzz", "f" * 65, "order"])
def test_a_release_that_there_is_not_is_named(mesh: TinyMesh, name: str) -> None:
    project(mesh)
    build(mesh)
    with pytest.raises(UnknownRelease, match="mesh deploy --list"):
        Releases(mesh.environment.home).get("order", name)


def test_a_release_that_was_damaged_is_made_again(mesh: TinyMesh) -> None:
    project(mesh)
    release = build(mesh)
    for damage in ("domain.yaml", "products/lines/contract.odcs.yaml"):
        file = release.root / "domains" / "order" / damage
        file.chmod(0o600)
        file.write_text("name: other\n")
        assert build(mesh) == release or build(mesh).files == release.files
        assert file.read_bytes() == (mesh.root / "domains" / "order" / damage).read_bytes()


def test_half_a_release_is_none(mesh: TinyMesh) -> None:
    project(mesh)
    release = build(mesh)
    file = release.place / "release.json"
    for text in ("", "[]", "{}", '{"at": 1}'):
        file.chmod(0o600)
        file.write_text(text)
        with pytest.raises(UnknownRelease, match="no whole release"):
            Releases(mesh.environment.home).get("order", release.digest)


def test_what_deploying_would_change_is_said(mesh: TinyMesh) -> None:
    project(mesh)
    release = build(mesh)
    assert not differences(mesh.environment, release)
    mesh.product("order/lines", lines(COLUMNS[0], column("price"), version="2.0.0"))
    (mesh.root / "domains/order/helpers.py").write_text("")
    (mesh.root / "requirements.lock").write_text(
        "dagster-data-mesh==0.2.0\npolars==2.0.0\nnumpy==2.3.0\n"
    )
    found = differences(mesh.environment, release)
    assert found.contracts == (
        "~ order/lines 1.0.0 -> 2.0.0: breaks: column amount is gone; column price is new",
    )
    assert found.files == (
        "+ domains/order/helpers.py",
        "~ domains/order/products/lines/contract.odcs.yaml",
    )
    assert found.packages == ("numpy absent -> 2.3.0", "polars 2.1.0 -> 2.0.0")
    assert found.platform == (f"{release.platform} -> 0.2.0",)
    assert found.consumers == ()  # nobody is deployed who reads it


@pytest.mark.parametrize(
    ("lock", "version"),
    [
        ("dagster-data-mesh[deploy]==0.2.0 \\\n    --hash=sha256:00\n", "0.2.0"),
        (
            "dagster-data-mesh @ file:///w/dagster_data_mesh-0.3.0+abc-py3-none-any.whl\n",
            "0.3.0+abc",
        ),
        ("polars==2.0.0\n", running_version()),
    ],
)
def test_the_platform_that_a_lock_comes_to_is_known(lock: str, version: str) -> None:
    assert platform_of(lock) == version


def test_whom_deploying_would_hit_is_said(mesh: TinyMesh) -> None:
    project(mesh)
    register(mesh, "order", "sales")
    release = build(mesh)
    mesh.product("order/lines", lines(COLUMNS[0], column("price"), version="2.0.0"))
    hit = ("order/lines: column amount is gone, which breaks sales/sums (amount)",)
    assert differences(mesh.environment, release).consumers == hit
    # What the project says of a consumer counts where it is deployed with it, and only there.
    product = mesh.root / "domains/sales/products/sums/product.py"
    product.write_text(product.read_text().replace('columns=["amount"]', 'columns=["price"]'))
    assert differences(mesh.environment, release).consumers == hit
    assert differences(mesh.environment, release, ["order", "sales"]).consumers == ()
    shutil.rmtree(mesh.root / "domains/order/products/lines")
    gone = ("order/lines is gone, and is read by sales/sums",)
    assert differences(mesh.environment, release).consumers == gone


def test_a_damaged_release_keeps_nothing_else_from_being_forgotten(mesh: TinyMesh) -> None:
    project(mesh)
    releases = Releases(mesh.environment.home)
    other = build(mesh, "sales")
    built = []
    for number in range(KEPT + 3):
        mesh.product("order/lines", lines(version=f"1.0.{number}"))
        built.append(build(mesh))
    assert releases.damaged() == ()
    unused = releases.environments.folder / ("f" * 64)
    unused.mkdir()
    for broken in (other, built[5]):
        (broken.place / "release.json").chmod(0o600)
        (broken.place / "release.json").write_text("{")
    assert releases.forget("order", {built[0].digest}) == tuple(built[1:2])
    assert releases.of("order") == (built[0], *built[2:5], *built[6:])
    assert unused.is_dir()  # in which environment the damaged one runs nobody knows
    first, second = releases.damaged()
    assert str(built[5].place) in first and "deploy 'order' again" in first
    assert str(other.place) in second and "deploy 'sales' again" in second
    for broken in (other, built[5]):
        shutil.rmtree(broken.place)
    mesh.product("order/lines", lines(version="1.1.0"))
    build(mesh)
    assert releases.forget("order", ()) == (built[0], built[2])
    assert not unused.exists()


def test_a_lock_that_cannot_be_installed_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("polars==2.1.0\n")  # without a hash
    environments = Environments(tmp_path / "environments")
    with pytest.raises(EnvironmentNotBuilt, match="hash"):
        environments.make(lock, tmp_path / "wheels")
    assert [one for one in (tmp_path / "environments").iterdir() if one.is_dir()] == []
