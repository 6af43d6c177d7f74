"""What is wrong with a `stream` is said, with what to do."""

import pytest

from shared_resources.contracts.streams.model import Delivery, Gate
from tests.contracts.reading import findings, read
from tests.streams.receipts import contract

WRONG = {
    "a gate without a topic": ({"gate": {}}, "gate: lacks the field 'topic'"),
    "a gate that is a name": ({"gate": "good"}, "gate: must be a mapping"),
    "a gate with another field": ({"gate": {"topic": "good", "key": "a"}}, "gate.key: is a field that"),
    "a name that is none": ({"gate": {"topic": "good/bad"}}, "gate.topic: cannot name a topic"),
    "a topic that is a list": ({"gate": {"topic": ["good"]}}, "gate.topic: cannot name a topic"),
    "another delivery": (
        {"gate": {"topic": "good", "delivery": "at_most_once"}},
        "gate.delivery: is 'at_most_once', which does not exist",
    ),
    "a delivery that is a list": (
        {"gate": {"topic": "good", "delivery": []}}, "gate.delivery: is [], which does not exist",
    ),
    "the stream's own topic": ({"gate": {"topic": "receipts"}}, "gate: names the topic 'receipts'"),
    "dead letters into the stream's topic": (
        {"gate": {"topic": "good"}, "deadLetters": {"topic": "receipts"}},
        "deadLetters: names the topic 'receipts'",
    ),
    "dead letters into the gate's topic": (
        {"gate": {"topic": "good"}, "deadLetters": {"topic": "good"}},
        "deadLetters: names the topic 'good'",
    ),
    "dead letters without a topic": (
        {"gate": {"topic": "good"}, "deadLetters": {}}, "deadLetters: lacks the field 'topic'",
    ),
    "dead letters that are a name": (
        {"gate": {"topic": "good"}, "deadLetters": "bad"}, "deadLetters: must be a mapping",
    ),
    "a gate's engine that is a list": (
        {"gate": {"topic": "good", "engine": ["flink"]}}, "gate.engine: is ['flink'], which does not",
    ),
    "a gate of a job where none reads": (
        {"gate": {"topic": "good", "engine": "flink"}}, "gate: has the engine flink, and no job",
    ),
    "dead letters where a job's gate has undecided ones": (
        {"engine": "flink", "gate": {"topic": "good", "engine": "flink"},
         "deadLetters": {"topic": "good.undecided"}},
        "gate: needs a topic 'good.undecided', too",
    ),
    "a job's gate with a name too long for undecided ones": (
        {"engine": "flink", "gate": {"topic": "g" * 245, "engine": "flink"}}, "which is too long or",
    ),
    "dead letters without a gate": (
        {"deadLetters": {"topic": "bad"}}, "deadLetters: takes what the gate does not pass",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("stream", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_gate_is_said(stream, said):
    assert any(said in str(one) for one in findings(contract(**stream)))


def test_a_gate_is_read():
    made = read(contract(gate={"topic": "good"}, deadLetters={"topic": "bad"})).stream
    assert (made.gate, made.dead_letters) == (Gate("good", Delivery.EXACTLY_ONCE), "bad")
    made = read(contract(gate={"topic": "good", "delivery": "at_least_once"})).stream
    assert (made.gate, made.dead_letters) == (Gate("good", Delivery.AT_LEAST_ONCE), "")
    assert read(contract()).stream.gate is None


def test_a_gate_that_a_job_passes_to_has_a_topic_for_what_is_left():
    made = read(contract(engine="flink", gate={"topic": "good", "engine": "flink"})).stream
    assert made.topics == ("receipts", "good", "good.undecided")
    assert read(contract(engine="flink", gate={"topic": "good"})).stream.topics == (
        "receipts",
        "good",
    )
