"""Ending what a job of a gate had begun: what it wrote and did not commit, and where the gate is then.

Belongs here: whether a generation is ended, its last checkpoint, the gate of the next one.
Does not belong here: running Flink (`running_job.py`), the next generation (`generations.py`).

A job that passes messages on commits them to Kafka checkpoint by checkpoint, beside the staging table.
What a killed one had prepared stands in its last checkpoint alone. So before the next generation begins,
the old one is run from there until all is committed. Then all that it has read is staged, each message
once: where staging ends is where the gate is, to the message.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from shared_resources.contracts.model import Contract, Rule
from shared_resources.environment import Environment
from shared_resources.problems import MeshProblem
from shared_resources.streams.flink.gate_sql import CHECKPOINTS, TRANSACTION_SECONDS, JobGate
from shared_resources.streams.flink.generations import Generation
from shared_resources.streams.flink.staged import Staged
from shared_resources.streams.flink.verdict_sql import JobRules, job_rules
from shared_resources.streams.gate.standing import accepted_gaps, gate_of, gate_standing
from shared_resources.streams.log.port import Positions, TopicState
from shared_resources.streams.row_rules.messages import alone
from shared_resources.streams.row_rules.places import Place, place_rules
from shared_resources.streams.standing import MessagesGone

ENDED = "ended"


class NotAtThisGate(MeshProblem):
    """A rule that holds at the gate cannot be asked in Flink."""

    exit_code = 2


def to_be_ended(generation: Generation | None) -> Path | None:
    """The checkpoint from which the generation has to be ended; None where nothing is left of it."""
    if generation is None or generation.gate is None or (generation.folder / ENDED).exists():
        return None
    # A checkpoint is whole once its metadata are there.
    found = (generation.folder / CHECKPOINTS).rglob("_metadata")
    newest = max(found, key=lambda one: one.stat().st_mtime_ns, default=None)
    return newest.parent if newest is not None else None


def out_of_time(checkpoint: Path) -> bool:
    """Whether Kafka may have aborted what was prepared in it."""
    return time.time() - (checkpoint / "_metadata").stat().st_mtime > TRANSACTION_SECONDS


def mark_ended(generation: Generation) -> None:
    (generation.folder / ENDED).touch()


def job_gate(
    environment: Environment, contract: Contract, rules: Sequence[Rule], old: Generation | None
) -> JobGate:
    """The gate of a job that begins now, after `old`. `rules` are all that hold for the product.

    Raises `MessagesGone` as the gate's own process does, `NotAtThisGate`, and `LogProblem`.
    """
    at = gate_standing(environment, contract)
    lost = at.gap is not None and at.gap.lost
    if at.gap is not None and lost and not accepted_gaps(environment, contract).skipped(at.gap):
        raise MessagesGone(
            f"{at.gap.why}. Nothing was begun. If the gate is to go on without them: "
            f'`mesh stream skip {contract.key} --gate --reason "…"`'
        )
    known, after = at.positions, _brought_to(old, at.topic)
    begins = {
        p: max(known.get(p, begin), after.get(p, begin)) for p, begin in at.topic.begins.items()
    }
    return JobGate(begins, gate_of(environment, contract), _rules(contract, rules))


def make_topics(environment: Environment, contract: Contract, partitions: int) -> None:
    """Those of the gate that are missing, with as many partitions as the stream's has."""
    assert contract.stream is not None
    for name in contract.stream.topics:
        if environment.log.topic(name) is None:
            environment.log.create(name, partitions)


def _brought_to(old: Generation | None, topic: TopicState) -> Positions:
    if old is None or old.gate is None or old.topic_id != topic.id:
        return {}
    if not (old.folder / ENDED).exists():
        return old.gate  # it came to no checkpoint: nothing of it was committed
    staged = Staged(old)
    staged.refresh()
    ends = (staged.frontier, staged.floor)
    return {p: max(at, *(end.get(p, 0) for end in ends)) for p, at in old.gate.items()}


def _rules(contract: Contract, rules: Sequence[Rule]) -> JobRules:
    assert contract.stream is not None
    asked = rules if contract.stream.appends else [alone(rule) for rule in rules]
    found = job_rules(contract, asked)
    names = {rule.name for rule, _ in found.asked}
    held = (one.rule.name for one in place_rules(contract, asked) if one.place is Place.MESSAGE)
    if lacking := [name for name in held if name not in names]:
        why = dict(found.left)
        raise NotAtThisGate(
            f"{contract.key}: no job can hold {', '.join(lacking)} at the gate "
            f"({why.get(lacking[0], '')}); take `engine: flink` away from the gate in "
            f"{contract.path}, and `mesh stream gate {contract.key}` passes messages on"
        )
    return found
