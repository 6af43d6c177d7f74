"""Messages that tell of objects in a bucket: S3's own, and those that SNS and EventBridge wrap.

Belongs here: the shapes of the messages
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html).
Does not belong here: receiving them and what follows from them (`queue.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from shared_resources.landing.zone import VERSION_MARK

_CREATED = ("ObjectCreated:", "ObjectRestore:Completed")
_CREATED_DETAIL = ("Object Created", "Object Restore Completed")
_WRAPPED_AT_MOST = 3


class UnreadableMessage(Exception):
    """A message that tells of nothing that is known; the text says what it lacks."""


@dataclass(frozen=True)
class ObjectEvent:
    """`key` is the bucket's. `created` is false when an object was removed, tagged or moved."""

    bucket: str
    key: str
    created: bool
    etag: str

    @classmethod
    def of(
        cls, bucket: str, key: str, created: bool, told: Mapping[str, Any], at: str, version: str
    ) -> ObjectEvent:
        """What the object's etag would have been in the landing zone, were it still there."""
        seconds = int(datetime.fromisoformat(at).timestamp()) if at else 0
        kept = told.get(version)
        mark = f"{VERSION_MARK}{kept}" if kept else ""
        return cls(
            bucket, key, created, f"{told.get('eTag', told.get('etag', ''))}@{seconds:x}{mark}"
        )


def events_of(body: str) -> list[ObjectEvent]:
    """What a message tells of; nothing for the test that S3 sends when it is set up.

    Raises `UnreadableMessage`.
    """
    value: Any = body
    for _ in range(_WRAPPED_AT_MOST):
        value = _json(value)
        # SNS, unless it delivers raw messages.
        if value.get("Type") == "Notification" and isinstance(value.get("Message"), str):
            value = value["Message"]
            continue
        try:
            return list(_events(value))
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise UnreadableMessage(f"it lacks what S3 tells of an object: {problem!r}") from None
    raise UnreadableMessage("it is wrapped too often")


def _json(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise UnreadableMessage("it is not JSON") from None
    if not isinstance(value, dict):
        raise UnreadableMessage("it is no JSON object")
    return value


def _events(value: Mapping[str, Any]) -> Iterator[ObjectEvent]:
    if value.get("Event") == "s3:TestEvent":
        return
    if value.get("source") == "aws.s3" and "detail" in value:
        detail, told = value["detail"], value["detail"]["object"]
        created = value["detail-type"] in _CREATED_DETAIL
        bucket = detail["bucket"]["name"]
        # EventBridge gives keys as they are.
        yield ObjectEvent.of(
            bucket, told["key"], created, told, value.get("time", ""), "version-id"
        )
        return
    if not isinstance(value.get("Records"), list):
        raise UnreadableMessage("it holds neither Records nor the detail of an object")
    for record in value["Records"]:
        told = record["s3"]["object"]
        created = record["eventName"].removeprefix("s3:").startswith(_CREATED)
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(told["key"])
        yield ObjectEvent.of(bucket, key, created, told, record.get("eventTime", ""), "versionId")
