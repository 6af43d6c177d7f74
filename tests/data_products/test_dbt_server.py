"""dbt's server: its children are what processes of their own were, and end with who asked for them."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared_resources.confinement.variables import seen_by_domain
from shared_resources.data_products.dbt.forking import asking
from shared_resources.data_products.dbt.forking.asking import Asked, ServerEnded, ask, serving
from shared_resources.environment import PROJECT_ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a server on Linux alone")

COMMANDS = "tests.data_products.dbt_commands"
SECRET = "AWS_SECRET_ACCESS_KEY"
ASKER = f"""
import os, socket, sys
from pathlib import Path
from shared_resources.confinement.variables import seen_by_domain
from shared_resources.data_products.dbt.forking.asking import UNBUFFERED, ask, ask_at, serving

def hang():
    variables = {{**seen_by_domain(), **UNBUFFERED}}
    asked = ask("{COMMANDS}", [], Path.cwd(), ["hang", sys.argv[1]], variables)
    asked.wait()

if sys.argv[2] == "serving":
    with serving():
        hang()
else:
    ask_at(socket.socket(fileno=int(sys.argv[2])))
    hang()
"""


@pytest.fixture(autouse=True)
def commands_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT_ROOT))
    monkeypatch.setenv(SECRET, "hunter2")


def variables(**given: str) -> dict[str, str]:
    return {**seen_by_domain(), **asking.UNBUFFERED, **given}


def asked(folder: Path, *arguments: str, **given: str) -> Asked:
    found = ask(COMMANDS, [], folder, arguments, variables(**given))
    assert found is not None
    return found


def ended(command: Asked) -> tuple[int, str]:
    with command.lines as lines:
        said = lines.read()
    return command.wait(), said


def server_of(process: int) -> int:
    """The one server that a process has started."""
    found: list[int] = []

    def there() -> bool:  # it is called so from its exec on
        named = b"forking.server"
        own = [one for one in children(process) if named in command_line(one)]
        found.extend(own)
        return bool(own)

    wait_until(there, "a server")
    (server,) = found
    return server


def command_line(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def children(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def wait_until(so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.02)


def hanging(note: Path) -> tuple[int, int]:
    """The command that hangs and the process that it has started, once both are there."""
    wait_until(lambda: note.is_file() and note.read_text().endswith("\n"), "a command that hangs")
    command, started = map(int, note.read_text().split())
    assert is_running(command)
    assert is_running(started)
    return command, started


@contextlib.contextmanager
def asker(*arguments: str, channel: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that asks."""
    process = subprocess.Popen(
        [sys.executable, "-c", ASKER, *arguments, "serving" if channel is None else str(channel)],
        cwd=PROJECT_ROOT,
        pass_fds=[] if channel is None else [channel],
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_child_is_what_a_process_of_its_own_would_be(tmp_path: Path) -> None:
    given = variables(TZ="Pacific/Auckland", MY_OWN="x")
    with serving():
        code, said = ended(asked(tmp_path, "tell", TZ="Pacific/Auckland", MY_OWN="x"))
        again = json.loads(ended(asked(tmp_path, "tell"))[1])
    told = json.loads(said)
    assert code == 0
    assert told["variables"] == given
    assert told["folder"] == str(tmp_path)
    assert told["arguments"] == ["-c", "tell"]
    assert told["group"] == told["process"]
    assert told["input"] == ""
    assert told["threads"] == 1
    assert told["zone"] == "NZST"
    # Nothing of it is there for the next one.
    assert again["variables"] == variables()
    assert again["process"] != told["process"]


def test_what_is_expected_is_imported_before_it_is_asked_for(tmp_path: Path) -> None:
    with serving():
        asking.expect(["colorsys"], parsing=False)
        asking.expect(["no_such_module"], parsing=False)  # said when a command needs it
        told = json.loads(ended(asked(tmp_path, "tell"))[1])
    assert told["imported"] == ["colorsys"]
    asking.expect(["colorsys"], parsing=False)  # there is nobody


def test_the_server_itself_is_given_no_secret(tmp_path: Path) -> None:
    with serving():
        assert ended(asked(tmp_path, "return"))[0] == 0
        started_with = Path(f"/proc/{server_of(os.getpid())}/environ").read_bytes()
        assert b"hunter2" not in started_with
        told = json.loads(ended(asked(tmp_path, "tell"))[1])
    assert SECRET not in told["variables"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("end", "3"), 3, "to the error stream"),
        (("return",), 0, ""),
        (("raise", "no such thing"), 1, "ValueError: no such thing"),
        (("die", str(int(signal.SIGSEGV))), -signal.SIGSEGV, ""),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_its_end_is_told(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    with serving():
        got, printed = ended(asked(tmp_path, *arguments))
    assert got == code
    assert said in printed
    assert asking.peak_kib() > 1000


def test_two_run_at_once_and_one_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    with serving():
        hangs = asked(tmp_path, "hang", str(tmp_path / "note"))
        command, started = hanging(tmp_path / "note")
        told = [json.loads(ended(asked(tmp_path, "tell"))[1])["process"] for _ in range(3)]
        assert len({*told, command}) == 4
        hangs.end()
        code, _ = ended(hangs)
    assert code == -signal.SIGKILL
    wait_until(lambda: not is_running(started), "the end of what it has started")


def test_a_killed_asker_leaves_nothing_and_the_others_are_served(tmp_path: Path) -> None:
    with serving() as channel:
        assert channel is not None
        with asker(str(tmp_path / "note"), channel=channel.fileno()) as process:
            command, started = hanging(tmp_path / "note")
            process.kill()
            for one in (command, started):
                wait_until(lambda: not is_running(one), "its end")  # noqa: B023 - asked at once
        assert ended(asked(tmp_path, "end", "5"))[0] == 5


def test_a_killed_owner_leaves_neither_the_server_nor_its_children(tmp_path: Path) -> None:
    with asker(str(tmp_path / "note")) as process:
        command, started = hanging(tmp_path / "note")
        server = server_of(process.pid)
        process.kill()
        wait_until(lambda: not is_running(server), "the server's end")
        wait_until(lambda: not is_running(command), "the command's end")
    os.kill(started, signal.SIGKILL)  # a killed server ends its children, not what those started


def test_a_server_that_nobody_can_ask_any_more_ends_all(tmp_path: Path) -> None:
    with serving():
        server = server_of(os.getpid())
        hangs = asked(tmp_path, "hang", str(tmp_path / "note"))
        command, started = hanging(tmp_path / "note")
    for one in (server, command, started):
        wait_until(lambda: not is_running(one), "its end")  # noqa: B023 - asked at once
    hangs.lines.close()


def test_a_killed_server_is_told_and_not_asked_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving():
        hangs = asked(tmp_path, "hang", str(tmp_path / "note"))
        command, started = hanging(tmp_path / "note")
        os.kill(server_of(os.getpid()), signal.SIGKILL)
        with caplog.at_level(logging.WARNING), pytest.raises(ServerEnded):
            ended(hangs)
        # The kernel closes what the server held open before it ends the server's children.
        wait_until(lambda: not is_running(command), "the command's end")
        assert ask(COMMANDS, [], tmp_path, ["return"], variables()) is None
    os.kill(started, signal.SIGKILL)
    assert "from now on dbt runs in processes of its own" in caplog.text


def test_a_server_that_was_killed_before_is_not_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving():
        server = server_of(os.getpid())
        os.kill(server, signal.SIGKILL)
        wait_until(lambda: not is_running(server), "its end")
        with caplog.at_level(logging.WARNING):
            assert ask(COMMANDS, [], tmp_path, ["return"], variables()) is None
    assert "its server is gone" in caplog.text


def test_a_server_that_dies_with_the_question_unheard_began_nothing(tmp_path: Path) -> None:
    with serving():
        server = server_of(os.getpid())
        os.kill(server, signal.SIGSTOP)
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {server}"])
        assert ask(COMMANDS, [], tmp_path, ["hang", str(tmp_path / "note")], variables()) is None
        killer.wait()
    assert not (tmp_path / "note").exists()


@pytest.mark.parametrize(
    ("modules", "given", "why"),
    [
        ([], {"PYTHONHASHSEED": "7"}, "other variables"),
        ([], {"LC_ALL": "de_DE.UTF-8"}, "other variables"),
        (["tests.data_products.dbt_starts_a_thread"], {}, "2 threads"),
        (["no.such.module"], {}, "cannot import dbt: ModuleNotFoundError: No module named 'no'"),
    ],
)
def test_what_would_not_be_the_same_is_refused_and_said(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    modules: list[str],
    given: dict[str, str],
    why: str,
) -> None:
    with serving():
        with caplog.at_level(logging.WARNING):
            assert ask(COMMANDS, modules, tmp_path, ["return"], variables(**given)) is None
        assert why in caplog.text
        assert "dbt runs in a process of its own" in caplog.text
        if "thread" not in why:
            assert ended(asked(tmp_path, "return"))[0] == 0


def test_without_a_server_there_is_nobody_to_ask(tmp_path: Path) -> None:
    assert ask(COMMANDS, [], tmp_path, ["return"], variables()) is None
    with serving():
        outer = asked(tmp_path, "return")
        with serving():
            assert ended(asked(tmp_path, "end", "1"))[0] == 1
        assert ended(asked(tmp_path, "end", "2"))[0] == 2
        assert ended(outer)[0] == 0
    assert ask(COMMANDS, [], tmp_path, ["return"], variables()) is None


def test_a_dbt_of_its_own_ends_with_who_asked(tmp_path: Path) -> None:
    """The same promise, where no server keeps it."""
    start = "from shared_resources.data_products.dbt.forking.parent import end_with; end_with({})"
    note = tmp_path / "note"
    hangs = f"{start}; open({str(note)!r}, 'w').write('x'); import time; time.sleep(600)"
    code = (
        "import os, subprocess, sys; "
        "own = subprocess.Popen([sys.executable, '-P', '-c', sys.argv[1].format(os.getpid())]); "
        "print(own.pid, flush=True); own.wait()"
    )
    asks = subprocess.Popen([sys.executable, "-c", code, hangs], stdout=subprocess.PIPE, text=True)
    assert asks.stdout is not None
    with asks.stdout as said:
        own = int(said.readline())
    wait_until(note.exists, "a dbt that hangs")
    asks.kill()
    asks.wait()
    wait_until(lambda: not is_running(own), "its end")
    orphan = subprocess.run(
        [sys.executable, "-P", "-c", start.format(os.getppid()) + "; print('went on')"],
        capture_output=True,
        check=False,
    )
    assert (orphan.returncode, orphan.stdout) == (1, b"")
