"""`python -m tests.stand_ins`: the command's environment, its exit code, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from shared_resources.environment import PROJECT_ROOT
from tests.stand_ins import streams
from tests.stand_ins.__main__ import main


def command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.stand_ins", "--home", str(home), "--", *arguments]


def test_a_command_runs_in_an_empty_production_and_ends_as_it_ends(tmp_path: Path) -> None:
    script = (
        "import os, sys; from shared_resources.wiring import current\n"
        "here = current()\n"
        "print(here.settings.lake.url(), here.home, sorted(os.environ))\n"
        "assert here.settings.s3().list_objects_v2(Bucket=here.settings.lake.bucket)['KeyCount'] == 0\n"
        "sys.exit(3)"
    )
    foreign = {"AWS_PROFILE": "company", "SNOWFLAKE_ROLE": "ADMIN", "MESH_DATABASE_URL": "nowhere"}
    done = subprocess.run(
        command(tmp_path / "home", sys.executable, "-c", script),
        env={**os.environ, **foreign},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 3, done.stderr
    assert f"/lake {tmp_path / 'home'} " in done.stdout
    assert not any(f"'{name}'" in done.stdout for name in foreign)


def begin(folder: Path) -> tuple[subprocess.Popen[bytes], list[psutil.Process]]:
    """A command that goes on for minutes, once it runs, and all that was started for it."""
    began = folder / "began"
    process = subprocess.Popen(
        command(folder / "home", "sh", "-c", f"touch {began}; exec sleep 600"), cwd=PROJECT_ROOT
    )
    deadline = time.monotonic() + 120
    while not began.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return process, psutil.Process(process.pid).children(recursive=True)


def test_a_signal_is_passed_on_and_no_server_is_left(tmp_path: Path) -> None:
    process, started = begin(tmp_path)
    assert len(started) >= 3
    second = subprocess.run(
        command(tmp_path / "home", "true"),
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (second.returncode, second.stdout) == (2, "")
    assert (
        second.stderr == f"{tmp_path / 'home'} is in use by other stand-ins; give another --home\n"
    )

    process.send_signal(signal.SIGTERM)

    assert process.wait(60) == 128 + signal.SIGTERM
    assert psutil.wait_procs(started, timeout=10)[1] == []


def test_no_server_outlives_who_started_it(tmp_path: Path) -> None:
    process, children = begin(tmp_path)
    servers = [child for child in children if "tests.stand_ins" in " ".join(child.cmdline())]
    assert len(servers) == 2

    process.kill()

    process.wait(60)
    assert psutil.wait_procs(servers, timeout=20)[1] == []
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = subprocess.run(
        command(tmp_path, "true"), cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2
    assert f"{tmp_path} is not empty" in done.stderr
    assert (tmp_path / "mine").read_text() == "mine"


def test_without_java_streams_are_refused_with_what_is_missing_and_what_needs_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(streams.shutil, "which", lambda name: None)
    assert main(["--streams", "--", "true"]) == 2
    said = capsys.readouterr().err
    assert "java and mvn not found" in said and "`make demo`" in said
