"""The tests of a domain are run, and what they find is told without what nobody may see."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.commands import MESH, call, heeding_interrupts, processes_of
from tests.reviewing.repositories import LINES, cases, failed, lines, reviewed, shop
from tests.tiny_mesh import TinyMesh, column

ONLY_TESTS = ("--static",)
SALARY = 918273645


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugins of this environment take longer to import than all else."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def changed(mesh: TinyMesh) -> TinyMesh:
    return shop(mesh)


def write(mesh: TinyMesh, text: str, file: str = "order/products/lines/test_lines.py") -> Path:
    path = mesh.root / "domains" / file
    path.write_text(text)
    return path


def test_each_test_is_a_case_and_a_failure_has_its_line(changed: TinyMesh) -> None:
    write(
        changed,
        "import pytest\n\n\ndef test_good():\n    pass\n\n\n@pytest.mark.skip(reason='no data')\n"
        "def test_later():\n    pass\n\n\ndef helper(x):\n    assert x == 4\n\n\n"
        "@pytest.mark.parametrize('n', [3, 4])\ndef test_four(n):\n    helper(n)\n",
    )
    # Two files of one name: each product has its own.
    write(changed, "def test_total():\n    pass\n", "order/test_lines.py")
    told = reviewed("order", *ONLY_TESTS)
    assert [one["outcome"] for one in cases(told, "test")].count("passed") == 3
    assert [one["said"] for one in cases(told, "test", "skipped")] == ["no data"]
    (case,) = failed(told)
    assert case["kind"] == "test" and case["name"].endswith("test_four[3]")
    assert "assert 3 == 4" in case["said"]
    (found,) = case["findings"]
    assert found["file"] == "domains/order/products/lines/test_lines.py" and found["line"] == 14
    assert "python -m pytest domains/order/products/lines/test_lines.py" in found["remedy"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nowhere\n", "No module named 'nowhere'"),
        ("def test_x(:\n", "SyntaxError"),
        ("import os\n\n\ndef test_x():\n    os._exit(7)\n", "pytest ended with 7"),
        (
            "import os, signal\n\n\ndef test_x():\n    os.kill(os.getpid(), signal.SIGSEGV)\n",
            "pytest was ended by SIGSEGV",
        ),
        ("import pytest\n\n\ndef test_x():\n    pytest.exit('enough')\n", "pytest ended with 2"),
    ],
)
def test_tests_that_do_not_come_to_their_end_fail(changed: TinyMesh, text: str, said: str) -> None:
    write(changed, text)
    (case,) = cases(reviewed("order", *ONLY_TESTS, code=1), "test", "failed")
    assert said in case["said"] and case["findings"], case


def test_tests_that_hang_are_ended_with_what_they_started(changed: TinyMesh) -> None:
    write(
        changed,
        "import subprocess, time\n\n\ndef test_x():\n    subprocess.Popen(['sleep', '900.123'])\n"
        "    time.sleep(900)\n",
    )
    (case,) = failed(reviewed("order", *ONLY_TESTS, "--patience", 3))
    assert "was ended after its time was over" in case["said"]
    left = subprocess.run(["pgrep", "-f", "sleep 900.123"], capture_output=True, text=True)
    assert left.stdout == ""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_who_ends_a_review_ends_its_tests(
    changed: TinyMesh, tmp_path: Path, how: signal.Signals
) -> None:
    there = tmp_path / "there"
    write(
        changed,
        "import time, pathlib\n\n\ndef test_x():\n"
        f"    pathlib.Path({str(there)!r}).touch()\n    time.sleep(900)\n",
    )
    with heeding_interrupts():
        running = subprocess.Popen(
            [MESH, "ci", "order", "--static"], env=dict(os.environ), start_new_session=True
        )
    deadline = time.monotonic() + 60
    while not there.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    running.send_signal(how)
    assert running.wait(30) == (143 if how == signal.SIGTERM else 1)
    left = subprocess.run(["pgrep", "-f", str(changed.root)], capture_output=True, text=True)
    assert left.stdout == ""
    assert processes_of(changed.environment.home) == []


def test_tests_see_neither_the_state_nor_the_variables_of_the_job(
    changed: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEATHER_TOKEN", "hunter2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    changed.domain("order", environment=["WEATHER_TOKEN"])
    write(
        changed,
        "import os\nfrom pathlib import Path\n\n\ndef test_x():\n"
        "    assert 'hunter2' not in os.environ.values()\n"
        "    assert not Path(os.environ['MESH_HOME']).exists()\n"
        f"    assert os.environ['MESH_HOME'] != {str(changed.environment.home)!r}\n",
    )
    assert reviewed("order", *ONLY_TESTS)["passed"]


def test_where_columns_are_classified_messages_hold_no_value(
    changed: TinyMesh, tmp_path: Path
) -> None:
    lines(changed, [*LINES, column("salary", classification="restricted")], "1.1.0")
    (changed.root / "rows.txt").write_text(f"Ada earns {SALARY}\n")
    write(
        changed,
        "def test_salaries():\n    rows = open('rows.txt').read()\n    print(rows)\n"
        "    assert rows == 'nobody earns'\n\n\ndef test_raises():\n"
        "    raise ValueError(open('rows.txt').read())\n",
    )
    page, xml = tmp_path / "page.md", tmp_path / "report.xml"
    files = ("--summary", page, "--junit", xml)
    told = [call("ci", "order", *ONLY_TESTS, *files, "--annotations", "github")]
    told += [call("ci", "order", *ONLY_TESTS, "--json")]
    assert [one.code for one in told] == [1, 1]
    everything = page.read_text() + xml.read_text() + "".join(one.out + one.err for one in told)
    assert str(SALARY) not in everything and "Ada" not in everything
    assert "test_salaries" in everything and "ValueError" in everything


def test_a_repository_of_one_domain_has_tests_beside_it(mesh: TinyMesh) -> None:
    lines(mesh)
    (mesh.root / "tests").mkdir()
    (mesh.root / "tests" / "test_whole.py").write_text(
        "from domains.order.products.lines import figures\n\n\n"
        "def test_it():\n    assert figures.FOUR == 5\n"
    )
    write(mesh, "FOUR = 4\n", "order/products/lines/figures.py")
    (case,) = failed(reviewed(*ONLY_TESTS))
    assert case["findings"][0]["file"] == "tests/test_whole.py"
    # Among several domains nobody's tests are one domain's.
    mesh.domain("sales")
    assert reviewed(*ONLY_TESTS)["passed"]


def test_a_domain_without_tests_is_told(changed: TinyMesh) -> None:
    told = reviewed("order", *ONLY_TESTS)
    assert [one["outcome"] for one in cases(told, "test")] == ["skipped"]
    write(changed, "VALUE = 1\n")
    (case,) = cases(reviewed("order", *ONLY_TESTS), "test")
    assert case["outcome"] == "skipped" and "finds no test" in case["said"]


def test_tests_have_a_home_of_their_own(changed: TinyMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(changed.root))
    write(
        changed,
        "from pathlib import Path\n\n\n"
        f"def test_home():\n    assert Path.home() != Path({str(changed.root)!r})\n"
        "    assert Path.home().is_dir()\n",
    )
    (case,) = cases(reviewed("order", *ONLY_TESTS), "test")
    assert case["outcome"] == "passed", case
