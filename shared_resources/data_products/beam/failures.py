"""Why a pipeline failed, out of what a runner says of it: the step, the error, the author's line.

Belongs here: reading the error of a runner in this process, and the text of one from elsewhere.
Does not belong here: what of it may be shown (`makers/errors.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb

from shared_resources.problems import MeshProblem

_STEP = re.compile(r"\s*\[while running '(?P<step>[^']*)'\]")
_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
# The last line of a traceback and what follows it: `ValueError: its text`.
_ERROR = re.compile(r"^(?P<kind>[A-Za-z_][\w.]*)(?:: (?P<text>.*))?$", re.MULTILINE | re.DOTALL)
_SUFFIXES = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)


@dataclass(frozen=True)
class Failure:
    """`kind` is the error's class, `place` the author's file and line, `step` the transform's label;
    each is empty where the runner does not say it. `text` may hold values."""

    kind: str
    text: str
    place: str = ""
    step: str = ""


class PipelineFailed(MeshProblem):
    """A transform raised an error, or the runner gave up. Its own message holds no value."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"the pipeline failed with {failure.kind}")
        self.failure = failure


def failure_of(problem: BaseException, folder: Path) -> Failure:
    """What the runner's error says; `folder` is the product's, where its author's lines are."""
    text = str(problem)
    if "Traceback (most recent call last)" in text:
        return _in_text(text, folder)
    step = _STEP.findall(text)
    places = [
        f"{frame.filename}:{frame.lineno}"
        for one in _chain(problem)
        for frame in extract_tb(one.__traceback__)
        if frame.filename.startswith(f"{folder}/")
    ]
    kind = type(problem).__name__
    return Failure(
        kind, _STEP.sub("", text), places[-1] if places else "", step[-1] if step else ""
    )


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    """The error and those that it was raised for, the first of them last."""
    seen: set[int] = set()
    while problem is not None and id(problem) not in seen:
        seen.add(id(problem))
        yield problem
        problem = problem.__cause__ or problem.__context__


def _in_text(text: str, folder: Path) -> Failure:
    """The last traceback of the text: Beam raises the author's error again, with the step at its end."""
    frames = list(_FRAME.finditer(text))
    places = [
        f"{one['file']}:{one['line']}" for one in frames if one["file"].startswith(f"{folder}/")
    ]
    steps = _STEP.findall(text)
    said = text[frames[-1].end() :] if frames else text
    found = _ERROR.search(said)
    kind = found["kind"].rpartition(".")[2] if found else "error"
    rest = (found["text"] or "") if found else said
    rest = _STEP.split(rest)[0]
    for suffix in _SUFFIXES:
        rest = rest.split(suffix)[0]
    return Failure(kind, rest.strip(), places[-1] if places else "", steps[-1] if steps else "")
