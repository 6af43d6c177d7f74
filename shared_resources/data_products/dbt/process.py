"""Running dbt: one process a command, away from the network and from the author's project folder.

Belongs here: starting dbt, its environment and its events.
Does not belong here: what the project holds (`composition.py`), what its results mean, or what
its errors say (`messages.py`).

dbt runs as a process of its own, not through dbt's in-process runner: that keeps global state
(flags, adapters, event handlers, the current directory) and one DuckDB connection a process, so
that two models in threads of one process would mix. Not through dagster-dbt either: it imports dbt
into this process, which takes longer than most models.
"""

from __future__ import annotations

import json
import subprocess
import sys
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
    said = list(_told(done.stdout))
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
) -> None:
    """`dbt build` of exactly the nodes `selected`; what came of them is in `run_results.json`.

    `given` are the variables of this run, which reach dbt's process alone; `named` those that the
    domain may see beside everybody's. A model can render each of them.

    Raises `DbtModelFailed` when dbt gave up before it ran anything. A failed model or test is no
    exception.
    """
    errors: list[str] = []
    process = subprocess.Popen(
        [*command(target), "build", "--indirect-selection", "empty", "--select", *selected],
        cwd=project,
        env=variables(project, given, named),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdout is not None
    with process.stdout as lines:
        try:
            # Line by line: what a model prints is not kept. It may quote values, and goes nowhere.
            for line in lines:
                errors += [info["msg"] for info in _told(line) if info["level"] == "error"]
        except BaseException:
            process.terminate()
            raise
        finally:
            process.wait()
    if not (project / "target" / "run_results.json").exists():
        ended = (
            f"dbt ended with exit code {process.returncode} before it ran anything; was it killed?"
        )
        raise DbtModelFailed(readable(errors or [ended]))


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


def _told(text: str) -> Iterator[Mapping[str, Any]]:
    """What dbt's events say; a model can print lines between them, JSON of its own among them."""
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        info = event.get("info") if isinstance(event, dict) else None
        if isinstance(info, dict) and info.keys() >= {"name", "level", "msg"}:
            yield info
