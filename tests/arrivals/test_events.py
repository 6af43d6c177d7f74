"""The landing sensor with S3's events in a queue, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from shared_resources.arrivals import events as queue_module
from shared_resources.arrivals import listing as scan
from shared_resources.arrivals.ledger.sensor_notes import read_notes
from shared_resources.arrivals.ledger.states import State
from shared_resources.arrivals.ledger.tables import OBJECTS
from shared_resources.contracts.model import LandingMode
from shared_resources.wiring import ProductionEnvironment
from tests.arrivals.event_bodies import POISON, s3_body
from tests.arrivals.queues import RECEIVED_AT_MOST, Queue, with_events
from tests.arrivals.simulated import Daemon, Producer, contract_of, counted


class Landing(Daemon):
    """A daemon, a producer and a queue; `put` sends no event by itself."""

    def __init__(self, production: ProductionEnvironment, instance: Any, **queue: Any) -> None:
        environment = with_events(production)
        contract = contract_of(LandingMode.PARTITION)
        super().__init__(environment, contract, instance)
        self.producer = Producer(environment, contract)
        self.queue = Queue(environment, contract, **queue)
        self.count = 0
        self.tick()  # the first listing is done: what follows, events must tell

    def put(self, name: str) -> tuple[str, str]:
        self.count += 1
        content = f"{name} {self.count}"
        self.producer.put(name, content)
        return self.producer.key(name), content

    def ingest(self) -> str:
        """A tick and its runs; what the tick said."""
        self.tick()
        self.work_off()
        return read_notes(self.environment.state, self.contract.key).said

    def states(self, name: str) -> list[State]:
        key = self.producer.key(name)
        return [row.state for row in self.ledger._rows.entries(OBJECTS.c.key == key)]


@pytest.fixture
def landing(production: ProductionEnvironment) -> Iterator[Landing]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Landing(production, instance)


def test_an_object_that_an_event_told_of_and_nobody_means_is_named_at_every_tick(
    landing: Landing,
) -> None:
    landing.put("notes.txt")
    landing.queue.send(landing.producer.event("notes.txt"))
    with counted(landing.environment.sensed_zone._client) as calls:
        for _ in range(3):
            assert "notes.txt: its name does not match" in landing.ingest()
    assert calls == {"HeadObject": 1}


def test_an_event_makes_a_run_without_any_listing(landing: Landing) -> None:
    one = landing.put("2026-03-01.csv")
    landing.queue.send(landing.producer.event("2026-03-01.csv"))
    with counted(landing.environment.sensed_zone._client) as calls:
        landing.tick()
    assert calls == {"HeadObject": 1}
    landing.work_off()
    assert landing.processed == {one: 1}
    assert len(landing.queue) == 0


def test_what_s3_itself_sends_is_understood(landing: Landing) -> None:
    """moto notifies as S3 does, its test message included."""
    settings = landing.environment.of.settings  # type: ignore[attr-defined]
    landing.producer._s3.put_bucket_notification_configuration(
        Bucket=settings.landing.bucket,
        NotificationConfiguration={
            "QueueConfigurations": [
                {"QueueArn": landing.queue.arn, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    one = landing.put("2026-03-01.csv")
    assert len(landing.queue) >= 1
    landing.ingest()
    assert landing.processed == {one: 1} and len(landing.queue) == 0


def wrapped(landing: Landing, name: str, how: str) -> Any:
    event = landing.producer.event(name)
    if how == "sns":
        return {"Type": "Notification", "MessageId": "m", "Message": json.dumps(event)}
    if how == "eventbridge":
        bucket = event["Records"][0]["s3"]["bucket"]
        location = landing.environment.of.settings.landing  # type: ignore[attr-defined]
        key = location.key(landing.producer.key(name))
        return {
            "version": "0",
            "source": "aws.s3",
            "detail-type": "Object Created",
            "time": "2026-03-01T00:00:00Z",
            "detail": {"bucket": bucket, "object": {"key": key, "etag": "e", "size": 1}},
        }
    if how == "eventbridge through sns":
        inner = wrapped(landing, name, "eventbridge")
        return {"Type": "Notification", "Message": json.dumps(inner)}
    return event


@pytest.mark.parametrize("how", ["s3", "sns", "eventbridge", "eventbridge through sns"])
def test_events_come_in_several_wrappings(landing: Landing, how: str) -> None:
    one = landing.put("2026-03-01.csv")
    landing.queue.send(wrapped(landing, "2026-03-01.csv", how))
    landing.ingest()
    assert landing.processed == {one: 1} and len(landing.queue) == 0


@pytest.mark.parametrize("how", ["s3", "eventbridge"])
def test_keys_are_decoded_where_they_are_encoded(landing: Landing, how: str) -> None:
    """An object whose name the contract does not mean: the message shows how it was read."""
    name = "a b+ü%20.csv"
    landing.put(name)
    landing.queue.send(wrapped(landing, name, how))
    said = landing.ingest()
    assert f"{landing.producer.key(name)}: 'a b+ü%20' in its name is no day" in said
    assert "gone" not in said


def test_duplicates_and_events_out_of_order_are_one_object(landing: Landing) -> None:
    name = "2026-03-01.csv"
    landing.put(name)
    first = landing.producer.event(name)
    latest = landing.put(name)
    second = landing.producer.event(name)
    for message in (second, first, second, {"Records": first["Records"] * 3}):
        landing.queue.send(message)
    landing.ingest()
    landing.queue.send(first)
    landing.settle_down(2)
    assert landing.processed == {latest: 1}


def test_an_overwritten_object_is_new_though_its_bytes_are_the_same(landing: Landing) -> None:
    name = "2026-03-01.csv"
    for _ in range(2):
        landing.producer.put(name, "the same")
        landing.queue.send(landing.producer.event(name))
        landing.ingest()
    assert list(landing.processed.values()) == [2]


def test_a_message_whose_object_is_gone_is_acknowledged_and_noted(landing: Landing) -> None:
    told = landing.producer.put("2026-03-01.csv")
    landing.producer.delete("2026-03-01.csv")
    landing.queue.send(landing.producer.event("2026-03-01.csv", told))
    assert "2026-03-01.csv: is gone" in landing.ingest()
    assert len(landing.queue) == 0
    assert landing.states("2026-03-01.csv") == [State.GONE]
    one = landing.put("2026-03-01.csv")
    landing.queue.send(landing.producer.event("2026-03-01.csv"))
    landing.ingest()
    assert landing.processed == {one: 1}


def test_objects_of_other_prefixes_and_unfinished_ones_are_acknowledged(landing: Landing) -> None:
    event = landing.producer.event("x")
    for key in ("landing/other/2026-03-01.csv", "landing/shop", "elsewhere/x"):
        event["Records"][0]["s3"]["object"]["key"] = key
        landing.queue.send(event)
    landing.put("_temporary.csv")
    landing.queue.send(landing.producer.event("_temporary.csv"))
    event = landing.producer.event("../../2026-03-01.csv")
    landing.queue.send(event)
    said = landing.ingest()
    assert said.count("is not below its prefix") == 3 and "leads out" in said
    assert "_temporary" not in said
    assert len(landing.queue) == 0 and not landing.processed


def test_s3s_test_message_and_removals_are_acknowledged(landing: Landing) -> None:
    landing.queue.send({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})
    event = landing.producer.event("2026-03-01.csv")
    event["Records"][0]["eventName"] = "ObjectRemoved:DeleteMarkerCreated"
    landing.queue.send(event)
    assert "cannot be read" not in landing.ingest()
    assert len(landing.queue) == 0


def test_every_poison_is_said_and_left_and_the_good_messages_beside_it_are_ingested(
    landing: Landing,
) -> None:
    said = ""
    for number, body in enumerate(POISON.values()):
        good = f"2026-03-{number + 1:02}.csv"
        landing.queue.send(body)
        one = landing.put(good)
        landing.queue.send(landing.producer.event(good))
        said = landing.ingest()
        assert landing.processed[one] == 1
        assert said.count("cannot be read") >= 1
    for _ in range(RECEIVED_AT_MOST):
        landing.ingest()
    assert landing.queue.dead_letters() == len(POISON) and len(landing.queue) == 0


def refuse(
    monkeypatch: pytest.MonkeyPatch, landing: Landing, status: int, *names: str, listing: int = 0
) -> None:
    """Let S3 answer so when it is asked for objects of these names; `listing`: for any list."""
    client = landing.environment.sensed_zone._client
    head = client.head_object

    def answer(status: int, operation: str) -> ClientError:
        told: Any = {"Error": {"Code": str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}
        return ClientError(told, operation)

    def refused(**wanted: Any) -> Any:
        if wanted["Key"].rpartition("/")[2] in names:
            raise answer(status, "HeadObject")
        return head(**wanted)

    def no_list(**_: Any) -> Any:
        raise answer(listing, "ListObjectsV2")

    monkeypatch.setattr(client, "head_object", refused)
    if listing:
        monkeypatch.setattr(client, "list_objects_v2", no_list)


BAD, GOOD = "2026-03-01.csv", "2026-03-02.csv"


@pytest.mark.parametrize("status", [400, 403])
def test_an_object_that_s3_refuses_is_said_and_its_message_left_and_holds_nobody_up(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    one, two = landing.put(BAD), landing.put(GOOD)
    for name in (BAD, GOOD):
        landing.queue.send(landing.producer.event(name))
    refuse(monkeypatch, landing, status, BAD)
    said = landing.ingest()
    assert f"{one[0]}: S3 does not let us look at it" in said and str(status) in said
    assert landing.processed == {two: 1}
    assert len(landing.queue) + landing.queue.dead_letters() == 1
    monkeypatch.undo()
    landing.clock.advance(scan.LIST_BESIDE_EVENTS_EVERY)
    landing.ingest()
    assert landing.processed == {one: 1, two: 1}


def test_if_all_that_was_told_of_is_refused_the_prefix_is_listed(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the tick learns whether S3 refuses these objects only, or everything."""
    landing.put(BAD)
    landing.queue.send(landing.producer.event(BAD))
    landing.put(GOOD)
    refuse(monkeypatch, landing, 403, BAD)
    with counted(landing.environment.sensed_zone._client) as calls:
        landing.tick()
    assert calls["ListObjectsV2"] == 1
    monkeypatch.undo()
    landing.queue.send(landing.producer.event(BAD))
    refuse(monkeypatch, landing, 403, BAD, listing=403)
    with pytest.raises(ClientError, match="ListObjectsV2"):
        landing.tick()
    assert len(landing.queue) + landing.queue.dead_letters() == 2


