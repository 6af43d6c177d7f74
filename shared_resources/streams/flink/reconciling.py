"""A window's rows from what a job has staged, once that is proved to be what the log holds.

Belongs here: waiting for the job, comparing every offset with the log, a sample of values with the
platform's own reading, decoding what the job left unread.
Does not belong here: the files (`staged.py`), what becomes of the rows (`streams/window.py`).

A job is not trusted. The window's messages were read from the log by the platform itself; each must be
staged exactly once and nothing else be, or nothing is published. Every rule is asked again by the audit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import arrow_schema
from shared_resources.environment import Environment
from shared_resources.problems import MeshProblem
from shared_resources.streams.flink.generations import current, statement_digest
from shared_resources.streams.flink.staged import Staged, Unreconciled
from shared_resources.streams.flink.staged_columns import (
    EMPTY,
    OFFSET,
    PARTITION,
    UNREAD,
    VERDICT,
)
from shared_resources.streams.log.port import Positions
from shared_resources.streams.window import Window
from shared_resources.streams.window_rows import WindowRows, read_rows

# A job commits at least each tenth of its checkpoints, whether messages come or not.
SILENT_CHECKPOINTS = 30
LEAST_SILENT_SECONDS = 300.0
SAMPLE = 200
_PLACE_BITS = 47


class NotStaged(MeshProblem):
    """No job stages the product's messages; the message says why, and what to do."""


@dataclass
class JobsRows:
    """What the current generation has of a product's messages."""

    environment: Environment
    contract: Contract
    _staged: Staged | None = None
    _silent_since: float = field(default_factory=time.monotonic)
    _seen: tuple[str, str] = ("", "")

    def rows_of(self, window: Window) -> WindowRows | None:
        """The window's rows; None while the job has not staged all of it.

        Raises `Unreconciled` for what is lost, doubled or invented, and `NotStaged` when no job that
        could stage it has said anything for long.
        """
        staged = self._look()
        why = self._cannot(window, staged)
        if why is None:
            assert staged is not None
            found = reconciled(self.contract, window, staged)
            if found is not None:
                return found
            why = "its job has said nothing"
        silent = time.monotonic() - self._silent_since
        seconds = staged.generation.checkpoint_seconds if staged is not None else 0
        if silent > max(LEAST_SILENT_SECONDS, SILENT_CHECKPOINTS * seconds):
            key = self.contract.key
            raise NotStaged(
                f"{key}: {why}, for {silent:.0f} seconds. Nothing was changed; begin the job anew: "
                f"`mesh stream job {key}`"
            )
        return None

    def passed(self, positions: Positions) -> None:
        """The product stands there now: what was staged before that is needed no longer."""
        if self._staged is not None:
            self._staged.remove_passed(positions)

    def _look(self) -> Staged | None:
        generation = current(self.environment, self.contract)
        if generation is None:
            return None
        if self._staged is None or self._staged.generation.folder != generation.folder:
            self._staged = Staged(generation)
        try:
            self._staged.refresh()
        except Unreconciled:
            if current(self.environment, self.contract) == generation:
                raise
            return None  # a new job has begun, and took the old one's files away
        seen = (generation.folder.name, self._staged.seen)
        if seen != self._seen:
            self._seen, self._silent_since = seen, time.monotonic()
        return self._staged

    def _cannot(self, window: Window, staged: Staged | None) -> str | None:
        """Why this generation will never have the window."""
        if staged is None:
            return "no job of Flink's was begun"
        generation = staged.generation
        if generation.topic_id != window.topic_id:
            return f"its job reads another topic than {window.topic}, which was made anew"
        if generation.statement != statement_digest(self.contract):
            return "its job was begun with another contract, or another release of the platform"
        floor = staged.floor
        for partition, begin in window.begins.items():
            if partition not in generation.begins:
                return f"its job does not read partition {partition}, which is new"
            if begin < floor[partition] and begin < window.ends[partition]:
                return (
                    f"its job has nothing before offset {floor[partition]} of partition {partition}"
                )
        return None


