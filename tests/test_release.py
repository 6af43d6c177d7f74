"""The versions of what the platform stands on are those that are installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import pytest

from shared_resources.release import RELEASE_FILE, domain_release, version_of


def test_every_installed_distribution_has_the_version_that_it_says() -> None:
    names = {one.name for one in distributions()}
    assert len(names) > 20
    assert {name: version_of(name) for name in names} == {name: version(name) for name in names}


def test_it_is_found_however_its_name_is_spelt() -> None:
    said = version("open-data-contract-standard")
    assert version_of("Open.Data_Contract-Standard") == said


def test_a_folder_whose_name_tells_no_version_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "far-offices.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: far\nVersion: 3.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert version_of("far") == "3.1"


def test_what_is_not_installed_is_said() -> None:
    with pytest.raises(PackageNotFoundError):
        version_of("nobody-made-this")


@pytest.mark.parametrize(
    ("said", "release"),
    [
        ('{"digest": "ab12"}', "ab12"),
        ('{"digest": "other"}', None),
        ('{"digest": ["ab12"]}', None),
        ("{}", None),
        ("no JSON", None),
        (None, None),
    ],
)
def test_a_domains_release_is_called_by_its_digest(
    said: str | None, release: str | None, tmp_path: Path
) -> None:
    root = tmp_path / "ab12" / "files"
    root.mkdir(parents=True)
    if said is not None:
        (root.parent / RELEASE_FILE).write_text(said)
    assert domain_release(root) == release
