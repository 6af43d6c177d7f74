"""Servers that are jars of Java: which are needed, fetched by Maven once a machine, and kept.

Belongs here: the one place that decides where the jars lie, who fetches them, and what happens on a
machine without Java or Maven.
Does not belong here: starting a server of them (`cassandra.py` and its like).

Maven asks the repository that the machine's own settings name; none is named here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

FETCHING_SECONDS = 600
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>mesh</groupId><artifactId>stand-in</artifactId><version>1</version>
<dependencies>{dependencies}</dependencies></project>
"""
_DEPENDENCY = (
    "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
)


def jars_below() -> Path:
    """Where every set of jars lies: what one run of the tests has fetched, the next one finds."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "dagster-data-mesh" / "jars"


def require_java() -> None:
    """Skip the test, and say why, on a machine without Java or Maven; where `CI` is set, fail it."""
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if not missing:
        return
    said = (
        f"{' and '.join(missing)} not found: the tests against a real server written in Java need a "
        "JRE of 17 and Maven (Debian: `apt-get install default-jre-headless maven`)"
    )
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(said)
    pytest.skip(said)


def jars(*coordinates: str) -> Path:
    """The folder with the jars of `group:artifact:version` and all that they need.

    Skips or fails the test as `require_java` does. Many processes may ask at once: one fetches.
    """
    require_java()
    name = hashlib.sha256("\n".join(sorted(coordinates)).encode()).hexdigest()[:16]
    folder = jars_below() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock", timeout=FETCHING_SECONDS):
        if not folder.is_dir():
            _fetch(coordinates, folder)
    return folder


def class_path(folder: Path) -> str:
    return f"{folder}/*"


def _fetch(coordinates: tuple[str, ...], folder: Path) -> None:
    """Whole or not at all: a folder of half of the jars would be taken for all of them."""
    dependencies = "".join(_DEPENDENCY.format(*one.split(":")) for one in coordinates)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        Path(work, "pom.xml").write_text(_POM.format(dependencies=dependencies))
        command = [
            *("mvn", "--quiet", "--batch-mode", "dependency:copy-dependencies"),
            *("-DincludeScope=runtime", "-DoutputDirectory=jars"),
        ]
        done = subprocess.run(
            command, cwd=work, capture_output=True, text=True, timeout=FETCHING_SECONDS
        )
        if done.returncode:
            pytest.fail(f"Maven did not fetch {', '.join(coordinates)}:\n{done.stdout[-2000:]}")
        Path(work, "jars").rename(folder)
