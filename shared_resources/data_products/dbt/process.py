"""Running dbt: one process a command, away from the network and from the author's project folder.

Belongs here: starting dbt, its environment and its events.
Does not belong here: what the project holds (`composition.py`), what its results mean, what
its errors say (`messages.py`), or the server that may run a command (`forking/`).

dbt runs as a process of its own, not through dbt's in-process runner: that keeps global state
(flags, adapters, event handlers, the current directory) and one DuckDB connection a process, so
that two models in threads of one process would mix. Not through dagster-dbt either: it imports dbt
into this process, which takes longer than most models.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from shared_resources.confinement.variables import seen_by_domain
from shared_resources.data_products.dbt.forking import asking
from shared_resources.data_products.dbt.forking.asking import ServerEnded
from shared_resources.data_products.dbt.messages import DbtModelFailed, readable

if TYPE_CHECKING:
    from shared_resources.data_products.dbt.target import DbtTarget

_LEFT_OUT = "NodeNotFoundOrDisabled"
_IMPORTED_BY = {"build": "dbt.task.build"}  # by dbt's command line, once it is asked for that
# Before dbt is imported: whoever waits for it may be killed meanwhile.
_ENDS_WITH = (
    "from shared_resources.data_products.dbt.forking.parent import end_with; end_with({parent}); "
)


def expect(target: DbtTarget, parsing: bool) -> None:
    """Have dbt's server, where there is one, import what commands need before the first is given."""
    asking.expect((*target.prepared, *_IMPORTED_BY.values()), parsing)


def parse(project: Path, target: DbtTarget, named: Sequence[str] = ()) -> None:
    """Write `target/manifest.json` (and what partial parsing needs) into the composed project.

    `named` are the variables that the domain may see beside everybody's. Raises `DbtModelFailed`
    with dbt's errors.
    """
    given = variables(project, target.parsing(), named)
    try:
        code, said, printed = _parsed(project, target, given)
    except ServerEnded:
        shutil.rmtree(project / "target", ignore_errors=True)
        code, said, printed = _parsed(project, target, given)
    if code:
        found = [info["msg"] for info in said if info["level"] == "error"]
        raise DbtModelFailed(readable(found or ["".join(printed) or f"dbt ended with {code}"]))
    # dbt leaves out a test that names what there is not, with a warning that nobody would see.
    if untested := [info["msg"] for info in said if info["name"] == _LEFT_OUT]:
        raise DbtModelFailed(readable(untested))


def _parsed(
    project: Path, target: DbtTarget, given: Mapping[str, str]
) -> tuple[int, list[Mapping[str, Any]], list[str]]:
    """dbt's exit code, its events, and what else it printed: why it broke down, if it did."""
    said: list[Mapping[str, Any]] = []
    printed: list[str] = []

    def hear(line: str) -> None:
        info = _told(line)
        if info is None:
            printed.append(line)
        else:
            said.append(info)

    return _run(project, target, ["parse"], given, hear), said, printed


def build(
    project: Path,
    target: DbtTarget,
    given: Mapping[str, str],
    selected: list[str],
    named: Sequence[str] = (),
) -> None:
    """`dbt build` of exactly the nodes `selected`; what came of them is in `run_results.json`.

    `given` are the variables of this run, which reach dbt's process alone; `named` those that the
    domain may see beside everybody's. A model can render each of them.

    Raises `DbtModelFailed` when dbt gave up before it ran anything. A failed model or test is no
    exception. Raises `ServerEnded` when the run's place is half built: give it another.
    """
    errors: list[str] = []

    def hear(line: str) -> None:
        # What a model prints is not kept. It may quote values, and goes nowhere.
        info = _told(line)
        if info is not None and info["level"] == "error":
            errors.append(info["msg"])

    arguments = ["build", "--indirect-selection", "empty", "--select", *selected]
    code = _run(project, target, arguments, variables(project, given, named), hear)
    if not (project / "target" / "run_results.json").exists():
        ended = f"dbt ended with exit code {code} before it ran anything; was it killed?"
        raise DbtModelFailed(readable(errors or [ended]))


class _Process(Protocol):
    """dbt, running. `lines` is what it prints."""

    @property
    def lines(self) -> IO[str]: ...

    def end(self) -> None: ...

    def wait(self) -> int: ...


class _Own:
    """dbt as a process that this one has started."""

    def __init__(
        self,
        project: Path,
        target: DbtTarget,
        arguments: Sequence[str],
        given: Mapping[str, str],
    ) -> None:
        self._process = subprocess.Popen(
            [*command(target), *arguments],
            cwd=project,
            env={**given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )

    @property
    def lines(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def end(self) -> None:
        self._process.terminate()

    def wait(self) -> int:
        return self._process.wait()


def _run(
    project: Path,
    target: DbtTarget,
    arguments: Sequence[str],
    given: Mapping[str, str],
    hear: Callable[[str], None],
) -> int:
    """dbt's exit code; `hear` is given each line that it prints. Raises `ServerEnded`."""
    more = _IMPORTED_BY.get(arguments[0])
    modules = (*target.prepared, *([more] if more else []))
    arguments = ["--no-use-colors", *arguments]
    asked = asking.ask(target.module, modules, project, arguments, given)
    process: _Process = asked or _Own(project, target, arguments, given)
    with process.lines as lines:
        try:
            for line in lines:
                hear(line)
        except BaseException:
            process.end()
            raise
        finally:
            code = process.wait()
    return code


def command(target: DbtTarget) -> tuple[str, ...]:
    """dbt's command line as a process that ends with this one; its arguments follow."""
    start = f"from {target.module} import main; main()"
    return (sys.executable, "-P", "-c", _ENDS_WITH.format(parent=os.getpid()) + start)


def variables(project: Path, given: Mapping[str, str], named: Sequence[str] = ()) -> dict[str, str]:
    """dbt's environment. A model can publish each of them: `env_var` renders it into SQL."""
    written = str(project / "target")
    return {
        **seen_by_domain(named),
        **given,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "DBT_LOG_FORMAT": "json",
        "DBT_LOG_LEVEL_FILE": "none",
        "DBT_PROFILES_DIR": str(project),
        "DBT_PROJECT_DIR": str(project),
        "DBT_TARGET_PATH": written,
        "DBT_LOG_PATH": written,
        **asking.UNBUFFERED,
    }


def _told(line: str) -> Mapping[str, Any] | None:
    """What dbt's event says; a model can print lines between them, JSON of its own among them."""
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return None
    info = event.get("info") if isinstance(event, dict) else None
    if isinstance(info, dict) and info.keys() >= {"name", "level", "msg"}:
        return info
    return None
