"""A log that does not answer is waited for once, by whoever looks at all of a mesh's streams."""

from __future__ import annotations

from typing import Any

import pytest

from shared_resources.streams.log.asked_once import AskedOnce
from shared_resources.streams.log.embedded.log import EmbeddedLog
from shared_resources.streams.log.port import LogProblem, LogUnreachable
from tests.cli.commands import call
from tests.streams import receipts
from tests.tiny_mesh import TinyMesh

SAID = "Kafka at 127.0.0.1:9 does not answer: nobody there. Are the brokers up?"


@pytest.fixture
def asked(mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The topics that were asked for, of a mesh with two streams, one of them with a gate."""
    mesh.product("shop/receipts", receipts.contract())
    mesh.product("shop/others", receipts.contract().replace("receipts", "others"))
    topics: list[str] = []

    def topic(self: Any, name: str) -> None:
        topics.append(name)
        raise LogUnreachable(SAID)

    monkeypatch.setattr(EmbeddedLog, "topic", topic)
    return topics


def test_the_list_asks_it_once_and_says_it_once(asked: list[str]) -> None:
    listed = call("stream", "list")
    assert listed.code == 0 and len(asked) == 1
    assert listed.err.count("does not answer") == 1 and SAID in listed.err
    assert listed.out.count("the log does not answer") == 2 and SAID not in listed.out
    assert [one["missing"] for one in call("stream", "list", "--json").json] == [SAID, SAID]


def test_the_status_asks_it_once_and_says_it_once(asked: list[str]) -> None:
    said = call("status").out
    assert said.count(SAID) == 1
    assert len(asked) == 1


def test_what_another_topic_lacks_is_asked_of_each() -> None:
    log = AskedOnce()

    def ask(problem: LogProblem) -> None:
        with pytest.raises(type(problem), match=str(problem)):
            log.ask(lambda: (_ for _ in ()).throw(problem))

    ask(LogProblem("one"))
    ask(LogProblem("another"))
    assert log.ask(lambda: 3) == 3 and log.unreachable is None
    ask(LogUnreachable("nobody"))
    with pytest.raises(LogUnreachable, match="nobody"):
        log.ask(lambda: 3)
