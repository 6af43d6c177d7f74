"""The child that asks the rules: one kind of them, on the files that it is told, and no more.

Belongs here: its life, from its limits to its last answer.
Does not belong here: what a query or a function may be (`domain_rules/sql.py`, `domain_rules/python.py`).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from shared_resources.contracts.rules.view import BATCH
from shared_resources.governance.audit.domain_rules.process.job import (
    READY,
    Job,
    answer_line,
    read_job,
)
from shared_resources.governance.audit.domain_rules.process.limits import (
    drop_privileges,
    end_with_parent,
    limit_memory,
    limit_processor,
    stand_apart,
    write_only_below,
)
from shared_resources.governance.audit.domain_rules.sql import (
    RuleProblem,
    TimeLimit,
    confined_connection,
    run_query,
)
from shared_resources.governance.audit.engine.outcome import Outcome

if TYPE_CHECKING:
    from shared_resources.governance.audit.domain_rules.many_parts import ManyParts
    from shared_resources.governance.audit.engine.staged_data import StagedData

PATIENCE_SECONDS = 60.0  # for reading the batch, beside the time that the questions may take


def answer(channel: socket.socket) -> None:
    """Read the job from the channel, confine this process, and answer question by question."""
    os.setsid()
    end_with_parent(signal.SIGKILL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    with channel.makefile("rb") as told:
        job = read_job(told.readline())
    channel.sendall(READY)
    os.environ["TMPDIR"] = job.scratch
    os.environ["MESH_AUDIT_MEMORY"] = job.engine_memory
    sys.path[:] = job.search_path
    os.chdir(job.scratch)
    os.environ.update(job.variables)
    limit_memory(job.memory)
    limit_processor(job.seconds * len(job.questions) + PATIENCE_SECONDS)
    drop_privileges()
    if not write_only_below(Path(job.scratch)):
        stand_apart()
    (_ask_functions if job.python else _ask_queries)(job, channel)


def _ask_queries(job: Job, channel: socket.socket) -> None:
    wanted = dict.fromkeys(question.part for question in job.questions)
    paths = tuple(Path(path) for part in wanted for path, _, _ in job.parts[part])
    prepared = next(iter(wanted))

    def begin(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(_view(job.views[prepared]))

    with (
        confined_connection(begin, paths, Path(job.scratch)) as connection,
        TimeLimit(connection, job.seconds) as clock,
        _many_parts(connection, job, wanted) as many,
    ):
        for question in job.questions:

            def ask(part: int = question.part, query: str = question.text) -> Outcome:
                nonlocal prepared
                if many is not None and (answer := many.answer(query, part)) is not None:
                    return Outcome(answer)
                if part != prepared:
                    prepared = part
                    connection.execute(_view(job.views[part]))
                return Outcome(run_query(connection, query, clock, private=job.private))

            channel.sendall(answer_line(question, _outcome(ask, question.text, python=False)))


def _many_parts(
    connection: duckdb.DuckDBPyConnection, job: Job, wanted: Collection[int]
) -> AbstractContextManager[ManyParts | None]:
    """What asks of all parts at once; None where there is one."""
    if len(wanted) < 2:
        return nullcontext()
    # The server has imported what it needs before it forked, and has not for a single part.
    from shared_resources.governance.audit.domain_rules.many_parts import ManyParts

    parts = {part: _data(job, part) for part in wanted}
    return ManyParts(connection, parts, job.at_once_seconds)


def _view(query: str) -> str:
    """The view `batch` as `sql` rules see it."""
    return f"CREATE OR REPLACE TEMP VIEW {BATCH} AS {query}"


def _data(job: Job, part: int) -> StagedData:
    from shared_resources.governance.audit.engine.staged_data import staged_files

    return staged_files(job.parts[part], Path(job.scratch))


def _ask_functions(job: Job, channel: socket.socket) -> None:
    from shared_resources.governance.audit.domain_rules.python import run_custom

    for question in job.questions:
        data = _data(job, question.part)

        def ask(name: str = question.text, data: StagedData = data) -> Outcome:
            found = run_custom(name, data, job.private, Path(job.folder), Path(job.scratch))
            if isinstance(found, bool):
                return Outcome(int(not found), verdict=found)
            return Outcome(found)

        channel.sendall(answer_line(question, _outcome(ask, question.text, python=True)))


def _outcome(ask: Callable[[], Outcome], text: str, *, python: bool) -> Outcome:
    said = text if python else "the query"
    try:
        return ask()
    except RuleProblem as problem:
        return Outcome(problem=str(problem))
    except MemoryError:
        return Outcome(problem=f"{said} took more memory than a rule may have")
    except SystemExit as ended:
        return Outcome(problem=f"{said} called sys.exit({ended.code!r:.40}) instead of answering")
    except BaseException as problem:  # noqa: BLE001 - whatever ends a rule is its outcome
        return Outcome(problem=f"{said} was ended by {type(problem).__name__}")
