"""`mesh new ci`: what it writes is what CI takes, and calls `mesh ci` as it can be called."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from shared_resources.cli.commands.teams.branch import drop
from shared_resources.cli.commands.teams.ci import ci
from tests.cli.commands import call
from tests.reviewing.repositories import git, shop
from tests.tiny_mesh import TinyMesh

WRITTEN = {
    "github": ".github/workflows/mesh-review.yml",
    "gitlab": ".gitlab/mesh-review.yml",
    "shell": ".ci/mesh-review",
}


@pytest.fixture
def repository(mesh: TinyMesh) -> Path:
    return shop(mesh).root


@pytest.mark.parametrize("place", WRITTEN)
def test_what_is_written_calls_the_command_with_options_that_it_has(
    repository: Path, place: str
) -> None:
    assert call("new", "ci", place).code == 0
    text = (repository / WRITTEN[place]).read_text()
    every = [
        shlex.split(re.split(r" \|\| | > ", called)[0])
        for called in re.findall(r"^.*bin/mesh ci (.*)$", text, re.MULTILINE)
    ]
    options = {one for option in ci.params for one in option.opts}
    for words in every:
        ci.make_context("ci", [*words])  # refuses what it does not know
        assert {word for word in words if word.startswith("--")} <= options
    assert any("--branch" in words for words in every)
    (ended,) = re.findall(r"bin/mesh branch drop (.*)$", text, re.MULTILINE)
    drop.make_context("drop", shlex.split(ended))
    again = call("new", "ci", place)
    again.refused(WRITTEN[place], "there already")


def test_the_steps_of_a_workflow_are_bash_and_their_base_is_no_text_of_others(
    repository: Path,
) -> None:
    call("new", "ci", "github")
    told = yaml.safe_load((repository / WRITTEN["github"]).read_text())
    steps = [*told["jobs"]["review"]["steps"], *told["jobs"]["end"]["steps"]]
    assert steps[0]["with"]["fetch-depth"] == 0
    for step in steps:
        # A branch may be called what a shell would run: it comes by the environment.
        assert "${{" not in step.get("run", "")
        checked = subprocess.run(["bash", "-n"], input=step.get("run", ""), text=True)
        assert checked.returncode == 0


def test_a_file_of_gitlab_that_is_there_stays_and_is_told_to_include_the_job(
    repository: Path,
) -> None:
    mine = repository / ".gitlab-ci.yml"
    mine.write_text("test: {script: [make test]}\n")
    told = call("new", "ci", "gitlab")
    assert mine.read_text().startswith("test:") and "include it" in told.out
    (repository / WRITTEN["gitlab"]).unlink()
    mine.unlink()
    call("new", "ci", "gitlab")
    assert yaml.safe_load(mine.read_text()) == {"include": [{"local": WRITTEN["gitlab"]}]}
    reports = yaml.safe_load((repository / WRITTEN["gitlab"]).read_text())
    assert {*reports["mesh-review"]["artifacts"]["reports"]} == {"codequality", "junit"}


def test_the_script_runs_and_ends_as_the_review_does(repository: Path) -> None:
    call("new", "ci", "shell")
    (repository / "Makefile").write_text("setup:\n\t@true\n")
    tools = repository / ".venv" / "bin"
    tools.mkdir(parents=True)
    mesh = Path(click.__file__).parents[4] / "bin" / "mesh"
    (tools / "mesh").write_text(f'#!/bin/sh\nexec {mesh} "$@" --static --no-tests\n')
    (tools / "mesh").chmod(0o755)
    script = repository / WRITTEN["shell"]
    done = subprocess.run([script, "main"], env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (repository / "mesh-ci.md").read_text().startswith("## mesh ci: passed")
    lost = subprocess.run([script, "nowhere"], env=dict(os.environ), capture_output=True, text=True)
    assert lost.returncode == 2 and "git fetch origin nowhere" in lost.stderr
    assert git(repository, "status", "--porcelain", ".ci") == "?? .ci/"


def test_without_a_repository_nothing_is_written(mesh: TinyMesh) -> None:
    call("new", "ci", "github").refused("git init")
    assert not (mesh.root / ".github").exists()
