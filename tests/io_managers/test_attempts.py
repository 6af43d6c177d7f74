"""Trying a commit again has an end, however long each attempt takes."""

from __future__ import annotations

import pytest

from shared_resources.io_managers import attempts
from shared_resources.io_managers.attempts import Attempts


def test_attempts_end_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST_WAIT_SECONDS", 0.0)
    tried = Attempts("publishing order/sales")
    assert len(list(tried)) == attempts.ATTEMPTS
    assert f"first {attempts.ATTEMPTS} times in a row, and nothing" in str(tried.exhausted())


def test_attempts_that_take_long_end_with_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "SECONDS", 0.0)
    tried = Attempts("publishing order/sales")
    for _ in tried:
        tried.failed(ValueError("its table has a lock"))
    said = str(tried.exhausted())
    assert said.startswith("publishing order/sales: other writers were first 1 times in a row")
    assert "(the last time: its table has a lock)" in said
