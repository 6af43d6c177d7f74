"""Housekeeping as Dagster jobs: one a task and domain, each with a schedule of its own.

Belongs here: the jobs, their ops (one a product) and their schedules.
Does not belong here: what is done (`housekeeping/tasks.py`), how long things are kept
(`housekeeping/retention.py`).

The schedules run by default: a retention that somebody must first switch on is none. They are
harmless where nothing is old: a run that finds nothing to do changes nothing, in `make dev` too.
One op a product, in the product's pool: it never works on what is being published, and a product
that fails fails its step and the run, and no other product's step.

No postponed annotations here: Dagster looks at the ops' own.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from shared_resources import wiring
from shared_resources.contracts.model import Contract
from shared_resources.housekeeping.tasks import Done, Task, Unfinished, perform
from shared_resources.locations.asset_spec import pool_of

TASK_TAG = "mesh/housekeeping"


@dataclass(frozen=True)
class _Kind:
    """`hour` (UTC) is when its schedule runs, at a minute of the domain's own."""

    job: str
    hour: int
    description: str


# In this order: what compaction and expiry leave is looked for afterwards, a day later for readers.
_KINDS = {
    Task.COMPACT: _Kind("compaction", 1, "Rewrites the current versions' small files as fewer."),
    Task.EXPIRE: _Kind("expiry", 2, "Removes versions that the contracts no longer keep."),
    Task.ORPHANS: _Kind("orphan_files", 3, "Removes files that no version and no process needs."),
    Task.QUARANTINE: _Kind("quarantine_retention", 4, "Removes what was rejected too long ago."),
}


def housekeeping(
    domain: str, contracts: Sequence[Contract]
) -> tuple[list[dg.JobDefinition], list[dg.ScheduleDefinition]]:
    """The jobs of a domain's products, and their schedules; none for a domain without products."""
    if not contracts:
        return [], []
    ops = [_op(contract) for contract in contracts]
    jobs = [_job(domain, ops, task) for task in Task]
    return jobs, [_schedule(domain, job, task) for job, task in zip(jobs, Task, strict=True)]


def _job(domain: str, ops: Sequence[dg.OpDefinition], task: Task) -> dg.JobDefinition:
    kind = _KINDS[task]
    graph = dg.GraphDefinition(
        name=f"{domain}_{kind.job}",
        description=f"{kind.description} Products of the {domain} domain, one op each.",
        node_defs=ops,
    )
    return graph.to_job(tags={TASK_TAG: task.value})


def _op(contract: Contract) -> dg.OpDefinition:
    """One op for all four jobs: making four would cost a large domain a second to load."""

    @dg.op(
        name=contract.name,
        description=f"The job's task for {contract.key}, in every store that it is published in.",
        pool=pool_of(contract.key),
        out=dg.Out(dg.Nothing),
    )
    def work(context: dg.OpExecutionContext) -> Iterator[dg.Output[None]]:
        task = Task(context.job_def.tags[TASK_TAG])
        try:
            done = perform(wiring.current(), contract, task)
        except Unfinished as problem:
            for one in problem.done:
                context.log.info(_line(one))
            raise dg.Failure(
                str(problem), metadata=_metadata(problem.done), allow_retries=False
            ) from problem
        for one in done:
            context.log.info(_line(one))
        yield dg.Output(None, metadata=_metadata(done))

    return work


def _line(done: Done) -> str:
    return f"{done.product} in the {done.place}: {done.summary}"


def _metadata(done: Iterable[Done]) -> dict[str, dg.MetadataValue]:
    """The numbers of each place, lists by their length; and what was done in a sentence."""
    shown: dict[str, dg.MetadataValue] = {}
    for one in done:
        shown[one.place] = dg.MetadataValue.text(one.summary)
        for name, value in one.details.items():
            key = f"{one.place}/{name}"
            if isinstance(value, int):
                shown[key] = dg.MetadataValue.int(value)
            else:
                shown[key] = dg.MetadataValue.json(value)
    return shown


def _schedule(domain: str, job: dg.JobDefinition, task: Task) -> dg.ScheduleDefinition:
    minute = zlib.crc32(domain.encode()) % 60  # not all domains at once
    return dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=f"{minute} {_KINDS[task].hour} * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
