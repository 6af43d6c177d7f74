"""The queue that S3 tells of a product's new objects: receive, look, write down, and only then delete.

Belongs here: one tick's dealings with SQS.
Does not belong here: what a message says (`event_messages.py`), what becomes of objects
(`arrivals/ledger/ledger.py`).

An event is a hint and nothing more: it may come twice, late, in any order or not at all. What there
is, the object itself tells when it is asked for, and what no event told of, the sweep finds.
A message that cannot be read, or whose object S3 does not let us look at, is left alone: the
queue's redrive policy moves it to its dead-letter queue, where a person finds it. It holds up no
other. When S3 cannot be reached, the tick fails and every message comes again, as often as the policy
lets it; what was in those that it moved away then, the sweep finds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared_resources.arrivals.event_messages import ObjectEvent, UnreadableMessage, events_of
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.listing import Budget, Finds
from shared_resources.contracts.model import Contract
from shared_resources.contracts.reading.object_names import unfinished
from shared_resources.landing.errors import RefusedKey, RefusedObject
from shared_resources.landing.zones.zone import LandingObject, LandingZone, parts_of
from shared_resources.production.settings import S3Location

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

RECEIVES_A_TICK = 30
MESSAGES_A_RECEIVE = 10  # as many as SQS gives
_MISSING = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


@dataclass
class QueueState:
    """How the queue stood at the end of a tick; `problems` are for people.

    `blind`: S3 let us look at nothing that messages told of; one must list to see whether it is
    the objects or S3 itself.
    """

    name: str
    usable: bool = True
    blind: bool = False
    waiting: int = 0
    in_flight: int = 0
    dead_letters: int | None = None
    problems: list[str] = field(default_factory=list)

    def say(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


class LandingQueue:
    """The queue of one product, whose name `template` gives; `zone` is where its objects lie."""

    def __init__(
        self,
        client: Callable[[], SQSClient],
        zone: S3Location,
        template: str,
        contract: Contract,
    ) -> None:
        assert contract.landing is not None
        self._make_client = client
        self._zone = zone
        self._folder = zone.key(contract.landing.prefix.strip("/")) + "/"
        self.name = template.format(domain=contract.domain, product=contract.name)

    @cached_property
    def _client(self) -> SQSClient:
        return self._make_client()

    def take_in(
        self, zone: LandingZone, ledger: Ledger, finds: Finds, budget: Budget
    ) -> QueueState:
        """Receive what the tick's bounds allow, and write down the objects that are there."""
        state = QueueState(self.name)
        url = self._url(self.name)
        if url is None:
            state.usable = False
            state.say(
                f"there is no queue {self.name}, so the prefix is listed instead; create it, or set "
                "MESH_LANDING_EVENTS=listing"
            )
            return state
        self._look(url, state)
        seen: set[str] = set()
        intake = _Intake(zone, ledger, finds, budget)
        for _ in range(RECEIVES_A_TICK):
            if not budget.in_time:
                break
            received = self._client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=MESSAGES_A_RECEIVE,
                # Without waiting SQS asks only some of its servers.
                WaitTimeSeconds=1 if state.waiting > len(seen) else 0,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            ).get("Messages", [])
            fresh = [message for message in received if message["MessageId"] not in seen]
            if not fresh:
                break
            seen.update(message["MessageId"] for message in fresh)
            self._digest(url, fresh, state, intake)
        state.blind = intake.refused and not intake.answered
        self._look(url, state)
        return state

    def depths(self) -> QueueState:
        """How the queue stands, without receiving anything."""
        state = QueueState(self.name)
        url = self._url(self.name)
        if url is None:
            state.usable = False
            state.say(f"there is no queue {self.name}")
        else:
            self._look(url, state)
        return state

    def _digest(
        self, url: str, messages: Sequence[MessageTypeDef], state: QueueState, intake: _Intake
    ) -> None:
        told: list[tuple[str, dict[str, str]]] = []
        for message in messages:
            try:
                keys = self._keys(events_of(message["Body"]), state)
            except UnreadableMessage as problem:
                times = message.get("Attributes", {}).get("ApproximateReceiveCount", "1")
                state.say(
                    f"message {message['MessageId']} in {self.name} cannot be read: {problem} "
                    f"(received {times} times); it is left for the dead-letter queue"
                )
                continue
            told.append((message["ReceiptHandle"], keys))
        left = intake.take_in({key: keys[key] for _, keys in told for key in keys}, state)
        # Only now is everything that these messages told of in the ledger.
        if done := [handle for handle, keys in told if left.isdisjoint(keys)]:
            self._client.delete_message_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": handle}
                    for number, handle in enumerate(done)
                ],
            )

    def _keys(self, events: Iterable[ObjectEvent], state: QueueState) -> dict[str, str]:
        """The keys within the landing zone that the events tell of, and the etags."""
        found = ((self._key(event, state), event.etag) for event in events)
        return {key: etag for key, etag in found if key is not None}

    def _key(self, event: ObjectEvent, state: QueueState) -> str | None:
        """The key within the landing zone, if the event tells of one of the product's objects."""
        if not event.created:
            return None
        if event.bucket != self._zone.bucket or not event.key.startswith(self._folder):
            place = f"s3://{event.bucket}/{event.key}"
            state.say(f"{self.name} told of {place!r}, which is not below its prefix")
            return None
        key = event.key.removeprefix(f"{self._zone.prefix}/") if self._zone.prefix else event.key
        try:
            parts_of(key)
        except RefusedKey as refusal:
            state.say(str(refusal))
            return None
        below = event.key.removeprefix(self._folder)
        return None if below.endswith("/") or any(map(unfinished, below.split("/"))) else key

    def _look(self, url: str, state: QueueState) -> None:
        attributes = self._attributes(url)
        state.waiting = int(attributes.get("ApproximateNumberOfMessages", 0))
        state.in_flight = int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0))
        policy = json.loads(attributes.get("RedrivePolicy") or "{}")
        if "deadLetterTargetArn" not in policy:
            state.say(
                f"{self.name} has no redrive policy: a message that cannot be read comes for ever; "
                "give the queue a dead-letter queue"
            )
            return
        name = str(policy["deadLetterTargetArn"]).rpartition(":")[2]
        dead = self._url(name)
        if dead is None:
            state.say(f"{self.name}: there is no dead-letter queue {name}; create it")
            return
        state.dead_letters = int(self._attributes(dead).get("ApproximateNumberOfMessages", 0))

    def _attributes(self, url: str) -> dict[Any, str]:
        answer = self._client.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "RedrivePolicy",
            ],
        )
        return dict(answer.get("Attributes", {}))

    def _url(self, name: str) -> str | None:
        from botocore.exceptions import ClientError

        try:
            return self._client.get_queue_url(QueueName=name)["QueueUrl"]
        except ClientError as problem:
            if problem.response["Error"]["Code"] in _MISSING:
                return None
            raise


@dataclass
class _Intake:
    """Where the objects that a tick's messages told of go. `answered`, `refused`: what S3 did."""

    zone: LandingZone
    ledger: Ledger
    finds: Finds
    budget: Budget
    answered: bool = False
    refused: bool = False

    def take_in(self, keys: Mapping[str, str], state: QueueState) -> set[str]:
        """Write down what is there under the keys; say what is not.

        Returns the keys that nothing was found out about, so that their messages come again.
        """
        there: list[LandingObject] = []
        left: set[str] = set()
        for key, etag in keys.items():
            # One message may tell of very many objects.
            if not self.budget.in_time:
                left.add(key)
                continue
            try:
                now = self.zone.head(key)
            except RefusedObject as refusal:
                self.refused = True
                left.add(key)
                state.say(
                    f"{refusal} Its message in {state.name} is left for the dead-letter queue"
                )
                continue
            self.answered = True
            if now is None:
                self.ledger.gone(key, etag)
                state.say(f"{key}: is gone before it was read")
            else:
                there.append(now)
        self.finds.take_in(there)
        return left
