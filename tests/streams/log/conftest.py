"""Each log in turn, and its topic of the test's own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared_resources.streams.log.port import Log
from tests.streams.log.logs import Place


@pytest.fixture(params=["embedded", "kafka"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    topic = f"test-{uuid.uuid4().hex[:12]}"
    if request.param == "embedded":
        where = f"embedded:{tmp_path / 'log'}"
    else:
        where = f"kafka:{request.getfixturevalue('kafka').address}"
    made = Place(where, topic)
    yield made
    made.close()


@pytest.fixture
def log(place: Place) -> Log:
    return place.open()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """What the broker said is part of what a failed test says."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    broker = getattr(item, "funcargs", {}).get("kafka")
    if report.failed and broker is not None:
        said = (broker.folder / "broker.log").read_text(errors="replace")
        report.sections.append(("what Kafka said", "\n".join(said.splitlines()[-30:])))
