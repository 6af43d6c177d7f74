"""What a child of the rule server is told, and what it answers: lines of JSON, never objects.

Belongs here: both forms, and checking an answer, which code of a domain may have written.
Does not belong here: sending and receiving them (`client.py`, `child.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from shared_resources.governance.audit.engine.outcome import Outcome

READY = b"ready\n"  # before any code of a domain has run
MOST_BYTES = 1 << 16  # of one answer
_MOST_SAID = 600
_AT_ONCE_SECONDS = 10.0
_CONTROL = re.compile(r"[^\x20-\x7e\xa0-\U0010ffff]+")
_FORGED = "its process answered something that is no answer of a rule"


@dataclass(frozen=True)
class Question:
    """One rule on one part. `text` is the query, or the function as `rules:name`."""

    part: int
    place: int
    text: str


@dataclass(frozen=True)
class Job:
    """Rules of one kind, on parts given as Parquet files: (path, partition, rows) of each.

    `views` are, for queries, what they see of each part, as SQL: of one part nobody reads a schema again.
    `scratch` is the one folder that the child may write to. `private`: values in messages are
    masked. `memory` are the bytes that the child may take beside its libraries, `engine_memory`
    what its DuckDB holds before it spills, `variables` those that its `domain.yaml` names.
    """

    python: bool
    parts: tuple[tuple[tuple[str, str, int], ...], ...]
    questions: tuple[Question, ...]
    folder: str
    scratch: str
    private: bool
    seconds: float
    memory: int
    engine_memory: str
    views: tuple[str, ...] = ()
    search_path: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def at_once_seconds(self) -> float:
        """How long a query may be tried on many parts at once, before it is asked of each."""
        return 0.0 if self.python else min(self.seconds, _AT_ONCE_SECONDS)

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


def read_job(line: bytes) -> Job:
    given = json.loads(line)
    given["questions"] = tuple(Question(**question) for question in given["questions"])
    given["parts"] = tuple(tuple(tuple(file) for file in part) for part in given["parts"])
    given["views"] = tuple(given["views"])
    given["search_path"] = tuple(given["search_path"])
    return Job(**given)


def answer_line(question: Question, outcome: Outcome) -> bytes:
    """The answer; its number as text, so that none is rounded on the way."""
    value = outcome.value
    said = {
        "part": question.part,
        "place": question.place,
        "kind": type(value).__name__,
        "value": repr(value) if isinstance(value, float) else str(value),
        "problem": outcome.problem,
        "verdict": outcome.verdict,
    }
    return json.dumps(said).encode() + b"\n"


def read_answer(line: bytes, question: Question, rows: int | None) -> Outcome:
    """The outcome that a line says; a problem when it is no answer to this very question.

    `rows` are those of the part, for a rule that counts failing ones.
    """
    try:
        said = json.loads(line)
        if (said["part"], said["place"]) != (question.part, question.place):
            return Outcome(problem=_FORGED)
        problem, verdict = said["problem"], said["verdict"]
        if problem is not None:
            return Outcome(problem=readable(str(problem)))
        value = _number(said)
    except (ValueError, KeyError, TypeError, InvalidOperation, RecursionError):
        return Outcome(problem=_FORGED)
    if verdict is not None:
        return Outcome(int(verdict is not True), verdict=verdict is True)
    if rows is not None and not 0 <= value <= rows:
        said_rows = f"the batch has {rows:,}"
        return Outcome(problem=f"it answered that {value:,} rows fail; {said_rows}")
    return Outcome(value)


def _number(said: dict[str, Any]) -> Any:
    kinds = {"int": int, "float": float, "Decimal": Decimal}
    return kinds[said["kind"]](str(said["value"]))


def readable(text: str) -> str:
    """A message of a domain's code as one line, without what a terminal would obey."""
    line = _CONTROL.sub(" ", text).strip()
    return line if len(line) <= _MOST_SAID else line[: _MOST_SAID - 1] + "…"


def left(questions: Sequence[Question], place: int) -> tuple[Question, ...]:
    """The questions that are not about the rule at `place`."""
    return tuple(question for question in questions if question.place != place)