def test_a_refused_object_whose_run_died_is_tried_later_and_holds_nobody_up(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = landing.put(BAD)
    landing.queue.send(landing.producer.event(BAD))
    landing.tick()
    (run,) = landing.waiting()
    landing.run(run, dies="start")
    two = landing.put(GOOD)
    landing.queue.send(landing.producer.event(GOOD))
    refuse(monkeypatch, landing, 403, BAD)
    assert f"{one[0]}: S3 does not let us look at it" in landing.ingest()
    assert landing.processed == {two: 1}
    monkeypatch.undo()
    landing.ingest()
    assert landing.processed == {two: 1}, "it is too early to try again"
    landing.clock.advance(scan.REFUSED_WAIT)
    landing.ingest()
    assert landing.processed == {one: 1, two: 1}


def test_a_refused_object_that_may_have_been_overwritten_holds_nobody_up(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing tells no version: the object itself is asked whether it is still the same."""
    one = landing.put(BAD)
    landing.queue.send(landing.producer.event(BAD))
    landing.ingest()
    two = landing.put(GOOD)
    refuse(monkeypatch, landing, 400, BAD)
    landing.clock.advance(scan.LIST_BESIDE_EVENTS_EVERY)
    assert f"{one[0]}: S3 does not let us look at it" in landing.ingest()
    assert landing.processed == {one: 1, two: 1}


def test_a_key_with_a_nul_is_said_in_words_that_a_postgres_takes(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "PAGE_KEYS", 1)
    monkeypatch.setattr(scan, "PAGES_A_TICK", 1)
    landing.put("2026\0.csv")
    landing.put(GOOD)
    landing.queue.send(landing.producer.event("2026\0.csv"))
    landing.queue.send(s3_body("elsewhere%00"))
    landing.cursor = None
    said = landing.ingest()
    assert said.count("leads out") == 2 and "is not below its prefix" in said
    # The page ends at the key: where the listing has come to is said, too.
    assert "catching up" in said and "\0" not in said
    assert len(landing.queue) == 0


def test_when_s3_fails_the_tick_says_so_and_deletes_nothing(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = landing.put(GOOD)
    landing.queue.send(landing.producer.event(GOOD))
    refuse(monkeypatch, landing, 503, GOOD)
    with pytest.raises(ClientError, match="503"):
        landing.tick()
    monkeypatch.undo()

    def unreachable(**_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://s3")

    client = landing.environment.sensed_zone._client
    monkeypatch.setattr(client, "head_object", unreachable)
    with pytest.raises(EndpointConnectionError):
        landing.tick()
    monkeypatch.undo()
    # Twice received, it is a dead letter by now: a listing finds what it told of.
    landing.clock.advance(scan.LIST_BESIDE_EVENTS_EVERY)
    landing.ingest()
    assert landing.processed == {one: 1}


def test_a_message_of_more_objects_than_a_tick_has_time_for_is_left(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = landing.put(BAD), landing.put(GOOD)
    records = [record for name in (BAD, GOOD) for record in landing.producer.event(name)["Records"]]
    landing.queue.send({"Records": records})
    client = landing.environment.sensed_zone._client
    head = client.head_object

    def slow(**wanted: Any) -> Any:
        monkeypatch.setattr(scan, "SECONDS_A_TICK", 0.0)
        return head(**wanted)

    monkeypatch.setattr(client, "head_object", slow)
    landing.ingest()
    assert landing.processed == {one: 1} and len(landing.queue) == 1
    monkeypatch.undo()
    landing.ingest()
    assert landing.processed == {one: 1, two: 1} and len(landing.queue) == 0


def test_a_poison_message_goes_to_the_dead_letter_queue_and_holds_nobody_up(
    landing: Landing,
) -> None:
    landing.queue.send("poison")
    one = landing.put("2026-03-01.csv")
    landing.queue.send(landing.producer.event("2026-03-01.csv"))
    said = landing.ingest()
    assert landing.processed == {one: 1}
    for _ in range(RECEIVED_AT_MOST):
        said += landing.ingest()
    assert "cannot be read: it is not JSON" in said and "dead-letter queue" in said
    assert landing.queue.dead_letters() == 1 and len(landing.queue) == 0
    assert "1 dead letters" in landing.ingest()


def test_a_queue_without_a_dead_letter_queue_is_a_problem_that_is_said(
    production: ProductionEnvironment,
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        landing = Landing(production, instance, redrive=False)
        landing.queue.send("poison")
        assert "has no redrive policy" in landing.ingest()
        one = landing.put("2026-03-01.csv")
        landing.queue.send(landing.producer.event("2026-03-01.csv"))
        landing.ingest()
        assert landing.processed == {one: 1}


def test_without_the_queue_the_prefix_is_listed_and_it_is_said(landing: Landing) -> None:
    landing.queue.client.delete_queue(QueueUrl=landing.queue.url)
    one = landing.put("2026-03-01.csv")
    result = landing.tick()
    assert result.run_requests
    landing.work_off()
    assert "there is no queue" in landing.ingest()
    assert landing.processed == {one: 1}


def test_a_lost_event_is_found_by_listing(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "PAGE_KEYS", 4)
    monkeypatch.setattr(scan, "WINDOW_KEYS", 1)
    put = [landing.put(f"2026-03-{day}.csv") for day in range(10, 17)]
    assert "nothing new" in landing.ingest(), "it is not time to list"
    for _ in range(6):
        landing.clock.advance(scan.LIST_BESIDE_EVENTS_EVERY)
        landing.ingest()
    again = landing.put("2026-03-10.csv")
    old = landing.put("2026-01-01.csv")
    for _ in range(6):
        landing.clock.advance(scan.LIST_BESIDE_EVENTS_EVERY)
        landing.ingest()
    assert landing.processed == dict.fromkeys((*put, again, old), 1)


def test_what_landed_before_the_queue_was_there_is_found(
    production: ProductionEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        landing = Landing(production, instance)
        landing.cursor = None
        one = landing.put("2026-03-01.csv")
        landing.ingest()
        assert landing.processed == {one: 1}


def test_a_message_is_deleted_only_after_its_object_is_written_down(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = landing.put("2026-03-01.csv")
    landing.queue.send(landing.producer.event("2026-03-01.csv"))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(queue_module.Finds, "take_in", dies)
    with pytest.raises(KeyboardInterrupt):
        landing.tick()
    assert len(landing.queue) == 1
    monkeypatch.undo()
    landing.ingest()
    assert landing.processed == {one: 1} and len(landing.queue) == 0


def test_a_tick_receives_a_bounded_number_of_messages(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "RECEIVES_A_TICK", 2)
    put = [landing.put(f"2026-03-{day}.csv") for day in range(10, 31)]
    for day in range(10, 31):
        landing.queue.send(landing.producer.event(f"2026-03-{day}.csv"))
    landing.ingest()
    assert len(landing.processed) == 20 and len(landing.queue) == 1
    landing.ingest()
    assert landing.processed == dict.fromkeys(put, 1)
