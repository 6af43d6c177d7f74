"""Whatever a rule that a domain wrote does to its process, it is a failed rule and nothing besides."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from shared_resources.contracts.model import Rule
from shared_resources.governance.audit.audit import audit, audit_parts
from shared_resources.governance.audit.domain_rules import asking
from shared_resources.governance.audit.domain_rules.process import client, limits
from shared_resources.governance.audit.domain_rules.process.job import (
    Job,
    Question,
    answer_line,
    read_answer,
)
from shared_resources.governance.audit.engine.outcome import Outcome
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.report import AuditReport
from shared_resources.stores.protocol import StagedBatch
from tests.contract_factory import make_contract, make_rule, result_of, stage, table
from tests.mesh_files import DOMAIN, write_product

OWN = make_rule("custom", name="own", implementation="rules:judge")
BROKEN = make_rule("required", "v", name="broken")
CONTRACT = make_contract({"v": "int"}, [OWN, BROKEN])


def _batch(folder: Path) -> StagedBatch:
    return stage(folder / "staged", table(CONTRACT, v=[1, 2, None]))


def _audit(folder: Path, source: str, *more: Rule) -> AuditReport:
    (folder / "rules.py").write_text(
        "import os, signal, subprocess, sys, time\nfrom pathlib import Path\n"
        + textwrap.dedent(source)
    )
    rules = [OWN, BROKEN, *more]
    return audit(StagedData(_batch(folder)), CONTRACT, rules=rules, folder=folder)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("sys.exit(0)", "rules:judge called sys.exit(0) instead of answering"),
        ("raise KeyboardInterrupt", "was ended by KeyboardInterrupt"),
        ("os._exit(0)", "ended its process (exit code 0) instead of answering"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended its process by signal 9"),
        ("import ctypes; ctypes.string_at(0)", "ended its process by signal 11"),
        ("os.close(3); [os.close(n) for n in range(4, 64) if _open(n)]", "not checked"),
        ("return len(bytearray(10 << 30))", "MemoryError"),
        ("raise ValueError('x' * 10_000_000)", "raised ValueError"),
        ("return -1", "it answered that -1 rows fail; the batch has 3"),
        ("return 10 ** 30", "rows fail; the batch has 3"),
        ("return float('nan')", "returned a float; return True or False"),
        ("[os.write(n, b'x' * 2_000_000) for n in range(3, 64) if _open(n)]", "not checked"),
        ("[os.write(n, b'{}\\n') for n in range(3, 64) if _open(n)]; return True", "no answer"),
        ("os.fork() or time.sleep(60); return True", "left 1 processes running"),
        (
            "os.fork() or os.setsid() or os.fork() or time.sleep(60); return True",
            "processes running; a rule ends all that it starts",
        ),
        ("subprocess.Popen(['sleep', '60'], start_new_session=True); return 0", "left 1 processes"),
    ],
)
def test_a_rule_that_does_not_answer_is_a_failed_rule(tmp_path: Path, body: str, said: str) -> None:
    source = f"""
        def _open(number):
            try:
                return os.fstat(number)
            except OSError:
                return None

        def judge(batch):
            {body}
    """
    report = _audit(tmp_path, source)
    result = result_of(report, "own")
    assert not result.passed and said in result.message, result.message
    assert len(result.message) < 1000 and "\n" not in result.message
    assert result_of(report, "broken").rows_failed == 1, "other rules are not touched by it"


@pytest.mark.parametrize(
    "body", ["while True: pass", "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"]
)
def test_a_rule_that_takes_too_long_is_ended(
    tmp_path: Path, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "FUNCTION_SECONDS", 0.2)
    monkeypatch.setattr(client, "GRACE_SECONDS", 0.1)
    began = time.monotonic()
    result = result_of(_audit(tmp_path, f"def judge(batch):\n    {body}\n"), "own")
    assert "rules:judge took longer than 0.2 s and was ended" in result.message
    assert time.monotonic() - began < 30


def test_a_rule_may_be_given_less_or_more(tmp_path: Path) -> None:
    source = "def judge(batch):\n    return len(bytearray(600 << 20)) == 0 or True\n"
    for memory, passes in ((256, False), (1024, True)):
        own = make_rule("custom", name=f"own_{memory}", implementation="rules:judge",
                        seconds=60, memoryMiB=memory)  # fmt: skip
        assert result_of(_audit(tmp_path, source, own), own.name).passed is passes


def test_a_query_takes_no_more_memory_than_it_may(tmp_path: Path) -> None:
    greedy = make_rule("sql", name="q", query="SELECT list_sum(range(100000000)) * 0")
    modest = make_rule("sql", name="r", query="SELECT count(*) FROM batch WHERE v > 1")
    report = _audit(tmp_path, "def judge(batch):\n    return True\n", greedy, modest)
    assert "not checked" in result_of(report, "q").message
    assert result_of(report, "r").measured == 1, "the next query is asked all the same"
    assert result_of(report, "own").passed


def test_what_a_rule_prints_goes_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = "def judge(batch):\n    print('loud' * 1_000_000, file=sys.stderr)\n    return True\n"
    assert result_of(_audit(tmp_path, source), "own").passed
    captured = capfd.readouterr()
    assert "loud" not in captured.out + captured.err


@pytest.mark.parametrize(
    "body",
    [
        "path.write_bytes(b'')",
        "path.chmod(0o666); open(path, 'r+b').write(b'x')",
        "path.unlink()",
        "os.replace(path, path.with_suffix('.old'))",
        "subprocess.run(['sh', '-c', f'echo > {path}'], check=True)",
        "Path('/tmp/mesh-rule-was-here').write_text('x')",
    ],
)
def test_a_rule_cannot_write_to_the_batch_nor_anywhere_else(tmp_path: Path, body: str) -> None:
    source = f"""
        def judge(batch):
            path = next(Path.cwd().parents[1].glob('*.parquet'))
            {body}
            return True
    """
    batch = _batch(tmp_path)
    before = hashlib.sha256(batch.files[0].path.read_bytes()).hexdigest()
    report = _audit(tmp_path, source)
    assert not result_of(report, "own").passed
    assert hashlib.sha256(batch.files[0].path.read_bytes()).hexdigest() == before
    assert not Path("/tmp/mesh-rule-was-here").exists()


def test_a_batch_that_was_changed_all_the_same_passes_no_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel cannot keep files read-only."""
    batch = _batch(tmp_path)
    rules = [OWN, make_rule("sql", name="sql", query="SELECT 0")]
    ask = client.run

    def run(job: Job, rows: list[int]) -> client.Answers:
        path, stat = batch.files[0].path, batch.files[0].path.stat()
        if job.python:
            path.write_bytes(path.read_bytes())
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return ask(job, rows)

    monkeypatch.setattr(client, "run", run)
    (tmp_path / "rules.py").write_text("def judge(batch):\n    return True\n")
    report = audit(StagedData(batch), CONTRACT, rules=rules, folder=tmp_path)
    assert [result.passed for result in report.results] == [False, False]
    assert "own changed the files of the batch" in report.results[0].message


