"""The tills' receipts as a stream: in order, as they were, at any speed, and kept by the contract."""

import json
from datetime import date

import polars as pl
import pyarrow as pa
import pytest

from domains.source_systems.__main__ import main
from domains.source_systems.replay import Lines, Pace, messages
from shared_resources import wiring
from shared_resources.streams.decoding.json.messages import JsonDecoder
from shared_resources.streams.row_rules.rules import RowRules
from tests.domains.products import contract_of


class Whoever:
    def given(self, partitions):
        return dict.fromkeys(partitions, 0)

    def taken(self, partitions):
        pass


def sent(topic="purchases"):
    log = wiring.without_branch().log
    reader = log.reader(topic, "test", Whoever())
    ends = log.topic(topic).ends
    taken = []
    while reader.positions() != ends:
        taken.append(reader.take(100_000, 1))
    reader.close()
    return pa.concat_tables(taken)


def test_a_day_is_sent_once_in_order_with_its_own_moments(mesh, capsys):
    assert main(["replay", "--from", "2017-03-01", "--days", "1"]) == 0
    lines = Lines(date(2017, 3, 1), days=1).read()
    assert f"sent {lines.height:,} lines of receipts to purchases" in capsys.readouterr().err
    frame = pl.DataFrame(sent())
    assert frame.height == lines.height and frame["partition"].n_unique() == 4
    assert frame["timestamp"].min().year > 2017, "what is years old the log would not keep"
    for _, partition in frame.group_by("partition"):
        values = [json.loads(value) for value in partition.sort("offset")["value"]]
        moments = [value["transaction_timestamp"] for value in values]
        assert moments == sorted(moments)
        assert [str(value["household_id"]).encode() for value in values] == partition[
            "key"
        ].to_list()


def test_every_line_of_a_month_keeps_the_contract():
    contract = contract_of("order/purchases")
    lines = Lines(date(2017, 12, 1)).read()
    decoded = JsonDecoder(contract).decode(messages(lines)["value"].combine_chunks())
    assert not decoded.undecodable
    assert decoded.frame.equals(lines.select(decoded.frame.columns))
    assert not len(RowRules(contract).judge(decoded.frame).reasons)


@pytest.mark.parametrize("speed", [["--rate", "400"], ["--speed", "100000"]])
def test_at_any_speed_the_same_lines_are_sent(mesh, speed):
    how = ["replay", "--topic", "slow", "--partitions", "1", "--household", "1058", "--limit", "40"]
    assert main([*how, *speed]) == 0
    values = [json.loads(value.as_py()) for value in sent("slow")["value"]]
    lines = Lines(household=1058, most=40).read()
    assert [v["product_id"] for v in values] == lines["product_id"].to_list()


def test_what_is_due_follows_the_clock():
    lines = Lines(most=100).read()
    assert [Pace(rate=10).due(lines)(seconds) for seconds in (0, 0.5, 1, 1000)] == [1, 6, 11, 100]
    printed = lines["transaction_timestamp"]
    hour = (printed[-1] - printed[0]).total_seconds() / 3600
    due = Pace(speed=3600).due(lines)
    assert 0 < due(0) < due(hour / 2) < due(hour) == 100
    assert Pace().due(lines)(0) == 100


def test_wrong_use_is_told(mesh, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["replay", "--rate", "0"])
    assert ended.value.code == 2
    assert main(["replay", "--topic", "no topic", "--limit", "1"]) == 1
    assert "nothing more was sent" in capsys.readouterr().err


def test_a_replay_that_goes_on_sends_no_line_twice(mesh):
    for _ in range(2):
        assert main(["replay", "--limit", "30", "--continue"]) == 0
    values = [json.loads(value.as_py()) for value in sent()["value"]]
    lines = Lines(most=60).read()
    assert len(values) == 60
    key = ("basket_id", "product_id")
    assert {tuple(v[c] for c in key) for v in values} == set(lines.select(key).iter_rows())
