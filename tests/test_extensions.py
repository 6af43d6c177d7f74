"""Whoever adds something is found, wherever Python finds distributions."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from shared_resources.extensions import points
from tests.distributions import install
from tests.light import imported_of

GROUP = "dagster_data_mesh.rules"
POINT = "far = offices:KIND"


def named() -> list[str]:
    return [one.name for one in points(GROUP)]


def test_one_in_a_folder_is_found_from_when_it_is_on_the_search_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = named()
    folder = install(tmp_path / "site", "offices", "KIND = 1\n", rules=POINT, policies="near = x:Y")
    assert named() == before
    monkeypatch.syspath_prepend(folder)
    assert named() == [*before, "far"]
    (found,) = [one for one in points(GROUP) if one.name == "far"]
    assert (found.value, found.dist and found.dist.name) == ("offices:KIND", "offices")
    monkeypatch.undo()
    assert named() == before


def test_one_in_an_archive_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install(tmp_path / "site", "offices", "KIND = 1\n", rules=POINT)
    archive = tmp_path / "offices.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(folder.rglob("*")):
            packed.write(file, file.relative_to(folder))
    monkeypatch.syspath_prepend(archive)
    assert "far" in named()


def test_one_of_a_finder_of_its_own_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.metadata
    import sys

    folder = install(tmp_path / "site", "offices", "KIND = 1\n", rules=POINT)

    class Finder(importlib.metadata.DistributionFinder):
        def find_distributions(self, context=None):  # type: ignore[no-untyped-def]
            return iter([importlib.metadata.PathDistribution(folder / "offices-1.0.dist-info")])

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    monkeypatch.syspath_prepend(tmp_path)  # another search path: nothing of it was asked before
    assert "far" in named()


def test_where_nobody_adds_anything_the_import_system_is_not_asked() -> None:
    script = f"from shared_resources.extensions import points\nassert points({GROUP!r}) == []\n"
    assert imported_of(("importlib.metadata", "email"), script) == []
