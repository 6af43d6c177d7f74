"""No import does I/O: importing the platform or a product opens, writes and asks nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT, dotted, modules

# Runs in a fresh interpreter. Python reports each file, socket and process to the audit hook. What
# the import system itself opens is no I/O of the module; what a module outside of the project does
# when it is imported first is that module's own affair.
PROBE = """
import importlib, json, sys
root, names = sys.argv[1], json.loads(sys.argv[2])
environment = root + "/.venv/"
WATCHED = ("open", "socket.", "subprocess.", "os.mkdir", "os.remove", "os.rename", "os.listdir",
           "os.scandir", "os.system", "os.exec", "os.posix_spawn", "sqlite3.", "shutil.",
           "tempfile.", "urllib.")
seen, watching = set(), False

def importer(frame):
    '''The module that is being executed where `frame` is, or None within the import system.'''
    first = True
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib"):
            return None if first else module
        first = False
        module = frame
        frame = frame.f_back
    return None

def hook(event, arguments):
    global watching
    if not watching or not event.startswith(WATCHED):
        return
    watching = False
    try:
        module = importer(sys._getframe(1))
        file = module.f_code.co_filename if module is not None else ""
        if file.startswith(root + "/") and not file.startswith(environment):
            where = f"{file[len(root) + 1:]}:{module.f_lineno}"
            seen.add(f"{where} {event} {arguments[:1]}")
    finally:
        watching = True

sys.addaudithook(hook)
for name in names:
    watching = True
    importlib.import_module(name)
    watching = False
print(json.dumps(sorted(seen)))
"""


def io_of(root: Path, *names: str) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(root), json.dumps(names)],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told: list[str] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_no_import_does_io() -> None:
    # A location's definitions are what Dagster loads: reading the contracts is their work.
    names = [dotted(m) for m in modules() if m.name not in ("definitions.py", "__main__.py")]
    assert len(names) > 50
    assert io_of(ROOT, *names) == []


def test_the_probe_sees_io_on_import(tmp_path: Path) -> None:
    (tmp_path / "reads.py").write_text("from pathlib import Path\nPath(__file__).read_text()\n")
    (tmp_path / "asks.py").write_text("import socket\nsocket.socket()\n")
    (tmp_path / "lists.py").write_text("import os\n\nos.listdir('.')\n")
    (tmp_path / "calls.py").write_text("from idle import later\nlater()\n")
    (tmp_path / "idle.py").write_text("def later():\n    return open(__file__).close()\n")
    places = {
        told.split()[0] for told in io_of(tmp_path, "idle", "reads", "asks", "lists", "calls")
    }
    assert places == {"reads.py:2", "asks.py:2", "lists.py:3", "calls.py:2"}
