"""Pages that somebody writes: what they link to and name is there."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from shared_resources.cli.main import mesh
from tests.architecture.tree import ROOT

PAGES = sorted(
    file.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "dbt_project/*.md")
    for file in ROOT.glob(pattern)
)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
COMMANDS = set(mesh.list_commands(click.Context(mesh)))


def text(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_path_that_a_page_links_to_is_there(page: Path) -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", text(page))
    assert [path for path in linked if not (ROOT / page.parent / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_place_in_a_page_that_a_page_links_to_is_there(page: Path) -> None:
    missing = []
    for path, heading in re.findall(r"\]\((?!http)([^)#]*)#([^)]+)\)", text(page)):
        other = text(page.parent / path) if path else text(page)
        headings = re.findall(r"^#+ (.*)$", other, re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings}
        if heading not in anchors:
            missing.append(f"{path}#{heading}")
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_make_target_that_a_page_names_is_there(page: Path) -> None:
    named = set(re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)(?: +#|$)", text(page), re.MULTILINE))
    assert {one or other for one, other in named} <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_mesh_command_that_a_page_names_is_there(page: Path) -> None:
    named = set(re.findall(r"`mesh ([a-z]+)|^mesh ([a-z]+)\b(?!.*\.$)", text(page), re.MULTILINE))
    assert {one or other for one, other in named} <= COMMANDS


def test_every_page_is_linked_to_from_another() -> None:
    linked = {
        (ROOT / page.parent / path).resolve()
        for page in PAGES
        for path in re.findall(r"\]\((?!http)([^)#]+)", text(page))
    }
    lonely = [
        str(page)
        for page in PAGES
        if (ROOT / page) not in linked and (ROOT / page).parent not in linked
    ]
    assert set(lonely) <= {"README.md"}


def test_the_readme_is_one_screen() -> None:
    assert len(text(Path("README.md")).splitlines()) <= 100
