"""A repository is begun whole, or nothing of it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.repositories.begin import make_repository
from shared_resources.repositories.lock import NotLocked, make_lock
from shared_resources.scaffolding.new_files import NotMade
from tests.scaffolding.domains import finance


def test_where_something_is_already_nothing_is_begun(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    for place in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(NotMade, match="there already") as raised:
            make_repository(place, finance(), None)
        assert raised.value.exit_code == 2
    with pytest.raises(NotMade, match="is no folder"):
        make_repository(tmp_path / "nowhere" / "finance", finance(), None)
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("said", [{"name": "no-name"}, {"name": "Finance"}])
def test_what_the_mesh_refuses_leaves_nothing_behind(said: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotMade):
        make_repository(tmp_path / "empty", finance(**said), None)
    assert [one.name for one in tmp_path.iterdir()] == ["empty"]
    assert [*(tmp_path / "empty").iterdir()] == []


def test_what_cannot_be_locked_is_the_resolvers_message(tmp_path: Path) -> None:
    project = '[project]\nname = "x"\nversion = "1"\ndependencies = ["dagster-data-mesh==0.0.9"]\n'
    (tmp_path / "pyproject.toml").write_text(project)
    (tmp_path / "wheels").mkdir()
    with pytest.raises(NotLocked, match="dagster-data-mesh") as raised:
        make_lock(tmp_path)
    assert raised.value.exit_code == 1
    assert not (tmp_path / "requirements.lock").exists()
