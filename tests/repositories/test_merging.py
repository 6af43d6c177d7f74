"""The merge of two versions of a template into what a team has made of the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.repositories.rendering import (
    ANSWERS_FILE,
    NotRendered,
    merge,
    read_answers,
    render,
    write_answers,
)

ANSWERS = {"name": "finance", "platform": "1"}
QUESTIONS = "_subdirectory: files\nname: {type: str}\nplatform: {type: str}\n"
LINES = [f"line {n}\n" for n in range(20)]


def template(folder: Path, **files: str) -> Path:
    (folder / "files").mkdir(parents=True)
    (folder / "copier.yml").write_text(QUESTIONS)
    for name, text in files.items():
        (folder / "files" / name.replace("_", ".")).write_text(text)
    return folder


def changed(lines: list[str], **changes: str) -> str:
    numbered = {int(line[1:]): text for line, text in changes.items()}
    return "".join(numbered.get(n, line) for n, line in enumerate(lines))


@pytest.fixture
def templates(tmp_path: Path) -> tuple[Path, Path]:
    old = template(
        tmp_path / "old",
        Makefile_jinja="".join([*LINES, "pinned {{ platform }}\n", "of {{ name }}\n"]),
        gone_yml="as it was\n",
        left_yml="as it was\n",
        dropped_yml="as it was\n",
    )
    new = template(
        tmp_path / "new",
        Makefile_jinja=changed(
            [*LINES, "pinned {{ platform }}\n", "of {{ name }}\n"], n9="better\n"
        ),
        gone_yml="better\n",
        left_yml="better\n",
        added_yml_jinja="for {{ name }}\n",
    )
    return old, new


def merged(tmp_path: Path, templates: tuple[Path, Path], mine: str) -> tuple[Path, tuple[str, ...]]:
    team = tmp_path / "work" / "team"
    render(templates[0], team, ANSWERS)
    (team / "Makefile").write_text(mine)
    (team / "gone.yml").unlink()
    return team, merge(team, templates, ANSWERS, "2")


def test_what_a_team_has_changed_stays_and_the_rest_is_new(
    tmp_path: Path, templates: tuple[Path, Path]
) -> None:
    mine = changed([*LINES, "pinned 1\n", "of finance\n"], n3="ours\n")
    team, conflicts = merged(tmp_path, templates, mine)
    assert conflicts == ()
    wanted = changed([*LINES, "pinned 2\n", "of finance\n"], n3="ours\n", n9="better\n")
    assert (team / "Makefile").read_text() == wanted
    assert not (team / "gone.yml").exists(), "the team had deleted it"
    assert not (team / "dropped.yml").exists(), "the template has it no more"
    assert (team / "left.yml").read_text() == "better\n"
    assert (team / "added.yml").read_text() == "for finance\n"


def test_where_both_changed_the_same_lines_both_stand_between_marks(
    tmp_path: Path, templates: tuple[Path, Path]
) -> None:
    mine = changed([*LINES, "pinned 1\n", "of finance\n"], n9="ours\n")
    team, conflicts = merged(tmp_path, templates, mine)
    assert conflicts == ("Makefile",)
    marked = "<<<<<<< before updating\nours\n=======\nbetter\n>>>>>>> after updating\n"
    assert marked in (team / "Makefile").read_text()
    assert "pinned 2\n" in (team / "Makefile").read_text()
    assert (team / "left.yml").read_text() == "better\n"


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_answers(tmp_path, ANSWERS)
    assert read_answers(tmp_path) == ANSWERS


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "was not begun by"), ("a: [", "no valid YAML"), ("name: finance", "does not say")],
)
def test_answers_that_are_none_are_refused(text: str | None, said: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / ANSWERS_FILE).write_text(text)
    with pytest.raises(NotRendered, match=said) as raised:
        read_answers(tmp_path)
    assert raised.value.exit_code == 2


def test_a_template_that_cannot_be_rendered_is_a_message(tmp_path: Path) -> None:
    broken = template(tmp_path / "broken")
    (broken / "copier.yml").write_text("_min_copier_version: '99'\n")
    with pytest.raises(NotRendered, match="cannot be rendered"):
        render(broken, tmp_path / "into", ANSWERS)
