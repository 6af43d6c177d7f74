"""Changes of what a contract says of its topic, in both directions."""

import pytest

from shared_resources.contracts.changes.change import Effect
from shared_resources.contracts.changes.comparing import contract_changes
from tests.contracts.reading import read
from tests.streams.receipts import contract
from tests.tiny_mesh import column

B, C = Effect.BREAKING, Effect.COMPATIBLE
AT = {**column("paid_at", "TIMESTAMP"), "physicalType": "TIMESTAMPTZ"}
TABLE = {
    "of each key the last row stays": ({}, {"mode": "upsert"}, B, B, "of each key the last row stays"),
    "another topic": ({}, {"topic": "sales"}, C, C, "taken otherwise"),
    "another format": ({}, {"format": "avro"}, C, C, "taken otherwise"),
    "a longer window": ({}, {"window": 9}, C, C, "taken otherwise"),
    "decoded by Flink": ({}, {"engine": "flink"}, C, C, "taken otherwise"),
    "unknown fields are left out": ({}, {"extraColumns": "ignore"}, C, C, "taken otherwise"),
    "late messages are set aside": (
        {}, {"late": {"column": "paid_at", "hours": 9}}, B, C, "9 hours late",
    ),
    "late messages are set aside sooner": (
        {"late": {"column": "paid_at", "hours": 9}}, {"late": {"column": "paid_at", "hours": 8}},
        B, C, "8 hours late",
    ),
    "what keeps it is in a topic, too": ({}, {"gate": {"topic": "good"}}, C, B, "in the topic good, too"),
    "what keeps it is in another topic": (
        {"gate": {"topic": "good"}}, {"gate": {"topic": "best"}}, B, B, "no more to good",
    ),
    "what keeps it may be there twice": (
        {"gate": {"topic": "good"}}, {"gate": {"topic": "good", "delivery": "at_least_once"}},
        B, C, "may stand there twice",
    ),
    "a job passes messages on": (
        {"engine": "flink", "gate": {"topic": "good"}},
        {"engine": "flink", "gate": {"topic": "good", "engine": "flink"}}, C, C, "passes messages on",
    ),
    "what does not keep it is in a topic": (
        {"gate": {"topic": "good"}}, {"gate": {"topic": "good"}, "deadLetters": {"topic": "bad"}},
        C, C, "in the topic bad",
    ),
}  # fmt: skip


def text(stream):
    return contract(columns=[{**AT, "logicalTypeOptions": {"timezone": True}}], **stream)


@pytest.mark.parametrize(("was", "now", "there", "back", "said"), TABLE.values(), ids=TABLE)
def test_it_is_known_what_a_change_of_a_stream_does_to_readers(was, now, there, back, said):
    one, other = (read(text(stream)) for stream in (was, now))
    [change] = contract_changes(one, other)
    assert change.effect is there
    assert said in change.message
    [change] = contract_changes(other, one)
    assert change.effect is back


def test_a_product_that_is_made_of_a_topic_keeps_its_promise():
    made = text({})
    plain = made[: made.index("- property: stream")] + made[made.index("- property: lossBudget") :]
    changes = contract_changes(*(read(one) for one in (plain, made)))
    assert {change.effect for change in changes} == {C}
