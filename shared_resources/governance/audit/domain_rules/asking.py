"""Rules that a domain wrote itself, as SQL or as Python: each asked of each part.

Belongs here: going through them, their limits, the files that they see, and that these stay as they are.
Does not belong here: the process that they run in (`rule_process/`), confining a query
(`sql.py`), calling a function (`python.py`).

All queries of an audit share a child process; each function has one to itself, so that none can
answer for another. A function gets its answer, or what kept it from one, no further than that.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared_resources.confinement.guard import platform_variables
from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.kind import OwnKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.governance.audit.domain_rules.process import client
from shared_resources.governance.audit.domain_rules.process.job import Job, Question
from shared_resources.governance.audit.domain_rules.process.server import FRAMES, SCHEMAS
from shared_resources.governance.audit.domain_rules.sql import time_limit
from shared_resources.governance.audit.engine.connection import (
    float_columns,
    memory_limit,
    parquet_scan,
    without_nan,
)
from shared_resources.governance.audit.engine.outcome import Outcome, Parts
from shared_resources.governance.audit.engine.staged_data import (
    Auditable,
    StagedData,
    staged_files,
)
from shared_resources.parquet import write_parquet

MIB = 1 << 20
# A function holds the whole batch as a frame; DuckDB spills, and needs room for its threads besides.
FUNCTION_MEMORY = 2048 * MIB
FUNCTION_SECONDS = 300.0
_ENGINE_OVERHEAD = 512 * MIB
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_AMOUNT = re.compile(r"\s*([0-9.]+)\s*([KMGT]?)(I?)(?:B|BYTES?)?\s*", re.IGNORECASE)


def prepare(rules: Sequence[Rule], parts: int) -> None:
    """Start what the rules will need, while the audit is still busy with its own."""
    own = [kind for kind in map(kind_of, rules) if isinstance(kind, OwnKind)]
    if any(kind.python for kind in own):
        client.prepare(FRAMES)
    if any(not kind.python for kind in own):
        client.prepare(SCHEMAS if parts > 1 else None)


def ask_domain_rules(
    parts: Parts,
    contract: Contract,
    rules: Sequence[Rule],
    folder: Path,
    scratch: Path | None,
    rows: Sequence[int],
) -> list[dict[int, Outcome]]:
    """The outcomes of the `sql` and `custom` rules in each part, by the rule's place.

    `rows` are those of each part. `scratch` is as in `audit_connection`.
    """
    outcomes: list[dict[int, Outcome]] = [{} for _ in parts]
    asked = _questions(parts, rules, outcomes)
    if not asked:
        return outcomes
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(prefix=".audit-rules-", dir=scratch)).resolve()
    try:
        staged = [_staged(data, own / f"part-{n}") for n, (data, _) in enumerate(parts)]
        files = tuple(map(_files, staged))
        work = own / "work"
        work.mkdir()
        jobs = [
            replace(job, variables=_variables(folder))
            if job.python
            else replace(job, views=tuple(map(_view, staged)))
            for job in _jobs(asked, rules, files, contract, folder, work)
        ]
        before = _prints(files)
        for job in jobs:
            for (part, place), outcome in client.run(job, list(rows)).items():
                outcomes[part][place] = outcome
            if _prints(files) != before:
                return _spoilt(job, asked, rules, outcomes)
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return outcomes


def _questions(
    parts: Parts, rules: Sequence[Rule], outcomes: list[dict[int, Outcome]]
) -> list[Question]:
    """What is to be asked, part by part; a rule that lacks its column has its outcome already."""
    asked = []
    for number, (_, found) in enumerate(parts):
        for place, rule in enumerate(rules):
            kind = kind_of(rule)
            if not isinstance(kind, OwnKind):
                continue
            obstacle = found.obstacle(kind, rule.columns)
            if obstacle is not None:
                outcomes[number][place] = Outcome(problem=obstacle)
                continue
            asked.append(Question(number, place, rule.arguments[kind.of]))
    return asked


def _jobs(
    asked: Sequence[Question],
    rules: Sequence[Rule],
    files: tuple[tuple[tuple[str, str, int], ...], ...],
    contract: Contract,
    folder: Path,
    work: Path,
) -> list[Job]:
    """One job for all queries, then one for each function."""
    engine = memory_limit()

    def job(questions: Sequence[Question], given: Mapping[str, Any], *, python: bool) -> Job:
        seconds = float(given.get("seconds", FUNCTION_SECONDS))
        memory = MIB * given["memoryMiB"] if "memoryMiB" in given else FUNCTION_MEMORY
        return Job(
            python=python,
            parts=files,
            questions=tuple(questions),
            folder=str(folder.resolve()),
            scratch=str(work),
            private=bool(contract.classified_columns),
            seconds=seconds if python else time_limit(),
            memory=memory if python else _bytes(engine) + _ENGINE_OVERHEAD,
            engine_memory=engine,
            search_path=tuple(sys.path),
        )

    queries: list[Question] = []
    functions: dict[int, list[Question]] = {}
    for one in asked:
        kind = kind_of(rules[one.place])
        python = isinstance(kind, OwnKind) and kind.python
        (functions.setdefault(one.place, []) if python else queries).append(one)
    return [
        *([job(queries, {}, python=False)] if queries else []),
        *(job(of, rules[place].arguments, python=True) for place, of in functions.items()),
    ]


def _variables(folder: Path) -> dict[str, str]:
    """The variables that the code of the product's domain sees beside everybody's."""
    from shared_resources.mesh.domain_file import variables_named  # a query sees none

    known = platform_variables()
    named = variables_named(folder.resolve().parent.parent)
    return {name: known[name] for name in named if name in known}


def _bytes(amount: str) -> int:
    """DuckDB's spelling of an amount of memory; it has refused by now what is none."""
    spelling = _AMOUNT.fullmatch(amount)
    if spelling is None:
        return 512 * 10**6
    unit = spelling[2].upper()
    return int(float(spelling[1]) * (_BINARY if spelling[3] and unit else _UNITS)[unit])


