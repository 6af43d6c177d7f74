"""A mesh with attested versions, put back as it was before each test that changes its files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attesting.attested import Attested, attested_mesh
from tests.tiny_mesh import TinyMesh, tiny_mesh


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TinyMesh, Path, Path]]:
    folder = tmp_path_factory.mktemp("attested")
    keys = folder / "keys"
    with pytest.MonkeyPatch.context() as patch, tiny_mesh(folder) as mesh:
        attested_mesh(mesh, keys, patch)
        shutil.copytree(mesh.environment.home, folder / "before", symlinks=True)
        yield mesh, folder / "before", keys


@pytest.fixture
def attested(published: tuple[TinyMesh, Path, Path]) -> Attested:
    mesh, before, keys = published
    home = mesh.environment.home
    shutil.rmtree(home)
    shutil.copytree(before, home, symlinks=True)
    return Attested(mesh.root, home, keys)
