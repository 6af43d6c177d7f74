"""Messages that tell of objects in a bucket: S3's own, and those that SNS and EventBridge wrap.

Belongs here: the shapes of the messages
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html).
Does not belong here: receiving them and what follows from them (`events.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from shared_resources.landing.zones.zone import VERSION_MARK

_CREATED = ("ObjectCreated:", "ObjectRestore:Completed")
_CREATED_DETAIL = ("Object Created", "Object Restore Completed")
_WRAPPED_AT_MOST = 3
# Bytes. S3's own bounds; an etag is a checksum and a number of parts. A message that goes beyond
# them is not S3's, and a Postgres would not take the row.
_LONGEST = {"bucket": 255, "key": 1024, "etag": 128, "version": 1024}
_PROBLEM_AT_MOST = 200


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
        cls, bucket: Any, key: Any, created: bool, told: Mapping[str, Any], at: str, version: str
    ) -> ObjectEvent:
        """What the object's etag would have been in the landing zone, were it still there."""
        seconds = int(datetime.fromisoformat(at).timestamp()) if at else 0
        etag = _text("etag", told.get("eTag", told.get("etag")) or "")
        kept = _text("version", told.get(version) or "")
        mark = f"{VERSION_MARK}{kept}" if kept else ""
        return cls(_text("bucket", bucket), _text("key", key), created, f"{etag}@{seconds:x}{mark}")


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
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as problem:
            said = repr(problem)[:_PROBLEM_AT_MOST]
            raise UnreadableMessage(f"it lacks what S3 tells of an object: {said}") from None
    raise UnreadableMessage("it is wrapped too often")


def _json(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise UnreadableMessage("it is not JSON") from None
    except RecursionError:
        raise UnreadableMessage("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise UnreadableMessage("it is no JSON object")
    return value


def _text(what: str, value: Any) -> str:
    """What S3 calls something: text that can be sent to it, and written into the ledger."""
    if not isinstance(value, str):
        raise UnreadableMessage(f"its {what} is no text, but {type(value).__name__}")
    shown = repr(value[:_PROBLEM_AT_MOST])
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        raise UnreadableMessage(f"its {what} is not UTF-8: {shown}") from None
    # S3 takes keys with a NUL; that nobody here does is said of the object, not of its message.
    if length > _LONGEST[what] or ("\0" in value and what != "key"):
        raise UnreadableMessage(f"its {what} is none that S3 gives: {shown}")
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
