"""The files of what is served: numbers, the symlink, paths that are too long."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from shared_resources.serving.problems import CannotServe, ServingProblem
from shared_resources.serving.programs import CodeServer, Programs

ORDER = CodeServer("order", "a" * 64, Path(sys.executable), Path("/nowhere"), {"A": '50%"\n'})


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    made = Programs(tmp_path_factory.mktemp("h"))
    made.prepare()
    return made


def test_a_program_is_read_as_it_was_written(programs: Programs) -> None:
    program = programs.add(ORDER)
    assert programs.all() == [program]
    assert program.name == "order.aaaaaaaaaaaa.1"
    assert programs.description(program).stat().st_mode & 0o077 == 0  # variables may be secrets


def test_one_release_may_run_twice_and_the_symlink_leads_to_one(programs: Programs) -> None:
    first, second = programs.add(ORDER), programs.add(ORDER)
    assert programs.serving("order") is None and programs.domains() == []
    programs.lead_to(first)
    assert programs.serving("order") == first and programs.domains() == ["order"]
    programs.lead_to(second)
    assert programs.serving("order") == second
    assert not programs.door("order").readlink().is_absolute()


def test_nothing_but_the_log_is_left_of_what_is_forgotten(programs: Programs) -> None:
    program = programs.add(ORDER)
    for file in (programs.socket(program), programs.configuration(program), programs.log(program)):
        file.touch()
    programs.forget(program)
    assert list(programs.files.iterdir()) + list(programs.sockets.iterdir()) == []
    assert programs.log(program).exists()
    for number in range(2, 9):
        (programs.logs / f"order.bbbbbbbbbbbb.{number}.log").touch()
    programs.forget(program)
    assert len(list(programs.logs.iterdir())) == 5


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    with pytest.raises(CannotServe, match=r"by [0-9]+ bytes: set MESH_HOME to a shorter one"):
        Programs(home).prepare()
    assert not home.exists()


def test_a_domain_is_refused_before_it_is_started_where_its_name_is_too_long(
    programs: Programs,
) -> None:
    with pytest.raises(CannotServe, match=r"for the socket o{90}\.sock below it, by [0-9]+"):
        programs.add(CodeServer("o" * 90, "a" * 64, Path(sys.executable), Path("/nowhere")))
    assert programs.all() == []


def test_a_damaged_file_is_named(programs: Programs) -> None:
    program = programs.add(ORDER)
    programs.description(program).write_text('{"number": 1')
    with pytest.raises(ServingProblem, match=r"order\.aaaaaaaaaaaa\.1\.json does not describe"):
        programs.all()
