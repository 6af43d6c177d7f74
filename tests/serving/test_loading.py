"""Where a location waits that does not load, as its process says when it is told to abort."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared_resources.serving.loading import where_it_waits
from shared_resources.serving.programs import CodeServer, Program

MAIN = """\
import os
import {first}

os.abort()
"""
WAITS = "import os\n\nos.abort()\n"
# A thread of the domain's own waits as it should; so does one of a library.
THREAD = """\
import os, threading

ready = threading.Event()


def work():
    ready.set()
    threading.Event().wait()


for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
ready.wait()
os.abort()
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WAITS, "it waits at domains/order/definitions.py:3, in <module>"),
        (THREAD, "it waits at domains/order/definitions.py:14, in <module>"),
        ("", "it hangs"),
    ],
)
def test_the_line_of_the_domains_own_code_is_named(text: str, said: str, tmp_path: Path) -> None:
    files = tmp_path / "files"
    definitions = files / "domains" / "order" / "definitions.py"
    definitions.parent.mkdir(parents=True)
    definitions.write_text(text)
    main = tmp_path / "main.py"
    main.write_text(MAIN.format(first="domains.order.definitions"))
    aborted = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(main)],
        env={**os.environ, "PYTHONPATH": str(files)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert aborted.returncode < 0
    program = Program(1, CodeServer("order", "0" * 64, Path(sys.executable), files, {}))
    assert where_it_waits(aborted.stderr.splitlines(), program) == said
