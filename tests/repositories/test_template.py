"""The template as it is: what a team writes into it most is no conflict with the next release."""

from __future__ import annotations

from pathlib import Path

from shared_resources.environment import PROJECT_ROOT
from shared_resources.repositories.rendering import merge, render

TEMPLATE = PROJECT_ROOT / "shared_resources" / "repositories" / "template"
ANSWERS = {"name": "big_finance", "owner": "finance@example.com", "platform": "0.1.0"}


def test_a_dependency_of_ones_own_and_a_later_platform_are_merged(tmp_path: Path) -> None:
    team = tmp_path / "work" / "team"
    render(TEMPLATE, team, ANSWERS)
    project = team / "pyproject.toml"
    text = project.read_text()
    assert 'name = "big-finance-domain"' in text and "[deploy,teams]==0.1.0" in text
    below = "goes below; then `make lock`.\n"
    ours = text.replace(below, f'{below}  "polars==2.0.0",\n')
    assert ours != text
    project.write_text(ours)
    assert merge(team, (TEMPLATE, TEMPLATE), ANSWERS, "0.2.0") == ()
    assert project.read_text() == ours.replace("==0.1.0", "==0.2.0")