def reconciled(contract: Contract, window: Window, staged: Staged) -> WindowRows | None:
    """The window's rows, in the order of its messages; None while some are still to come.

    Raises `Unreconciled`.
    """
    ranges = {p: (window.begins[p], window.ends[p]) for p in window.ends}
    rows, messages = staged.rows(ranges), window.messages
    here = _keys(messages["partition"], messages["offset"])
    if rows is None:
        there = np.empty(0, np.int64)
    else:
        rows = rows.sort_by([(PARTITION, "ascending"), (OFFSET, "ascending")])
        there = _keys(rows[PARTITION], rows[OFFSET])
    missing = np.setdiff1d(here, there)
    frontier = staged.frontier
    # A checkpoint holds all of a partition below its highest offset.
    lost = [key for key in missing.tolist() if _offset(key) < frontier.get(_partition(key), 0)]
    again = there[1:][there[1:] == there[:-1]].tolist()
    invented = np.setdiff1d(there, here).tolist()
    told = (
        ("were not staged by the job, which is further", lost),
        ("were staged more than once", again),
        ("were staged and are not in the log, or were aborted there", invented),
    )
    for said, keys in told:
        if keys:
            raise _unreconciled(contract, window, said, keys)
    if len(missing):
        return None
    assert rows is not None  # a window without messages is none
    # In the order of the messages, which is that of each partition.
    return _as_read(contract, window, rows.take(pa.array(np.searchsorted(there, here))))


def _as_read(contract: Contract, window: Window, rows: pa.Table) -> WindowRows:
    """`rows` are the staged ones of the window's messages, one each, in their order."""
    messages = window.messages
    verdicts = np.asarray(rows[VERDICT].to_numpy(zero_copy_only=False), dtype=object)
    empty = np.asarray(messages["value"].is_null().to_numpy(zero_copy_only=False), dtype=bool)
    keys = _keys(messages["partition"], messages["offset"])
    if len(wrong := keys[empty != (verdicts == EMPTY)]):
        raise _unreconciled(contract, window, "have a value or none other than in the log", wrong)
    unread = np.flatnonzero(verdicts == UNREAD)
    typed = np.flatnonzero((verdicts != UNREAD) & ~empty)
    schema = arrow_schema(tuple((c.name, c.type) for c in contract.columns))
    theirs = rows.select(schema.names).cast(schema).take(pa.array(typed))
    _check_sample(contract, window, theirs, typed)
    ours = read_rows(contract, messages.take(pa.array(unread)))
    places = np.concatenate([typed, unread[np.array(ours.places, np.int64)]])
    order = np.argsort(places, kind="stable")
    return WindowRows(
        pa.concat_tables([theirs, ours.rows]).take(pa.array(order)).combine_chunks(),
        tuple(places[order].tolist()),
        {int(unread[place]): reasons for place, reasons in ours.faults.items()},
        tuple(np.flatnonzero(empty).tolist()),
        ours.ignored,  # of what the job reads, each field is the contract's
    )


def _check_sample(contract: Contract, window: Window, theirs: pa.Table, typed: np.ndarray) -> None:
    """Some of the rows are read again by the platform: they must be the same, value by value."""
    if not len(typed):
        return
    chosen = np.unique(np.linspace(0, len(typed) - 1, SAMPLE).astype(np.int64))
    again = read_rows(contract, window.messages.take(pa.array(typed[chosen])))
    if again.places == tuple(range(len(chosen))):
        same = theirs.take(pa.array(chosen)).combine_chunks()
        if same.equals(again.rows.combine_chunks()):
            return
    messages = window.messages.take(pa.array(typed[chosen]))
    keys = _keys(messages["partition"], messages["offset"])
    raise _unreconciled(contract, window, "(some of them) were read otherwise by the job", keys)


def _keys(partitions: pa.ChunkedArray, offsets: pa.ChunkedArray) -> np.ndarray:
    numbers: np.ndarray = partitions.to_numpy().astype(np.int64)
    keys: np.ndarray = (numbers << _PLACE_BITS) | offsets.to_numpy()
    return keys


def _partition(key: int) -> int:
    return key >> _PLACE_BITS


def _offset(key: int) -> int:
    return key & ((1 << _PLACE_BITS) - 1)


def _unreconciled(contract: Contract, window: Window, said: str, keys: object) -> Unreconciled:
    listed = [int(key) for key in keys]  # type: ignore[attr-defined]
    shown = ", ".join(f"{_partition(key)}/{_offset(key)}" for key in listed[:5])
    more = f" and {len(listed) - 5:,} more" if len(listed) > 5 else ""
    return Unreconciled(
        f"{contract.key}: of {window.topic}, messages (partition/offset) {shown}{more} {said}. Nothing "
        "of this window was published. Begin the job anew, which reads from the product's position: "
        f"`mesh stream job {contract.key}`"
    )
