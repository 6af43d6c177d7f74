"""Running dbt: one process a command, away from the network and from the author's project folder.

Belongs here: starting dbt, its environment, its events, and turning its errors into one message.
Does not belong here: what the project holds (`dbt_composition.py`) or what its results mean.

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
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_START = "from dbt.cli.main import cli; cli()"  # the `dbt` script need not be on the PATH
_COMMAND = (sys.executable, "-P", "-c", _START, "--no-use-colors")
_QUOTED_LINE = re.compile(r"^\s*LINE \d+: (.*)$", re.MULTILINE)
_EXCERPT = re.compile(r"\n?\s*LINE \d+: .*(\n[ ^]*$)?", re.MULTILINE)
_NAMED = re.compile(r'(?:column(?: named)?|name) "?([^"\s!]+)"?')
_OF_A_VALUE = re.compile(r"(?:Conversion|Invalid Input|Out of Range|Constraint) Error")
_QUOTED_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"")
_COMPILED_AT = re.compile(r"\n?\s*compiled code at .*")
_HEADING = re.compile(r"^\w+ Error in [\w ]+ \([^)]*\)\s*")


class DbtModelFailed(Exception):
    """A model (or its project) does not compile or run; the message names the file and why."""


def parse(project: Path) -> None:
    """Write `target/manifest.json` (and what partial parsing needs) into the composed project.

    Raises `DbtModelFailed` with dbt's errors.
    """
    done = subprocess.run(
        [*_COMMAND, "parse"],
        cwd=project,
        env=_variables(project),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        found = [
            event["info"]["msg"]
            for event in _json_lines(done.stdout)
            if event["info"]["level"] == "error"
        ]
        raise DbtModelFailed(readable(found or [done.stderr or done.stdout]))


def build(project: Path, selected: list[str]) -> list[Any]:
    """`dbt build` of exactly the nodes `selected`; returns dagster-dbt's events of it.

    A failed model or test is in `run_results.json`, not an exception. Raises `DbtModelFailed` when
    dbt gave up before it ran anything.
    """
    from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation
    from dagster_dbt.compat import DBT_PYTHON_VERSION

    assert DBT_PYTHON_VERSION is not None, "dbt-core is a dependency of the platform"
    invocation = DbtCliInvocation.run(
        args=[*_COMMAND, "build", "--indirect-selection", "empty", "--select", *selected],
        env=_variables(project),
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


def _variables(project: Path) -> dict[str, str]:
    """The caller's environment without its own dbt settings, which would change what is run."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("DBT_")}
    target = str(project / "target")
    return {
        **inherited,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "DBT_LOG_FORMAT": "json",
        "DBT_LOG_LEVEL_FILE": "none",
        "DBT_PROFILES_DIR": str(project),
        "DBT_PROJECT_DIR": str(project),
        "DBT_TARGET_PATH": target,
        "DBT_LOG_PATH": target,
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


def readable(errors: list[str]) -> str:
    """dbt's messages as one, its own paths turned into those of the author's project."""
    text = "\n".join(dict.fromkeys(error.strip() for error in errors))
    text = _COMPILED_AT.sub("", text)
    return re.sub(r"\b((?:models|macros|tests)/[\w./-]+)", r"dbt_project/\1", text)


def failure(node: Mapping[str, Any], message: str, project: Path) -> DbtModelFailed:
    """The error of a model that dbt could not run, with the line of its file if it is known."""
    file = node["original_file_path"]
    reason = reason_of(message)
    line = _line_in_source(node, reason, project)
    place = f"dbt_project/{file}" + (f":{line}" if line else "")
    return DbtModelFailed(f"{place}: dbt could not run the model: {reason}")


def reason_of(message: str) -> str:
    """The engine's own words, without what is wrong or secret in them.

    Behind a leading comment, which dbt writes, DuckDB 2.0 shows the right excerpt of the statement
    in its parser's errors only. An error of a value quotes the value, which may be classified.
    """
    reason = _HEADING.sub("", _COMPILED_AT.sub("", message.strip()))
    if "Parser Error" not in reason:
        reason = _EXCERPT.sub("", reason)
    if _OF_A_VALUE.search(reason):
        reason = _QUOTED_VALUE.sub("(a value)", reason)
    return "\n".join(line for line in reason.splitlines() if line.strip())


def _line_in_source(node: Mapping[str, Any], reason: str, project: Path) -> int | None:
    """The author's line, where the reason tells it: by the line's text, or by what it names.

    The engine's own line number counts in the statement that dbt wrote around the compiled model.
    """
    source = (project / node["original_file_path"]).read_text(encoding="utf-8").splitlines()
    if quoted := _QUOTED_LINE.search(reason):
        compiled = _compiled(node, project)
        found = _only(compiled, lambda line: line.strip() == quoted[1].strip())
        if found is not None and len(compiled) == len(source):
            return found
        return _only(source, lambda line: line.strip() == quoted[1].strip())
    if named := _NAMED.search(reason):
        word = re.compile(rf"\b{re.escape(named[1])}\b")
        return _only(source, lambda line: bool(word.search(line)))
    return None


def _compiled(node: Mapping[str, Any], project: Path) -> list[str]:
    file = project / "target" / "compiled" / node["package_name"] / node["original_file_path"]
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def _only(lines: list[str], wanted: Callable[[str], bool]) -> int | None:
    """The number of the one line that is wanted; None when there are several or none."""
    found = [number for number, line in enumerate(lines, start=1) if wanted(line)]
    return found[0] if len(found) == 1 else None
