"""Running dbt: one process a command, away from the network and from the author's project folder.

Belongs here: starting dbt, its environment and its events.
Does not belong here: what the project holds (`composition.py`), what its results mean, or what
its errors say (`messages.py`).

dbt runs as a process of its own, not through dbt's in-process runner: that keeps global state
(flags, adapters, event handlers, the current directory) and one DuckDB connection a process, so
that two models in threads of one process would mix. `DbtCliInvocation` is used without
`DbtCliResource`, whose `cli()` asks a package index for dbt's newest version and changes this
process's current directory.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_resources.confinement.variables import seen_by_domain
from shared_resources.data_products.dbt.messages import DbtModelFailed, readable

if TYPE_CHECKING:
    from shared_resources.data_products.dbt.target import DbtTarget

_LEFT_OUT = "NodeNotFoundOrDisabled"


def parse(project: Path, target: DbtTarget, named: Sequence[str] = ()) -> None:
    """Write `target/manifest.json` (and what partial parsing needs) into the composed project.

    `named` are the variables that the domain may see beside everybody's. Raises `DbtModelFailed`
    with dbt's errors.
    """
    done = subprocess.run(
        [*command(target), "parse"],
        cwd=project,
        env=variables(project, target.parsing(), named),
        capture_output=True,
        text=True,
        check=False,
    )
    said = [event["info"] for event in _json_lines(done.stdout)]
    if done.returncode:
        found = [info["msg"] for info in said if info["level"] == "error"]
        raise DbtModelFailed(readable(found or [done.stderr or done.stdout]))
    # dbt leaves out a test that names what there is not, with a warning that nobody would see.
    if untested := [info["msg"] for info in said if info["name"] == _LEFT_OUT]:
        raise DbtModelFailed(readable(untested))


def build(
    project: Path,
    target: DbtTarget,
    given: Mapping[str, str],
    selected: list[str],
    named: Sequence[str] = (),
) -> list[Any]:
    """`dbt build` of exactly the nodes `selected`; returns dagster-dbt's events of it.

    `given` are the variables of this run, which reach dbt's process alone; `named` those that the
    domain may see beside everybody's. A model can render each of them.

    A failed model or test is in `run_results.json`, not an exception. Raises `DbtModelFailed` when
    dbt gave up before it ran anything.
    """
    from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation
    from dagster_dbt.compat import DBT_PYTHON_VERSION

    assert DBT_PYTHON_VERSION is not None, "dbt-core is a dependency of the platform"
    invocation = DbtCliInvocation.run(
        args=[*command(target), "build", "--indirect-selection", "empty", "--select", *selected],
        env=variables(project, given, named),
        manifest={},
        dagster_dbt_translator=DagsterDbtTranslator(),
        project_dir=project,
        target_path=project / "target",
        raise_on_error=False,
        context=None,
        adapter=None,
        cli_version=DBT_PYTHON_VERSION,
    )
    try:
        with _quiet():
            events = list(invocation.stream_raw_events())
    finally:
        if invocation.process.poll() is None:
            invocation.process.terminate()
        invocation.process.wait()
    if not (project / "target" / "run_results.json").exists():
        errors = [str(e) for e in events if e.raw_event["info"]["level"] == "error"]
        code = invocation.process.returncode
        ended = f"dbt ended with exit code {code} before it ran anything; was it killed?"
        raise DbtModelFailed(readable(errors or [ended]))
    return events


def command(target: DbtTarget) -> tuple[str, ...]:
    return (sys.executable, "-P", "-c", target.start, "--no-use-colors")


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
        "PYTHONUNBUFFERED": "1",
    }


class _Nowhere(io.TextIOBase):
    """dagster-dbt prints dbt's lines as they come; what matters of them is in the results."""

    def write(self, text: str) -> int:
        return len(text)


_quieted = threading.Lock()
_builds = 0
_stdout: Any = None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Standard output belongs to whoever called us (`--json`), and dbt's lines may quote values.

    Builds in several threads share one redirection: nested ones would restore each other's.
    """
    global _builds, _stdout
    with _quieted:
        if not _builds:
            _stdout, sys.stdout = sys.stdout, _Nowhere()
        _builds += 1
    try:
        yield
    finally:
        with _quieted:
            _builds -= 1
            if not _builds:
                sys.stdout, _stdout = _stdout, None


def _json_lines(text: str) -> Iterator[Mapping[str, Any]]:
    for line in text.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line)
