"""What stands of a product: parts that were refused, failed or never came, and were not mended.

Belongs here: the last word about each part, from attempts and quarantine.
Does not belong here: the rest of its health (`product_health.py`).

Each part is judged by itself, and by the order of events, never by a clock: a day that was refused
stands until that very day is published, or somebody settles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby

from shared_resources.contracts.days import has_day
from shared_resources.contracts.model import Contract, LandingMode
from shared_resources.environment import Environment
from shared_resources.evidence import keys
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.governance.quarantine.settlement import with_replacements
from shared_resources.observing.health import Kind, Reason, named
from shared_resources.state.attempt import WHOLE, LastAttempt, Outcome
from shared_resources.state.leases import is_alive
from shared_resources.stores.protocol import Version

SHOWN_IDS = 3


@dataclass(frozen=True)
class Standing:
    """Parts by what became of them. `published` are the days of which something was published."""

    refused: dict[str, list[QuarantineEntry]] = field(default_factory=dict)
    refused_long_ago: dict[str, LastAttempt] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()
    running: frozenset[str] = frozenset()
    published: frozenset[str] = frozenset()

    @property
    def parts(self) -> set[str]:
        return {*self.refused, *self.refused_long_ago, *self.failed, *self.missing}


def standing(
    environment: Environment,
    contract: Contract,
    versions: Sequence[Version] = (),
    last: Sequence[LastAttempt] | None = None,
) -> Standing:
    """The last word about each part of the product. `versions` are those of its first store, `last`
    the last attempts at its parts; None: they are looked up."""
    if last is None:
        from shared_resources.state.last_attempts import LastAttempts

        last = LastAttempts(environment.state, contract.key).all()
    attempts = [one for one in last if is_part(contract, one.partition)]
    entries = with_replacements(environment.quarantine.list(contract.key), versions)
    refused, long_ago = _refused(contract, entries, {one.partition: one for one in attempts})
    dead = [
        one
        for one in attempts
        if one.outcome is Outcome.RUNNING and not is_alive(environment, one.lease or "")
    ]
    done = [one for one in dead if _published_after_all(one, versions)]
    dead = [one for one in dead if one not in done]
    died = {one.partition: f"the process of run {one.run_id} died" for one in dead}

    def those(outcome: Outcome) -> list[LastAttempt]:
        return [one for one in attempts if one.outcome is outcome]

    return Standing(
        refused,
        long_ago,
        {one.partition: one.message for one in those(Outcome.FAILED)} | died,
        {one.partition: one.message for one in those(Outcome.MISSING)},
        frozenset(one.partition for one in those(Outcome.SETTLED)),
        frozenset(one.partition for one in those(Outcome.RUNNING) if one not in (*dead, *done)),
        frozenset(one.partition for one in (*those(Outcome.PUBLISHED), *done)),
    )


def _published_after_all(attempt: LastAttempt, versions: Sequence[Version]) -> bool:
    """Whether the process died after its commit, before it could say so."""
    return any(
        version.properties.get(keys.RUN_ID) == attempt.run_id
        and attempt.partition in version.evidence.partitions
        for version in versions
    )


def is_part(contract: Contract, partition: str) -> bool:
    """Whether the product has such a part; it may have had others under an earlier contract."""
    if partition == WHOLE:
        return True
    return contract.partitioning is not None and has_day(contract.partitioning, partition)


def _refused(
    contract: Contract, entries: Sequence[QuarantineEntry], last: dict[str, LastAttempt]
) -> tuple[dict[str, list[QuarantineEntry]], dict[str, LastAttempt]]:
    """Parts of which a refusal is open, with the entries; and those whose entry has expired."""
    open_: dict[str, list[QuarantineEntry]] = {}
    for entry in entries:
        if entry.kind in ("rows", "messages") or not entry.open:
            continue
        for partition in entry.partitions:
            word = last.get(partition)
            over = word is not None and (
                word.outcome is Outcome.SETTLED
                # Of several days each has its own end, and only all together are replaced.
                or (word.outcome is Outcome.PUBLISHED and len(entry.partitions) > 1)
            )
            if is_part(contract, partition) and not over:
                open_.setdefault(partition, []).append(entry)
    kept = {entry.id for entry in entries}
    long_ago = {
        partition: word
        for partition, word in last.items()
        if word.outcome is Outcome.REFUSED and word.entry not in kept
    }
    return open_, long_ago


def reasons(contract: Contract, found: Standing, held: Iterable[str]) -> list[Reason]:
    """The reasons that the standing parts give; `held` are the parts that readers see."""
    held = frozenset(held)
    told = [*_refusals(contract, found, held), *_failures(contract, found)]
    if missing := never_came(contract, found, held):
        told.append(
            Reason(
                Kind.HOLES,
                f"{named(missing)}: nothing was published, and later days were",
                f"land {_them(missing)}, or say in the contract's `partitions: {{closed: [...]}}` "
                f"that nothing is due, or `mesh settle {contract.key} {missing[0]} --reason ...`",
                tuple(missing),
            )
        )
    return told


def _refusals(contract: Contract, found: Standing, held: frozenset[str]) -> list[Reason]:
    told = []
    for partition, entries in sorted(found.refused.items()):
        newest = entries[-1]
        if newest.kind == "window":
            told.append(_windows(contract, entries))
            continue
        why = "; ".join(f"{rule}: {message}" for rule, _, _, message in newest.reasons)
        told.append(
            _refusal(contract, partition, held, why, ", ".join(e.id for e in entries[-SHOWN_IDS:]))
        )
    for partition, word in sorted(found.refused_long_ago.items()):
        told.append(_refusal(contract, partition, held, word.message, ""))
    return told


def _windows(contract: Contract, entries: Sequence[QuarantineEntry]) -> Reason:
    """The stream has gone on without them; only a replay brings their messages."""
    newest = entries[-1]
    why = "; ".join(f"{rule}: {message}" for rule, _, _, message in newest.reasons)
    many = "a window" if len(entries) == 1 else f"each of {len(entries)} windows"
    rows = sum(entry.rows for entry in entries)
    return Reason(
        Kind.HOLES,
        f"{rows:,} messages are lacking: {many} of {contract.key} was refused whole ({why})",
        f"see `mesh quarantine show {newest.id}`; mend it and `mesh quarantine replay {newest.id}`, or "
        f"`mesh quarantine close {newest.id} --reason ...`",
    )


def _refusal(
    contract: Contract, partition: str, held: frozenset[str], why: str, ids: str
) -> Reason:
    what = partition or "the last batch"
    again = run_again(contract, [partition] if partition else [])
    close = f"`mesh quarantine show {ids.split(', ')[-1]}`" if ids else "its rows have expired"
    settle = f"`mesh settle {contract.key} {partition}".rstrip() + " --reason ...`"
    return Reason(
        Kind.SERVED_OLD if partition in held else Kind.HOLES,
        f"{what} was refused{', and readers keep what was there' if partition in held else ''} ({why})",
        f"see {close}; mend it and {again}, or {settle}",
        (partition,) if partition else (),
    )


def _failures(contract: Contract, found: Standing) -> list[Reason]:
    told = []
    for kind, parts in ((Kind.CRASHED, found.failed), (Kind.HOLES, found.missing)):
        in_order = sorted(parts.items(), key=lambda one: (one[1], one[0]))
        for message, group in groupby(in_order, key=lambda one: one[1]):
            days = [day for day, _ in group if day != WHOLE]
            told.append(
                Reason(
                    kind,
                    f"{named(days)}: {message}" if days else message,
                    f"mend it and {run_again(contract, days)}, or "
                    f"`mesh settle {contract.key} ... --reason ...`",
                    tuple(days),
                )
            )
    return told


def run_again(contract: Contract, days: Sequence[str]) -> str:
    """The command that makes the days, which are in order, again; the product, where there are none."""
    last = f"..{days[-1]}" if len(days) > 1 else ""
    return f"`mesh run {contract.key}" + (f" --partitions {days[0]}{last}`" if days else "`")


def never_came(contract: Contract, found: Standing, parts: Iterable[str]) -> list[str]:
    """Days between the first and the last that are known of an ingest, of which nothing is known."""
    landing, partitioning = contract.landing, contract.partitioning
    if landing is None or landing.mode is not LandingMode.PARTITION or partitioning is None:
        return []
    held = frozenset(parts)
    known = {day for day in held | found.published | found.running | found.parts if day}
    if not known:
        return []
    known |= found.settled | {day.isoformat() for day in partitioning.closed}
    first, last = date.fromisoformat(min(known)), date.fromisoformat(max(known))
    due = ((first + timedelta(days=n)).isoformat() for n in range((last - first).days))
    return [day for day in due if day not in known]


def _them(days: Sequence[str]) -> str:
    return "it" if len(days) == 1 else "them"
