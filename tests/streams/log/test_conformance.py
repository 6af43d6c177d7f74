"""What every log promises (`port.py`), asked of the embedded one and of a real Kafka alike."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from shared_resources.streams.log.partitioning import partitions_of
from shared_resources.streams.log.port import Fenced, LogProblem, OffsetsGone, message_schema
from tests.streams.log.messages import (
    AT,
    Told,
    message,
    numbered,
    settle,
    table,
    take,
    take_nothing,
    values,
)


def written(log, topic, partitions, *tables):
    log.create(topic, partitions)
    writer = log.writer()
    for messages in tables:
        writer.send(topic, messages)
    writer.flush()
    writer.close()


def test_a_message_is_read_as_it_was_written(log, place):
    large = bytes(range(256)) * 3900
    named = [("reason", b"a"), ("reason", None), ("späße", b"")]
    sent = [
        message(b"value", b"key", 0, named),
        message(None, b"key", 0),
        message(b"", b"", 0),
        message(b"\0\xff", None, 0, []),
        message(large, None, 0),
        message(None, None, 0, at=datetime(2001, 1, 1, tzinfo=UTC)),
    ]
    written(log, place.topic, 1, table(*sent))
    reader = log.reader(place.topic, "group", Told())
    found = take(reader, len(sent))
    reader.close()
    assert [m["offset"] for m in found] == list(range(len(sent)))
    assert values(found) == [m["value"] for m in sent]
    assert [m["key"] for m in found] == [m["key"] for m in sent]
    assert [m["timestamp"] for m in found] == [m["timestamp"] for m in sent]
    names = [{"name": name, "value": value} for name, value in named]
    assert [m["headers"] for m in found] == [names, None, None, None, None, None]


def test_what_is_taken_is_of_the_schema_even_when_nothing_came(log, place):
    written(log, place.topic, 1, numbered(0, 1))
    reader = log.reader(place.topic, "group", Told({0: 1}))
    assert reader.take(10, 0.5).schema.equals(message_schema())
    reader.close()


def test_a_table_without_messages_is_sent_and_is_nothing(log, place):
    written(log, place.topic, 2, message_schema().empty_table(), numbered(0, 1))
    reader = log.reader(place.topic, "group", Told())
    assert len(take(reader, 1)) == 1
    reader.close()
    assert sum(log.topic(place.topic).ends.values()) == 1


def test_the_key_decides_where_a_message_goes_in_every_log_alike(log, place):
    keys = [str(number).encode() * (number % 7) for number in range(60)]
    written(log, place.topic, 5, table(*(message(key, key) for key in keys)))
    reader = log.reader(place.topic, "group", Told())
    found = {m["key"]: m["partition"] for m in take(reader, len(keys))}
    reader.close()
    expected = partitions_of(pa.array(keys, pa.binary()), 5).tolist()
    assert found == dict(zip(keys, expected, strict=True))


def test_each_partition_is_read_in_its_order(log, place):
    written(log, place.topic, 3, *(numbered(50 * number, 50) for number in range(6)))
    reader = log.reader(place.topic, "group", Told())
    found = take(reader, 300)
    assert sorted(int(m["value"]) for m in found) == list(range(300))
    for partition in range(3):
        own = [m for m in found if m["partition"] == partition]
        assert [m["offset"] for m in own] == list(range(len(own)))
        assert [int(m["value"]) for m in own] == sorted(int(m["value"]) for m in own)
    assert reader.positions() == log.topic(place.topic).ends
    reader.close()


def test_no_more_is_taken_than_was_asked_for(log, place):
    written(log, place.topic, 2, numbered(0, 100))
    reader = log.reader(place.topic, "group", Told())
    found = []
    for _ in range(40):
        some = reader.take(7, 0.5).to_pylist()
        assert len(some) <= 7
        found += some
        if len(found) == 100:
            break
    assert sorted(int(m["value"]) for m in found) == list(range(100))
    reader.close()


def test_a_topic_says_where_it_begins_and_ends(log, place):
    assert log.topic(place.topic) is None
    written(log, place.topic, 2, numbered(0, 3, 1))
    state = log.topic(place.topic)
    assert (state.name, state.partitions) == (place.topic, 2)
    assert (dict(state.begins), dict(state.ends)) == ({0: 0, 1: 0}, {0: 0, 1: 3})
    assert place.topic in log.topics()


def test_a_topic_is_made_once(log, place):
    log.create(place.topic, 2)
    made = log.topic(place.topic).id
    log.create(place.topic, 2)
    assert log.topic(place.topic).id == made
    with pytest.raises(LogProblem, match="has 2 partitions, not 3"):
        log.create(place.topic, 3)


def test_a_topic_that_was_made_anew_is_another(log, place):
    written(log, place.topic, 3, numbered(0, 10))
    first = log.topic(place.topic)
    log.delete(place.topic)
    assert log.topic(place.topic) is None
    log.delete(place.topic)
    log.create(place.topic, 2)
    second = log.topic(place.topic)
    assert second.id != first.id
    assert (second.partitions, dict(second.ends)) == (2, {0: 0, 1: 0})


@pytest.mark.parametrize("name", ["späße", "", ".", "..", "a b", "a/b", "a" * 250, "a\n"])
def test_what_no_topic_can_be_called_is_refused_in_the_same_words(log, name):
    with pytest.raises(LogProblem, match="No topic can be called"):
        log.create(name, 1)


def test_there_is_no_reading_of_no_topic(log, place):
    with pytest.raises(LogProblem, match="There is no topic"):
        log.reader(place.topic, "group", Told())


def test_writing_to_no_topic_is_said(log, place):
    log.create(f"{place.topic}-other", 1)
    writer = log.writer()
    with pytest.raises(LogProblem, match=f"There is no topic .*{place.topic}"):
        writer.send(place.topic, numbered(0, 1))
        writer.flush()
    writer.close()


def test_a_message_is_read_from_where_the_reader_says(log, place):
    written(log, place.topic, 2, numbered(0, 10, 0), numbered(10, 10, 1))
    reader = log.reader(place.topic, "group", Told({0: 7}))
    assert sorted(values(take(reader, 13))) == sorted(str(n).encode() for n in range(7, 20))
    reader.seek({0: 9, 1: 5})
    assert reader.positions() == {0: 9, 1: 5}
    assert sorted(values(take(reader, 6))) == sorted(str(n).encode() for n in (9, *range(15, 20)))
    assert reader.positions() == {0: 10, 1: 10}
    reader.close()


def test_what_is_paused_is_not_given_until_the_reader_seeks(log, place):
    written(log, place.topic, 2, numbered(0, 10, 0), numbered(10, 10, 1))
    reader = log.reader(place.topic, "group", Told())
    take(reader, 20)
    reader.seek({0: 0, 1: 0})
    reader.pause([1])
    assert sorted(map(int, values(take(reader, 10)))) == list(range(10))
    take_nothing(reader)
    assert reader.positions() == {0: 10, 1: 0}
    reader.seek({1: 4})
    assert sorted(map(int, values(take(reader, 6)))) == list(range(14, 20))
    reader.close()


def test_aborted_messages_never_appear_and_positions_pass_them(log, place):
    log.create(place.topic, 1)
    writer = log.writer(f"writer of {place.topic}")
    with writer.transaction():
        writer.send(place.topic, numbered(0, 3))
    with pytest.raises(ZeroDivisionError), writer.transaction():
        writer.send(place.topic, numbered(100, 3))
        raise ZeroDivisionError
    with writer.transaction():
        writer.send(place.topic, numbered(3, 3))
    with pytest.raises(ZeroDivisionError), writer.transaction():
        writer.send(place.topic, numbered(200, 3))
        raise ZeroDivisionError
    reader = log.reader(place.topic, "group", Told())
    assert [int(value) for value in values(take(reader, 6))] == list(range(6))
    ends = log.topic(place.topic).ends
    settle(lambda: reader.positions() == ends, reader)
    reader.close()
    writer.close()


def test_an_open_transaction_is_not_seen_and_holds_nothing_back_for_ever(log, place):
    log.create(place.topic, 1)
    writer, other = log.writer(f"writer of {place.topic}"), log.writer()
    reader = log.reader(place.topic, "group", Told())
    with writer.transaction():
        writer.send(place.topic, numbered(0, 3))
        time.sleep(0.1)
        other.send(place.topic, numbered(10, 3))
        other.flush()
        seen = values(reader.take(10, 1).to_pylist())
        assert not {b"0", b"1", b"2"} & set(seen)
    while len(seen) < 6:
        seen += values(take(reader, 1))
    assert sorted(map(int, seen)) == [0, 1, 2, 10, 11, 12]
    reader.close()
    writer.close()


def test_a_writer_is_fenced_by_the_next_of_its_name(log, place):
    log.create(place.topic, 1)
    first = log.writer(f"writer of {place.topic}")
    with pytest.raises(Fenced, match="Another writer"), first.transaction():
        first.send(place.topic, numbered(0, 3))
        second = log.writer(f"writer of {place.topic}")
        with second.transaction():
            second.send(place.topic, numbered(10, 3))
    reader = log.reader(place.topic, "group", Told())
    assert [int(value) for value in values(take(reader, 3))] == [10, 11, 12]
    take_nothing(reader)
    reader.close()


def test_where_a_group_is_is_committed_with_the_messages_or_not_at_all(log, place):
    output = f"{place.topic}-output"
    written(log, place.topic, 2, numbered(0, 4, 0), numbered(4, 4, 1))
    log.create(output, 1)
    assert log.positions_of(place.topic, "group") == {}
    reader = log.reader(place.topic, "group", Told())
    take(reader, 8)
    writer = log.writer(f"writer of {place.topic}")
    with writer.transaction(reader, {0: 4}):
        writer.send(output, numbered(0, 1))
    assert log.positions_of(place.topic, "group") == {0: 4}
    with pytest.raises(ZeroDivisionError), writer.transaction(reader, {0: 4, 1: 4}):
        writer.send(output, numbered(1, 1))
        raise ZeroDivisionError
    assert log.positions_of(place.topic, "group") == {0: 4}
    with writer.transaction(reader, {1: 3}):
        pass
    assert log.positions_of(place.topic, "group") == {0: 4, 1: 3}
    reader.close()
    writer.close()


def test_transactions_are_for_writers_with_a_name(log, place):
    log.create(place.topic, 1)
    nameless, named = log.writer(), log.writer(f"writer of {place.topic}")
    with pytest.raises(LogProblem, match="without a name"), nameless.transaction():
        pass
    with pytest.raises(LogProblem, match="in transactions alone"):
        named.send(place.topic, numbered(0, 1))
    with named.transaction(), pytest.raises(LogProblem, match="already"), named.transaction():
        pass


def test_what_a_group_shows_is_for_displays(log, place):
    written(log, place.topic, 2, numbered(0, 8, 0))
    assert log.shown(place.topic, "group") == {}
    reader = log.reader(place.topic, "group", Told())
    take(reader, 8)
    reader.show({0: 5, 1: 0})
    settle(lambda: log.shown(place.topic, "group") == {0: 5, 1: 0}, reader)
    assert log.shown(place.topic, "another") == {}
    reader.close()
    again = log.reader(place.topic, "group", Told())
    assert len(take(again, 8)) == 8  # what was shown is never read from
    again.close()


def test_two_groups_do_not_share(log, place):
    written(log, place.topic, 1, numbered(0, 5))
    for group in ("one", "two"):
        reader = log.reader(place.topic, group, Told())
        assert len(take(reader, 5)) == 5
        reader.close()


def test_one_three_and_two_members_are_given_each_message_once(log, place):
    """In one thread, and so in a known order: what one has taken, the others begin after."""
    log.create(place.topic, 4)
    writer = log.writer()
    positions: dict[int, int] = {}
    members = {name: Told(positions) for name in "abc"}
    readers = {}
    found = []

    def until(done, send=0):
        deadline = time.monotonic() + 30
        while not done():
            assert time.monotonic() < deadline, {n: t.said for n, t in members.items()}
            for name, reader in readers.items():
                for one in reader.take(10, 0.05).to_pylist():
                    assert one["partition"] in members[name].has
                    assert one["offset"] == positions.get(one["partition"], 0)
                    positions[one["partition"]] = one["offset"] + 1
                    found.append(int(one["value"]))

    def shares():
        return sorted(len(members[name].has) for name in readers)

    def send(first):
        writer.send(place.topic, numbered(first, 100))
        writer.flush()

    readers["a"] = log.reader(place.topic, "group", members["a"])
    send(0)
    until(lambda: len(found) == 100)
    readers |= {name: log.reader(place.topic, "group", members[name]) for name in "bc"}
    send(100)
    until(lambda: len(found) == 200 and shares() == [1, 1, 2])
    readers.pop("a").close()
    send(200)
    until(lambda: len(found) == 300 and shares() == [2, 2])
    assert sorted(found) == list(range(300))
    assert not any(what == "taken" for name in "bc" for what, _ in members[name].said)
    for reader in readers.values():
        reader.close()


def test_an_assignment_that_fails_is_asked_again_and_loses_nothing(log, place):
    class Failing(Told):
        def given(self, partitions):
            if not self.said:
                self.said.append(("failed", ()))
                raise ZeroDivisionError
            return super().given(partitions)

    written(log, place.topic, 1, numbered(0, 5))
    reader = log.reader(place.topic, "group", Failing({0: 2}))
    with pytest.raises(ZeroDivisionError):
        take(reader, 1)
    assert [int(value) for value in values(take(reader, 3))] == [2, 3, 4]
    reader.close()


def test_what_retention_has_overtaken_is_said_until_the_reader_seeks(log, place):
    log.create(place.topic, 2, keep_seconds=1)
    writer = log.writer()
    writer.send(place.topic, numbered(0, 5, 1))
    writer.flush()
    deadline = time.monotonic() + 30
    while log.topic(place.topic).begins[1] < 5:
        assert time.monotonic() < deadline
        time.sleep(0.3)
        writer.send(place.topic, numbered(0, 1, 0))
        writer.flush()
    begins = log.topic(place.topic).begins[1]
    reader = log.reader(place.topic, "group", Told({1: 2}))
    for _ in range(2):
        with pytest.raises(OffsetsGone, match="partition 1: messages 2 to 4 ") as told:
            take(reader, 1_000)
        assert (told.value.partition, told.value.position, told.value.begins) == (1, 2, begins)
    reader.seek({1: begins})
    settle(lambda: reader.positions()[1] == begins, reader, may_come=True)
    reader.close()


def test_a_position_that_was_never_written_is_said(log, place):
    written(log, place.topic, 1, numbered(0, 5))
    reader = log.reader(place.topic, "group", Told({0: 9}))
    with pytest.raises(OffsetsGone, match="message 9 was never written: the topic ends before 5"):
        take(reader, 1)
    reader.seek({0: 4})
    assert values(take(reader, 1)) == [b"4"]
    reader.close()


def test_who_closes_leaves_at_once_and_is_told_nothing(place):
    log = place.open(session_seconds=60)
    written(log, place.topic, 1, numbered(0, 5))
    told = Told()
    first = log.reader(place.topic, "group", told)
    take(first, 5)
    first.close()
    assert told.said == [("given", (0,))]
    second = log.reader(place.topic, "group", Told({0: 3}))
    assert len(take(second, 2)) == 2
    second.close()


def test_times_are_kept_to_the_millisecond(log, place):
    written(log, place.topic, 1, table(message(b"1")))
    reader = log.reader(place.topic, "group", Told())
    assert take(reader, 1)[0]["timestamp"] == AT
    reader.close()
