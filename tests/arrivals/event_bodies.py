"""Bodies of messages that tell of objects, and of messages that tell of nothing.

Belongs here: what stands in a message. Does not belong here: sending it (`queues.py`).
"""

from __future__ import annotations

import json
from typing import Any


def s3_body(key: Any, bucket: Any = "b", **record: Any) -> str:
    told = {"bucket": {"name": bucket}, "object": {"key": key, **record.pop("object", {})}}
    return json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": told, **record}]})


def eventbridge_body(key: Any, bucket: Any = "b", **fields: Any) -> str:
    detail = {"bucket": {"name": bucket}, "object": {"key": key, **fields.pop("object", {})}}
    kind = {"source": "aws.s3", "detail-type": "Object Created"}
    return json.dumps({**kind, "detail": detail, **fields})


def in_sns(message: str) -> str:
    return json.dumps({"Type": "Notification", "Message": message})


POISON = {
    "no JSON": "no JSON",
    "a list": "[]",
    "nothing": "{}",
    "an empty record": '{"Records": [{"s3": {}}]}',
    "a number of records": '{"Records": 7}',
    "another object": '{"a": "b"}',
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "deep within SNS": in_sns("[" * 100_000),
    "wrapped too often": in_sns(in_sns(in_sns("{}"))),
    "a key that is null": eventbridge_body(None),
    "a key that is a number": eventbridge_body(7),
    "a key that is a list": eventbridge_body([[]]),
    "a record's key that is null": s3_body(None),
    "a bucket that is null": eventbridge_body("shop/x", None),
    "a key that is half a character": eventbridge_body("\ud800"),
    "a record's key that is half a character": s3_body("shop/\ud800"),
    "a bucket that is half a character": s3_body("shop/x", "\udfff"),
    "an etag that is half a character": s3_body("shop/x", object={"eTag": "\ud800"}),
    "an etag with a NUL": s3_body("shop/x", object={"eTag": "e\0"}),
    "an etag that is a list": eventbridge_body("shop/x", object={"etag": ["e"]}),
    "a version that is half a character": s3_body("shop/x", object={"versionId": "\ud800"}),
    "a key longer than any": eventbridge_body("shop/" + "x" * 1024),
    "an etag longer than any": s3_body("shop/x", object={"eTag": "e" * 129}),
    "a time that is none": s3_body("shop/x", eventTime="soon " * 1000),
    "a time that is a number": eventbridge_body("shop/x", time=7),
    "a time before all others": eventbridge_body("shop/x", time="0001-01-01T00:00:00"),
}
