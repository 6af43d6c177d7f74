"""What a product published before, for rules that compare a batch with it.

Belongs here: the rows of the batches before, from the evidence of the versions.
Does not belong here: the rule (`contracts/rules/batch/volume.py`), its bounds (`governance/policies/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from shared_resources.contracts.model import Rule
from shared_resources.contracts.rules.batch.volume import HISTORY
from shared_resources.contracts.rules.batch.volume import KIND as VOLUME
from shared_resources.data_products.batch import Attempt
from shared_resources.stores.protocol import Version


def with_history(attempt: Attempt, rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules, with what came before in those that compare with it. Days that are made now are none of
    what came before."""
    if not any(compares(rule) for rule in rules):
        return tuple(rules)
    store = attempt.environment.stores_of(attempt.contract)[0]
    return after(store.versions(attempt.contract.key), attempt.run.partitions, rules)


def compares(rule: Rule) -> bool:
    """Whether it compares a batch with those before it."""
    return rule.kind == VOLUME.name


def after(
    versions: Sequence[Version], partitions: Sequence[str], rules: Sequence[Rule]
) -> tuple[Rule, ...]:
    """The rules for a batch of these partitions that came after these versions, the oldest first."""
    wanted = max((int(r.arguments["versions"]) for r in rules if compares(r)), default=0)
    # Evidence is read as far back as is asked for: there may be thousands of versions.
    batches = [*islice(_batches(versions, frozenset(partitions)), wanted)]
    return tuple(
        replace(
            rule,
            arguments={**rule.arguments, HISTORY: batches[: int(rule.arguments["versions"])]},
        )
        if compares(rule)
        else rule
        for rule in rules
    )


def _batches(versions: Sequence[Version], made: frozenset[str]) -> Iterator[int]:
    """The rows of each batch that was published, of a daily product of each of its days, the last first;
    of a day that came again, those of the last time."""
    seen: set[str] = set()
    for version in reversed(versions):
        evidence = version.evidence_or_none
        if evidence is None or evidence.rolled_back is not None:
            continue
        if evidence.partitions == ("",):
            yield version.rows
            continue
        rows = dict.fromkeys(evidence.partitions, 0)
        for file in evidence.files:
            rows[file.partition] = rows.get(file.partition, 0) + file.rows
        for day in sorted(rows, reverse=True):
            if day not in made and day not in seen:
                seen.add(day)
                yield rows[day]
