"""dbt's and the engines' errors as one readable message: the author's file, the line, the reason.

Belongs here: what the engines' words look like, and what of them may be shown.
Does not belong here: running dbt (`process.py`), or what a failed test means (`checks.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shared_resources.confinement.withholding import withheld, words_of
from shared_resources.problems import MeshProblem

_QUOTED_LINE = re.compile(r"^\s*LINE \d+: (.*)$", re.MULTILINE)
_EXCERPT = re.compile(r"\n?\s*LINE \d+: .*(\n[ ^]*$)?", re.MULTILINE)
_NAMED = re.compile(
    r"(?:column(?: named)?|name|invalid identifier|Unknown function) [\"']?([^\"'\s!]+)[\"']?"
)
# Snowflake's place in the statement, and the check's before it
# (`data_products/dbt/on_snowflake/confinement.py`).
_PLACE = re.compile(r"error line (\d+) at position \d+")
# Snowflake's states of class 22 are about data.
_OF_A_VALUE = re.compile(
    r"(?:Conversion|Invalid Input|Out of Range|Constraint) Error|^\s*\d{6} \(22\w{3}\)",
    re.MULTILINE,
)
_QUOTED_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|(?<=\bvalue )[-+.]?\d\S*")
_COMPILED_AT = re.compile(r"\n?\s*compiled code at .*")
_TRACEBACK = re.compile(r"\n?Traceback \(most recent call last\):\n.*", re.DOTALL)
_HEADING = re.compile(r"^\w+ Error in [\w ]+ \([^)]*\)\s*")


class DbtModelFailed(MeshProblem):
    """A model (or its project) does not compile or run; the message names the file and why."""


def readable(errors: list[str]) -> str:
    """dbt's messages as one, its own paths turned into those of the author's project."""
    text = "\n".join(dict.fromkeys(error.strip() for error in errors))
    text = _TRACEBACK.sub("", _COMPILED_AT.sub("", text))
    return re.sub(r"\b((?:models|macros|tests)/[\w./-]+)", r"dbt_project/\1", text)


def failure(node: Mapping[str, Any], message: str, project: Path) -> DbtModelFailed:
    """The error of a model that dbt could not run, with the line of its file if it is known."""
    file = node["original_file_path"]
    reason = reason_of(message)
    line = _line_in_source(node, reason, project)
    place = f"dbt_project/{file}" + (f":{line}" if line else "")
    source = (project / file).read_text("utf-8", "replace") + _written(node, project, "compiled")
    return DbtModelFailed(f"{place}: dbt could not run the model: {shown(reason, source)}")


def shown(reason: str, source: str = "") -> str:
    """The reason without what may be a value, which SQL can put into any message.

    What remains are the engine's words, its codes, and the words of the model's `source`.
    """
    found = _OF_A_VALUE.search(reason)
    return reason if found is None else withheld(reason, words_of(source, found[0]))


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
    """The author's line, where the reason tells it: by its place, its text, or what it names.

    An engine's own line number counts in the statement that dbt wrote around the compiled model.
    """
    source = (project / node["original_file_path"]).read_text(encoding="utf-8").splitlines()
    compiled = _written(node, project, "compiled")
    if quoted := _QUOTED_LINE.search(reason):
        return _same_line(quoted[1], compiled.splitlines(), source)
    if place := _PLACE.search(reason):
        statement = _written(node, project, "run").strip()
        start = statement.find(compiled.strip())
        lines = compiled.strip().splitlines()
        at = int(place[1]) - statement[:start].count("\n") - 1
        if start >= 0 and 0 <= at < len(lines):
            before = len(compiled[: compiled.find(lines[0])].splitlines())
            same = len(compiled.splitlines()) == len(source)
            return before + at + 1 if same else _same_line(lines[at], lines, source)
    if named := _NAMED.search(reason):
        word = re.compile(rf"\b{re.escape(named[1].rpartition('.')[2])}\b", re.IGNORECASE)
        return _only(source, lambda line: bool(word.search(line)))
    return None


def _same_line(text: str, compiled: list[str], source: list[str]) -> int | None:
    """The author's line of this text: by its number, if compiling neither added nor took lines."""
    found = _only(compiled, lambda line: line.strip() == text.strip())
    if found is not None and len(compiled) == len(source):
        return found
    return _only(source, lambda line: line.strip() == text.strip())


def _written(node: Mapping[str, Any], project: Path, what: str) -> str:
    """The model as dbt compiled it, or the statement that it wrote around that (`run`)."""
    file = project / "target" / what / node["package_name"] / node["original_file_path"]
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _only(lines: list[str], wanted: Callable[[str], bool]) -> int | None:
    """The number of the one line that is wanted; None when there are several or none."""
    found = [number for number, line in enumerate(lines, start=1) if wanted(line)]
    return found[0] if len(found) == 1 else None
