"""The evidence of a promoted version: that of the branch's versions which it stands for.

Belongs here: joining their evidence, and naming the inputs as production knows them.
Does not belong here: what evidence is (`evidence/`), whether it suffices (`promotable.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from shared_resources.evidence.record import CheckOutcome, Evidence, Promoted
from shared_resources.stores.protocol import Version


def proof(
    made: Sequence[Version], promoted: Promoted, input_pin: Callable[[str, str, Version], str]
) -> Evidence:
    """What is committed with the promoted version. `made` are the branch's, newest first.

    Of a version whose partitions were all replaced since nothing counts but the objects that it took.
    `input_pin` gives an input's pin in production, for its product, its pin and who read it.
    """
    counted: list[Version] = []
    covered: set[str] = set()
    for version in made:
        partitions = set(version.evidence.partitions)
        if not counted or partitions - covered:
            counted.append(version)
        if version.evidence.replay_of is None:  # which adds rows, and replaces none
            covered |= partitions
    newest, several = counted[0].evidence, [version.evidence for version in counted]
    inputs = {
        product: input_pin(product, pin, version)
        for version in reversed(counted)
        for product, pin in version.evidence.inputs.items()
    }
    return replace(
        newest,
        checks=_joined([one.checks for one in several]),
        refusing=_distinct(one.refusing for one in several),
        partitions=_distinct(one.partitions for one in several),
        inputs=inputs,
        input_attestations={
            product: digest
            for version in reversed(counted)
            for product, digest in version.evidence.input_attestations.items()
        },
        objects=tuple(dict.fromkeys(pair for v in made for pair in v.evidence.objects)),
        quarantined=_distinct(one.quarantined for one in several),
        files=tuple(file for one in several for file in one.files),
        # Of which its days are not made as a run makes them.
        replay_of=next((one.replay_of for one in several if one.replay_of is not None), None),
        promoted=promoted,
    )


def _distinct(several: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for some in several for one in some))


def _joined(several: Sequence[tuple[CheckOutcome, ...]]) -> tuple[CheckOutcome, ...]:
    """A rule passed where it passed on each part."""
    by_rule: dict[str, list[CheckOutcome]] = {}
    for checks in several:
        for check in checks:
            by_rule.setdefault(check.rule, []).append(check)
    return tuple(
        replace(
            found[0],
            passed=all(check.passed for check in found),
            rows_failed=_sum([check.rows_failed for check in found]),
        )
        for found in by_rule.values()
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
