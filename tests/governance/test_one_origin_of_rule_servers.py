"""Rule servers may be forked from one process: each is its asker's own, and no other."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.domain_rules.process import client, origin
from shared_resources.governance.audit.domain_rules.process.server import FRAMES
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.report import RuleResult
from tests.contract_factory import make_contract, make_rule, result_of, stage, table

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no origin")

FUNCTION = make_rule("custom", name="own", implementation="rules:judge")
CONTRACT = make_contract({"v": "int"}, [FUNCTION])


@pytest.fixture
def at_origin(tmp_path: Path) -> Iterator[origin.Origin]:
    """This process has its rule server forked by an origin."""
    client._server().stop()
    with origin.serving_rules(tmp_path / "logs" / "rules.log") as started:
        assert started is not None
        origin.fork_at(started)
        yield started
        origin.fork_at(None)
        client._server().stop()


def ask(folder: Path, body: str) -> RuleResult:
    (folder / "rules.py").write_text(f"import os, pathlib\ndef judge(batch):\n    {body}\n")
    batch = stage(folder / "staged", table(CONTRACT, v=[1, 2]))
    report = audit(StagedData(batch), CONTRACT, rules=[FUNCTION], folder=folder)
    return result_of(report, "own")


def gone(process: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_functions_are_asked_of_a_server_that_the_origin_forked(
    tmp_path: Path, at_origin: origin.Origin
) -> None:
    assert ask(tmp_path, "return True").passed
    assert not ask(tmp_path, "return False").passed
    assert isinstance(client._server().process, origin.OfOrigin)
    assert (tmp_path / "logs" / "rules.log").read_text() == ""


def test_nothing_of_the_platforms_variables_is_in_the_server_or_the_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", "s3cr3t-of-the-platform")
    client._server().stop()
    with origin.serving_rules(tmp_path / "rules.log") as started:
        origin.fork_at(started)
        body = (
            "return not any('s3cr3t' in pathlib.Path(f'/proc/{one}/environ').read_text()"
            " for one in ('self', os.getppid())) and 'SOME_SECRET' not in os.environ"
        )
        own = ask(tmp_path, body)
        origin.fork_at(None)
        client._server().stop()
    assert own.passed or "PermissionError" in own.message


def test_a_server_ends_with_who_asked_and_the_origin_with_the_last_who_could(
    tmp_path: Path,
) -> None:
    client._server().stop()
    with origin.serving_rules(tmp_path / "rules.log") as started:
        origin.fork_at(started)
        client.prepare(FRAMES)
        first = client._server().process
        assert first is not None and first.poll() is None
        client._server().stop()
        assert first.poll() == 0
        client.prepare(FRAMES)
        second = client._server().process
        assert second is not first and second is not None and second.poll() is None
    origin.fork_at(None)
    client._server().stop()
    assert second.poll() == 0


def test_who_has_other_variables_starts_a_server_of_its_own(
    tmp_path: Path, at_origin: origin.Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    body = "return os.environ['TZ'] == 'Asia/Tokyo'"
    assert ask(tmp_path, body).passed
    assert not isinstance(client._server().process, origin.OfOrigin)


def test_without_the_origin_a_server_is_started_as_before(
    tmp_path: Path, at_origin: origin.Origin
) -> None:
    for child in Path("/proc/self/task").iterdir():
        for process in (child / "children").read_text().split():
            if b"domain_rules.process.origin" in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(int(process), signal.SIGKILL)
                assert gone(int(process))
    assert ask(tmp_path, "return True").passed
    assert not isinstance(client._server().process, origin.OfOrigin)


def test_a_server_that_was_killed_is_replaced_for_the_next_batch(
    tmp_path: Path, at_origin: origin.Origin
) -> None:
    assert ask(tmp_path, "return True").passed
    first = client._server().process
    said = ask(tmp_path, "raise ValueError(f'server {os.getppid()} ')")
    os.kill(int(said.message.split("server ")[1].split()[0]), signal.SIGKILL)
    assert isinstance(first, origin.OfOrigin)
    assert first.wait(10) == 0
    assert ask(tmp_path, "return True").passed
    assert isinstance(client._server().process, origin.OfOrigin)
