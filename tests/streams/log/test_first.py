"""The log of one's own in short."""

from shared_resources.streams.log.embedded.log import EmbeddedLog
from tests.streams.log.messages import Told, numbered, settle, take


def test_two_members_share_what_was_sent(tmp_path):
    log = EmbeddedLog(tmp_path / "log", session_seconds=2)
    log.create("t", 2)
    log.writer().send("t", numbered(0, 100))
    ends = log.topic("t").ends
    first, second = Told(), Told(dict(ends))
    reader = log.reader("t", "g", first)
    assert sorted(int(m["value"]) for m in take(reader, 100)) == list(range(100))
    assert reader.positions() == ends
    other = log.reader("t", "g", second)
    settle(lambda: len(first.has) == len(second.has) == 1, other, reader)
    reader.close()
    settle(lambda: second.has == {0, 1}, other)
