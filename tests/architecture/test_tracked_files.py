"""What may not stand in any tracked file: the index that somebody installs from, a machine's paths."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from urllib.parse import urlsplit

from tests.architecture.tree import ROOT, tracked_files

# Put together here, so that this file does not name them either.
PUBLIC_INDEXES = ("py" + "pi.org", "python" + "hosted.org", "test.py" + "pi.org")
INDEX_OPTION = re.compile(r"(index|find)[-_](url|links)\W{1,5}https?://", re.IGNORECASE)


def texts() -> dict[str, str]:
    """The tracked text files by name."""
    found = {}
    for name in tracked_files():
        raw = (ROOT / name).read_bytes()
        if b"\0" not in raw:
            found[str(name)] = raw.decode("utf-8", errors="replace")
    return found


def configured_indexes() -> set[str]:
    """The hosts that this machine installs from."""
    config = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=300
    ).stdout
    settings = [value for name, value in os.environ.items() if "INDEX" in name] + [config]
    urls = re.findall(r"https?://[^\s'\"]+", " ".join(settings))
    hosts = {urlsplit(url).hostname or "" for url in urls}
    return {host for host in hosts if "." in host and not host.startswith("127.")}


def test_no_tracked_file_names_a_package_index() -> None:
    hosts = {*PUBLIC_INDEXES, *configured_indexes()}
    wrong = [
        f"{name} names {host}" for name, text in texts().items() for host in hosts if host in text
    ]
    wrong += [name for name, text in texts().items() if INDEX_OPTION.search(text)]
    assert wrong == []


def test_no_tracked_file_names_a_path_of_this_machine() -> None:
    place = str(ROOT)
    assert [name for name, text in texts().items() if place in text and len(place) > 5] == []


def test_the_lock_pins_every_dependency_with_hashes() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [number for number, line in enumerate(lines) if re.match(r"[A-Za-z0-9]", line)]
    assert len(pins) > 50
    for number in pins:
        assert "==" in lines[number], lines[number]
        assert "--hash=sha256:" in lines[number + 1], lines[number]


def test_the_package_says_that_it_has_its_types() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert (ROOT / "shared_resources" / "py.typed").is_file()
    assert "py.typed" in settings["tool"]["setuptools"]["package-data"]["*"]
