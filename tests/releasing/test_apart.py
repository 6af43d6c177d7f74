"""What a killed process had begun to make is removed; what a living one makes is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared_resources.releasing.apart import apart, sweep
from shared_resources.releasing.releases import Releases
from tests.releasing.projects import build, project
from tests.tiny_mesh import TinyMesh

MAKES = """\
import sys, time
from pathlib import Path
from shared_resources.releasing.apart import apart

with apart(Path(sys.argv[1])) as made:
    (made / "deep").mkdir(parents=True)
    (made / "deep" / "file").write_text("half")
    (made / "deep" / "file").chmod(0o400)
    (made / "deep").chmod(0o500)
    print("begun", flush=True)
    time.sleep(600)
"""


def begin(folder: Path) -> subprocess.Popen[str]:
    """A process that makes something there, and does not come to its end."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKES, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    return process


def half_made(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir() if one.is_dir()]


def test_what_is_put_in_its_place_stays_and_nothing_else(tmp_path: Path) -> None:
    with apart(tmp_path) as made:
        made.mkdir()
        assert sweep(tmp_path) == []
        made.rename(tmp_path / "whole")
    with pytest.raises(ValueError, match="no"), apart(tmp_path) as made:
        made.mkdir()
        raise ValueError("no")
    assert half_made(tmp_path) == ["whole"]


def test_what_killed_processes_left_goes_and_what_a_living_one_makes_stays(tmp_path: Path) -> None:
    killed, living = begin(tmp_path), begin(tmp_path)
    try:
        killed.kill()
        killed.wait()
        (tmp_path / ".old-environment").mkdir()
        (tmp_path / ".old-link").symlink_to(tmp_path.parent)
        (tmp_path / "whole").mkdir()
        assert len(half_made(tmp_path)) == 5
        assert len(sweep(tmp_path)) == 2
        (left,) = (one for one in half_made(tmp_path) if one != "whole")
        assert (tmp_path / left / "made" / "deep" / "file").read_text() == "half"
        assert tmp_path.parent.is_dir() and not (tmp_path / ".old-link").is_symlink()
    finally:
        living.kill()
        living.wait()
    assert len(sweep(tmp_path)) == 1 and half_made(tmp_path) == ["whole"]


def test_it_is_swept_wherever_releases_are_made(mesh: TinyMesh) -> None:
    project(mesh)
    release = build(mesh)
    releases = Releases(mesh.environment.home)
    folders = (release.place.parent, releases.environments.folder)
    for folder in folders:
        process = begin(folder)
        os.kill(process.pid, 9)
        process.wait()
    releases.sweep()
    for folder in folders:
        assert not [name for name in half_made(folder) if name.startswith(".")]
    assert releases.of("order") == (release,)