def test_a_rule_cannot_change_another_in_memory(tmp_path: Path) -> None:
    source = """
        import gc
        from shared_resources.contracts.model import Operator, Threshold

        def judge(batch):
            Threshold.holds = lambda *_: True
            for one in gc.get_objects():
                if type(one).__name__ in ("Rule", "RuleResult", "Outcome"):
                    object.__setattr__(one, "passed", True)
            return True
    """
    assert result_of(_audit(tmp_path, source), "broken").rows_failed == 1


def test_a_rule_sees_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim-0815")
    source = """
        def judge(batch):
            seen = str(dict(os.environ))
            for process in ("self", os.getppid()):
                try:
                    seen += Path(f"/proc/{process}/environ").read_text(errors="replace")
                except PermissionError:  # of the server's, where the kernel can
                    pass
            return "geheim-0815" not in seen and "AWS_SECRET_ACCESS_KEY" not in seen
    """
    assert result_of(_audit(tmp_path, source), "own").passed


def test_a_rule_sees_what_its_domain_names_and_nothing_that_another_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATE", "its own")
    monkeypatch.setenv("OTHER", "of another domain")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the platform's")
    folder = write_product(tmp_path, "shop/lines")
    named = "environment: [RATE, ABSENT, AWS_SECRET_ACCESS_KEY]\n"
    (tmp_path / "domains/shop/domain.yaml").write_text(DOMAIN.format(name="shop") + named)
    source = """
        def judge(batch):
            names = ("RATE", "OTHER", "ABSENT", "AWS_SECRET_ACCESS_KEY")
            return [os.environ.get(name) for name in names] == ["its own", None, None, None]
    """
    assert result_of(_audit(folder, source), "own").passed
    elsewhere = "def judge(batch):\n    return 'RATE' not in os.environ\n"
    assert result_of(_audit(tmp_path, elsewhere), "own").passed, "nor does one that comes later"


