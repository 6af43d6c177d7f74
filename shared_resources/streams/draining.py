"""Draining: what a topic holds now, taken by a run that ends.

Belongs here: windows up to an end, and what came of them for who started the run.
Does not belong here: the process that goes on (`process.py`), Dagster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared_resources.data_products.definition import ProductDefinition
from shared_resources.environment import Environment
from shared_resources.governance.audit.report import AuditReport
from shared_resources.stores.protocol import Version
from shared_resources.streams.process import StreamProcess
from shared_resources.streams.standing import look_at_topic, standing, unread
from shared_resources.streams.window import Committed, Window


@dataclass
class Drained:
    """`versions` are of the last window, the leading store's first, and `report` is its audit's;
    `refused` is that of the last window that is in quarantine whole. `told` says, for people, why there
    was no window."""

    windows: int = 0
    versions: tuple[Version, ...] = ()
    report: AuditReport | None = None
    refused: AuditReport | None = None
    told: str = ""


def drain(
    environment: Environment,
    definition: ProductDefinition,
    run_id: str,
    stopping: Callable[[], bool] = lambda: False,
) -> Drained:
    """Commit windows up to where the topic ends now. Raises as `StreamProcess.run`."""
    contract = definition.contract
    at = standing(environment, contract)
    topic, _ = look_at_topic(environment, contract, at)
    drained = Drained()

    def told(committed: Committed, window: Window) -> None:
        drained.windows += 1
        drained.versions = committed.versions
        drained.report = committed.report or drained.report
        drained.refused = committed.refused or drained.refused

    StreamProcess(environment, definition, run_id, stopping, told).run(until=topic.ends)
    if not drained.windows:
        waited = unread(topic, at)
        left = unread(topic, standing(environment, contract)) if waited else 0
        drained.told = _why_no_window(waited, left)
    return drained


def _why_no_window(waited: int, left: int) -> str:
    if not waited:
        return "nothing new is in its topic"
    others = "other processes of it (`mesh stream`)"
    if not left:
        return f"{others} have taken the {waited:,} messages that were in its topic"
    return f"{others} have all partitions of its topic, and up to {left:,} messages before them"
