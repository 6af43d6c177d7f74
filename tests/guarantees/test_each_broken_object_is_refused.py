"""Sixty kinds of broken data are each refused by the rule that is meant for it, before publication.

The same that `python -m benchmarks.mutations` shows beside peers.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.mutated.data import CATALOG, HARMLESS, LINES, MUTATIONS, Mutation, landed
from benchmarks.mutated.ours import Judge

DOMAINS = Path(__file__).resolve().parents[2] / "domains"


def _marked(mutations: tuple[Mutation, ...]) -> list[object]:
    """The product master is 92,000 rows, a third of a second each: with the slow tests."""
    return [
        pytest.param(
            one,
            id=f"{one.product}: {one.name}",
            marks=[pytest.mark.slow] if one.product == CATALOG else [],
        )
        for one in mutations
    ]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    folder = tmp_path_factory.mktemp("mutations")
    return Judge(DOMAINS, landed(folder / "landing"), folder)


def _refusals(judge: Judge, mutation: Mutation) -> list[str]:
    raw = judge.objects[mutation.product].read_bytes()
    file = judge.work / judge.objects[mutation.product].name
    broken = mutation.edit(raw)
    assert broken != raw or not mutation.catches or mutation in HARMLESS
    file.write_bytes(broken)
    return judge.refusals(mutation.product, file, "2017-01-01" if mutation.product == LINES else "")


@pytest.mark.parametrize("mutation", _marked(MUTATIONS))
def test_each_is_caught_by_the_rule_that_is_meant_for_it(judge: Judge, mutation: Mutation) -> None:
    assert mutation.catches in _refusals(judge, mutation)


@pytest.mark.parametrize("mutation", _marked(HARMLESS))
def test_what_is_no_fault_is_not_refused(judge: Judge, mutation: Mutation) -> None:
    assert _refusals(judge, mutation) == []


def test_there_are_sixty() -> None:
    assert len({(one.product, one.name) for one in MUTATIONS}) >= 60
