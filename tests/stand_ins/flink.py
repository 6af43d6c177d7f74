"""Flink: its own environment, made as a user makes it, once a machine, and kept.

Belongs here: where it lies, who makes it, what happens on a machine without Java or Maven.
Does not belong here: what is run in it (`tests/streams/flink/`).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from tests.stand_ins.java_jars import FETCHING_SECONDS, jars_below, require_java

_FROM = Path(__file__).resolve().parents[2] / "deploy" / "flink"
# For a JVM that lives for a minute: it compiles once, and little.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx1g -Xshare:auto"


def flink_python() -> Path:
    """The Python of the environment. Skips or fails the test as `require_java` does."""
    require_java()
    made_of = b"".join(one.read_bytes() for one in sorted(_FROM.iterdir()))
    folder = jars_below().parent / "flink" / hashlib.sha256(made_of).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    ready = folder / "ready"
    with FileLock(f"{folder}.lock", timeout=FETCHING_SECONDS):
        if not ready.exists():
            shutil.rmtree(folder, ignore_errors=True)
            command = [str(_FROM / "install.sh"), str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=FETCHING_SECONDS)
            if done.returncode:
                pytest.fail(f"Flink was not set up:\n{(done.stdout + done.stderr)[-2000:]}")
            ready.touch()
    return folder / "bin" / "python"