_LOOK_AND_END = """
        def judge(batch):
            process = {process}
            try:
                Path(f"/proc/{process}/environ").read_bytes()
                return False
            except PermissionError:
                pass
            {then}
            return True
    """


@pytest.mark.skipif(not limits.landlock(), reason="the kernel has no Landlock")
def test_a_rule_looks_into_no_other_process(tmp_path: Path) -> None:
    source = _LOOK_AND_END.replace("{process}", str(os.getpid())).replace("{then}", "")
    assert result_of(_audit(tmp_path, source), "own").passed


@pytest.mark.skipif(limits.landlock() < 6, reason="the kernel confines no signals")
def test_a_rule_ends_no_other_process(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        try:
            then = f"os.kill({other.pid}, signal.SIGKILL)"
            source = _LOOK_AND_END.replace("{process}", str(other.pid)).replace("{then}", then)
            assert "raised PermissionError" in result_of(_audit(tmp_path, source), "own").message
            assert other.poll() is None
        finally:
            other.kill()


def test_without_landlock_a_user_namespace_hides_other_processes() -> None:
    code = (
        "import os, sys\n"
        "from shared_resources.governance.audit.domain_rules.process.limits import stand_apart\n"
        "user = os.getuid()\nif not stand_apart(): sys.exit(9)\n"
        "assert os.getuid() == user\n"
        "try:\n    open(f'/proc/{os.getppid()}/environ').read()\n"
        "except PermissionError:\n    sys.exit(0)\nsys.exit(1)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False).returncode
    if ended == 9:
        pytest.skip("the kernel gives no user namespaces")
    assert ended == 0


def test_a_rule_that_ends_its_process_in_one_part_is_not_asked_about_the_next(
    tmp_path: Path,
) -> None:
    (tmp_path / "rules.py").write_text(
        "import os\ndef judge(batch):\n    if len(batch) == 2:\n        os._exit(0)\n    return 0\n"
    )
    parts = [
        stage(tmp_path / str(n), table(CONTRACT, v=[1] * n), partitions=(f"2026-01-0{n}",))
        for n in (1, 2, 3)
    ]
    reports = audit_parts(parts, CONTRACT, rules=[OWN], folder=tmp_path)
    assert [report.results[0].passed for report in reports] == [True, False, False]


def test_frames_are_there_for_functions_and_not_for_queries(tmp_path: Path) -> None:
    """A server that only queries are asked of starts in half the time."""
    query = make_rule("sql", name="query", query="SELECT count(*) FROM batch WHERE v < 0")
    data = StagedData(_batch(tmp_path))
    client._server().stop()
    for _ in range(2):
        assert result_of(audit(data, CONTRACT, rules=[query]), "query").passed
        server = client._server().process
        assert server is not None
        mapped = Path(f"/proc/{server.pid}/maps").read_text()
        assert "/pandas/" not in mapped and "/pyarrow/" not in mapped
    source = (
        "import pyarrow\ndef judge(batch: pyarrow.Table):\n    return 'pandas' in sys.modules\n"
    )
    for _ in range(2):
        assert result_of(_audit(tmp_path, source), "own").passed
    assert client._server().process is server, "it is the same server"


def test_a_server_that_is_gone_is_started_again(tmp_path: Path) -> None:
    source = "def judge(batch):\n    return True\n"
    assert result_of(_audit(tmp_path, source), "own").passed
    killing = "def judge(batch):\n    os.kill(os.getppid(), signal.SIGKILL)\n    time.sleep(9)\n"
    gone = result_of(_audit(tmp_path, killing), "own")
    assert not gone.passed and "not checked: " in gone.message
    assert result_of(_audit(tmp_path, source), "own").passed
    server = client._server().process
    assert server is not None
    server.kill()
    server.wait()
    assert result_of(_audit(tmp_path, source), "own").passed


def test_an_answer_is_to_the_question_that_was_asked() -> None:
    asked, other = Question(0, 1, "rules:judge"), Question(0, 2, "rules:judge")
    assert read_answer(answer_line(asked, Outcome(3)), asked, 5) == Outcome(3)
    for line in (answer_line(other, Outcome(0)), b"[]\n", b"\xff\n", b'{"part": 0, "place": 1}\n'):
        assert read_answer(line, asked, 5).problem is not None
    escaped = read_answer(answer_line(asked, Outcome(problem="\x1b[2J\nred")), asked, 5)
    assert escaped.problem == "[2J red"
