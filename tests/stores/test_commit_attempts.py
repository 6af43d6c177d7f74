"""Trying a commit again has an end, however long each attempt takes."""

from __future__ import annotations

import pytest

from shared_resources.stores import commit_attempts as attempts
from shared_resources.stores.commit_attempts import Attempts


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST_WAIT_SECONDS", 0.0)


def test_attempts_end_with_their_number() -> None:
    tried = Attempts("publishing order/sales")
    assert len(list(tried)) == attempts.ATTEMPTS
    assert str(tried.exhausted()).startswith(
        f"publishing order/sales: {attempts.ATTEMPTS} attempts in a row were in vain, and nothing was"
    )


def test_attempts_that_take_long_end_with_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "SECONDS", 0.0)
    tried = Attempts("showing order/sales", "the view stays")
    for _ in tried:
        tried.failed(ValueError("its table has a lock"))
    assert str(tried.exhausted()).startswith(
        f"showing order/sales: {attempts.LEAST_ATTEMPTS} attempts in a row were in vain "
        "(the last time: its table has a lock), and the view stays."
    )


def test_a_long_first_attempt_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """It loads the batch; those after it only commit."""
    now = 0.0
    monkeypatch.setattr(attempts.time, "monotonic", lambda: now)
    tried = Attempts("publishing order/sales")
    for number in tried:
        now += 2 * attempts.SECONDS if number == 0 else 1.0
    assert "100 attempts" in str(tried.exhausted())