def _staged(data: Auditable, into: Path) -> StagedData:
    """The part as Parquet files; what is not staged as such is written down."""
    if isinstance(data, StagedData):
        return data
    into.mkdir()
    path = into / "rows.parquet"
    reader = data.batches()
    written = write_parquet(path, reader.schema, reader)
    return staged_files([(str(path), "", written)], into)


def _files(data: StagedData) -> tuple[tuple[str, str, int], ...]:
    return tuple((str(f.path.resolve()), f.partition, f.rows) for f in data.batch.files)


def _view(data: StagedData) -> str:
    """What `sql` rules see of the part: the batch's own columns, NaN as null."""
    paths = [Path(path) for path, _, _ in _files(data)]
    return without_nan(parquet_scan(paths, data.schemas), float_columns(data.schemas))


def _prints(files: tuple[tuple[tuple[str, str, int], ...], ...]) -> list[object]:
    """What the system says of each file: whoever writes to one cannot keep its time of change."""
    prints: list[object] = []
    for path in (Path(path) for part in files for path, _, _ in part):
        try:
            said = path.stat()
        except OSError:
            prints.append(None)
            continue
        prints.append((said.st_dev, said.st_ino, said.st_size, said.st_mtime_ns, said.st_ctime_ns))
    return prints


def _spoilt(
    job: Job, asked: Sequence[Question], rules: Sequence[Rule], outcomes: list[dict[int, Outcome]]
) -> list[dict[int, Outcome]]:
    """A rule has changed the batch: nothing that was or will be found in it counts."""
    names = ", ".join(rules[place].name for place in {one.place for one in job.questions})
    problem = f"{names} changed the files of the batch, which rules only read; make it anew"
    for one in asked:
        outcomes[one.part][one.place] = Outcome(problem=problem)
    return outcomes
