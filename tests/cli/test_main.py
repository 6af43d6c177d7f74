"""The front door: help, unknown names, exit codes, and what start-up imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from shared_resources.cli.main import mesh as front_door
from shared_resources.cli.tables import print_json
from tests.cli.commands import MESH, Called, call, readable, start
from tests.guarantees.orders import KEY, land_orders, orders_product
from tests.tiny_mesh import TinyMesh


def every_command(
    command: click.Command = front_door, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from every_command(inner, (*path, name))


@pytest.mark.parametrize("path", list(every_command()), ids=" ".join)
def test_the_help_of_every_command_shows_an_example(path: tuple[str, ...]) -> None:
    told = call(*path, "--help")
    assert (told.code, told.err) == (0, "")
    assert f"Example: {' '.join(('mesh', *path))}" in told.out


def test_the_commands_are_those_that_others_rely_on() -> None:
    names = {path[0] for path in every_command() if len(path) == 1}
    assert names >= {"run", "status", "check", "audit", "read", "versions", "rollback"}
    assert {path for path in every_command() if path[:1] == ("quarantine",) and path[1:]} == {
        ("quarantine", "list"),
        ("quarantine", "show"),
        ("quarantine", "replay"),
        ("quarantine", "close"),
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stauts"], "did you mean status?"),
        (["xyzzy"], "`mesh --help` lists them"),
        (["quarantine", "lst"], "list"),
        (["read", KEY, "--colums", "a"], "--columns"),
        (["read"], "DOMAIN/PRODUCT"),
        (["read", "order/ordes"], "did you mean order/orders?"),
        (["versions", "order/ordes"], "did you mean order/orders?"),
        (["rollback", "order/ordes", "--to", 1], "did you mean order/orders?"),
        (["quarantine", "list", "order/ordes"], "did you mean order/orders?"),
        (["quarantine", "list", "foo"], "there is no product or domain 'foo'"),
        (["quarantine", "show", "abc"], "`mesh quarantine list` shows them"),
        (["quarantine", "replay", "abc"], "`mesh quarantine list` shows them"),
        (["check", "--domain", "ordr"], "order"),
        (["versions", KEY], "is not published yet; run `mesh run +order/orders`"),
        (["read", KEY], "is not published yet; run `mesh run order/orders`"),
        (["rollback", KEY, "--to", 1], "order/orders"),
        (["rollback", KEY], "--to"),
        (["read", KEY, "--version", "two"], "--version"),
        (["read", KEY, "--output", "rows.csv"], "must end in .parquet"),
        (["read", KEY, "--output", "nowhere/rows.parquet"], "there is no folder nowhere"),
        (["audit", "nothing.yaml", "--data", "nothing.csv"], "nothing.csv"),
    ],
)
def test_wrong_use_is_one_message_and_2(mesh: TinyMesh, arguments: list[object], said: str) -> None:
    orders_product(mesh)
    call(*arguments).refused(said)


def test_what_nobody_foresaw_is_one_line_that_says_how_to_see_more(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("shared_resources.cli.commands.status.look_at_mesh", full)
    told = call("status")
    assert (told.code, told.out) == (1, "")
    (line,) = told.err.splitlines()
    assert line == "mesh: OSError: no space left on device (MESH_DEBUG=1 shows where)"
    monkeypatch.setenv("MESH_DEBUG", "1")
    with pytest.raises(OSError, match="no space"):
        call("status")


def test_an_environment_that_there_is_not_is_wrong_use(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_ENV", "staging")
    call("status").refused("MESH_ENV='staging'")


def test_started_as_a_command_it_ends_the_same(mesh: TinyMesh) -> None:
    orders_product(mesh)
    start("read", "order/ordes").refused("did you mean order/orders?")
    nothing = start()
    assert nothing.code == 2 and "Commands:" in nothing.out + nothing.err
    told = start("status", "--json")
    assert (told.code, told.err) == (0, "")
    assert told.json[0]["key"] == KEY


@pytest.mark.parametrize("words", [("read", KEY), ("status",), ("status", "--json"), ("check",)])
def test_a_reader_that_goes_away_is_no_error(mesh: TinyMesh, words: tuple[str, ...]) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    mesh.run(KEY)
    process = subprocess.Popen(
        [MESH, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.wait(timeout=60)
    assert (process.returncode, said) == (0, "")


@pytest.mark.parametrize("command", ["status", "check", "versions", "quarantine"])
def test_looking_needs_no_dagster(mesh: TinyMesh, command: str) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    mesh.run(KEY)
    arguments = {"versions": ["versions", KEY], "quarantine": ["quarantine", "list"]}
    code = (
        "import sys\nfrom shared_resources.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print('dagster' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments.get(command, [command])],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=300,
    )
    told = Called(done.returncode, done.stdout, done.stderr)
    readable(told.err)
    assert told.code == 0 and told.out
    assert told.err.strip() == "False"


def test_json_holds_no_bare_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"rows": [{"value": float("nan")}, {"value": (float("-inf"), 1.5)}]})
    shown = capsys.readouterr().out
    read = json.loads(shown, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert read == {"rows": [{"value": "nan"}, {"value": ["-inf", 1.5]}]}
