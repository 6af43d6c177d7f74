"""What is the embedded log's alone: its file, what is kept in it, what is said when it cannot be used."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from shared_resources.streams.log.embedded import file as log_file
from shared_resources.streams.log.embedded import membership, reader
from shared_resources.streams.log.embedded.log import EmbeddedLog
from shared_resources.streams.log.port import Fenced, LogProblem
from tests.streams.log.messages import Told, message, numbered, settle, table, take, values


@pytest.fixture
def log(tmp_path):
    return EmbeddedLog(tmp_path / "log", session_seconds=0.5)


def test_a_log_that_nothing_was_written_to_is_no_file(log, tmp_path):
    assert log.topics() == ()
    assert log.topic("t") is None
    assert log.shown("t", "group") == {}
    log.delete("t")
    assert not log.keep_house("t")
    assert not (tmp_path / "log").exists()


def test_of_each_key_the_last_message_stays_where_a_topic_is_compacted(log):
    log.create("t", 1, compacted=True)
    writer = log.writer()
    for number in range(3):
        keyed = [message(f"{key}{number}".encode(), key.encode()) for key in "ab"]
        writer.send("t", table(*keyed, message(f"n{number}".encode())))
    writer.send("t", table(message(None, b"b")))
    assert log.keep_house("t")
    assert not log.keep_house("t")
    assert dict(log.topic("t").ends) == {0: 10}
    member = log.reader("t", "group", Told())
    found = take(member, 5)
    assert values(found) == [b"n0", b"n1", b"a2", b"n2", None]
    assert [m["offset"] for m in found] == [2, 5, 6, 8, 9]
    assert member.positions() == {0: 10}
    member.seek({0: 3})
    assert values(take(member, 4)) == [b"n1", b"a2", b"n2", None]
    member.close()


def test_what_was_compacted_is_compacted_again(log):
    """Also where the last message of what was sent at once is the one that went."""
    log.create("t", 1, compacted=True)
    writer = log.writer()
    for text in (b"1", b"2", b"3"):
        writer.send("t", table(message(b"a" + text, b"a" + text), message(b"b" + text, b"b")))
        log.keep_house("t")
    writer.send("t", table(message(b"a4", b"a1")))
    log.keep_house("t")
    member = log.reader("t", "group", Told())
    assert values(take(member, 4)) == [b"a2", b"a3", b"b3", b"a4"]
    member.close()


def test_the_space_of_what_is_kept_no_longer_is_given_back(log, tmp_path):
    log.create("t", 1, keep_seconds=1)
    writer = log.writer()
    writer.send("t", table(*(message(b"x" * 1000) for _ in range(3000))))
    writer.close()

    def size():
        with closing(sqlite3.connect(tmp_path / "log/log.db")) as opened:
            return opened.execute("PRAGMA page_count").fetchone()[0]

    before = size()
    time.sleep(1.1)
    assert log.keep_house("t") and not log.keep_house("t")
    assert size() < before / 2
    assert dict(log.topic("t").begins) == {0: 3000}


def test_who_reads_a_topic_that_was_deleted_is_told(log):
    log.create("t", 1)
    member = log.reader("t", "group", Told())
    member.take(1, 0)
    log.delete("t")
    with pytest.raises(LogProblem, match="The topic t was deleted"):
        member.take(1, 0)
    member.close()


def test_a_member_that_works_for_long_stays_one_and_one_that_is_stuck_does_not(log, monkeypatch):
    log.create("t", 1)
    told, other = Told(), Told()
    member = log.reader("t", "group", told)
    member.take(1, 0)
    second = log.reader("t", "group", other)
    for _ in range(15):  # three times its session
        second.take(1, 0.1)
    assert (told.has, other.has) == ({0}, set())
    monkeypatch.setattr(reader, "_IDLE_SECONDS", 0.0)
    settle(lambda: other.has == {0}, second)
    monkeypatch.undo()
    with pytest.raises(Fenced, match="another reader's of group 'group'"):
        writer = log.writer("w")
        with writer.transaction(member, {0: 0}):
            writer.send("t", numbered(0, 1))
    member.take(1, 0)
    assert told.said[-1] == ("taken", (0,))
    assert dict(log.topic("t").ends) == {0: 0}
    member.close()
    second.close()


def test_positions_are_given_by_the_logs_own_readers(log):
    log.create("t", 1)
    writer = log.writer("w")
    with (
        pytest.raises(LogProblem, match="its own readers alone"),
        writer.transaction(object(), {0: 1}),
    ):
        pass


def test_what_is_sent_is_messages_to_partitions_that_there_are(log):
    log.create("t", 2)
    writer = log.writer()
    with pytest.raises(LogProblem, match="no partition 2: the topic has 2"):
        writer.send("t", numbered(0, 1, 2))
    with pytest.raises(LogProblem, match="no table of messages"):
        writer.send("t", numbered(0, 1).drop_columns("key"))
    shuffled = numbered(0, 3).select(
        ["value", "key", "timestamp", "headers", "offset", "partition"]
    )
    writer.send("t", shuffled)
    assert sum(log.topic("t").ends.values()) == 3


def test_messages_without_a_key_are_spread(log):
    log.create("t", 3)
    writer = log.writer()
    for _ in range(3):
        writer.send("t", table(*(message(b"x") for _ in range(4))))
    assert dict(log.topic("t").ends) == {0: 4, 1: 4, 2: 4}


def test_a_file_of_another_version_or_of_no_log_is_said(log, tmp_path):
    log.create("t", 1)
    file = tmp_path / "log/log.db"
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("PRAGMA user_version = 99")
    with pytest.raises(LogProblem, match="made by another version of the platform"):
        log.create("u", 1)
    for more in ("-wal", "-shm"):
        file.with_name(file.name + more).unlink(missing_ok=True)
    file.write_bytes(b"no database at all, " * 100)
    with pytest.raises(LogProblem, match=r"cannot be read.*backup.*mesh stream skip"):
        log.topics()


def test_a_log_that_another_process_keeps_is_said(log, tmp_path, monkeypatch):
    log.create("t", 1)
    monkeypatch.setattr(log_file, "BUSY_SECONDS", 0.1)
    writer = log.writer()
    with closing(sqlite3.connect(tmp_path / "log/log.db", isolation_level=None)) as opened:
        opened.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogProblem, match="was kept by another process"):
            writer.send("t", numbered(0, 1))
        opened.execute("ROLLBACK")
    writer.send("t", numbered(0, 1))


def test_partitions_that_do_not_divide_evenly_stay_with_who_has_most(log):
    """Five among two, then three: one partition of each of the two moves at most."""
    log.create("t", 5)
    told = [Told() for _ in range(3)]
    members = [log.reader("t", "group", one) for one in told[:2]]
    settle(lambda: sorted(len(one.has) for one in told) == [0, 2, 3], *members)
    had = [set(one.has) for one in told[:2]]
    members.append(log.reader("t", "group", told[2]))
    settle(lambda: sorted(len(one.has) for one in told) == [1, 2, 2], *members)
    for before, one in zip(had, told[:2], strict=True):
        assert one.has <= before
    assert membership.SESSION_SECONDS == 10.0
    for member in members:
        member.close()
