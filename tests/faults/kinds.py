"""The kinds of faults, and what each service answers when it fails.

Belongs here: names, and bodies shaped as AWS and Snowflake shape them. Does not belong here: when
a fault is injected (`plans.py`), how (`proxy.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

from tests.faults.requests import Request, Service


class Kind(Enum):
    """What goes wrong with one request."""

    INTERNAL_ERROR = "500"
    SLOW_DOWN = "503 SlowDown"
    EXPIRED = "expired credentials"
    CUT_BEFORE = "cut before the server saw it"
    CUT_UPLOAD = "cut in the middle of the request's body"
    CUT_AFTER = "cut after the server did it"
    HELD_BACK = "done, the answer held back beyond the client's timeout"
    CUT_ANSWER = "cut in the middle of the answer's body"
    SHORT_ANSWER = "an answer shorter than its Content-Length"
    TRUNCATED_ANSWER = "a truncated answer with the Content-Length of what is left"
    FLIPPED_ANSWER = "a flipped byte in an object that is read"
    FLIPPED_UPLOAD = "a flipped byte in an object that is written"


REFUSED = frozenset({Kind.INTERNAL_ERROR, Kind.SLOW_DOWN, Kind.EXPIRED})
"""The server answers, and has done nothing."""
UNSEEN = REFUSED | {Kind.CUT_BEFORE, Kind.CUT_UPLOAD}
"""The server has done nothing."""
_OF_OBJECTS = frozenset({Kind.TRUNCATED_ANSWER, Kind.FLIPPED_ANSWER})
_OF_UPLOADS = frozenset({Kind.CUT_UPLOAD, Kind.FLIPPED_UPLOAD})


def can_happen(kind: Kind, request: Request) -> bool:
    """Whether the kind makes sense for the request.

    A truncated or altered body that looks whole happens to stored objects, which have checksums
    against it. On the way it cannot happen: TLS makes a broken connection of it.
    """
    if kind in _OF_OBJECTS:
        return request.operation == "s3:GetObject"
    if kind is Kind.FLIPPED_UPLOAD:
        return request.operation in ("s3:PutObject", "s3:UploadPart") and bool(request.body)
    if kind in _OF_UPLOADS:
        return bool(request.body)
    return True


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


_CODES = {
    # of S3: its own names; of Glue and SQS: those of AWS's JSON protocols
    (Service.S3, Kind.INTERNAL_ERROR): (500, "InternalError"),
    (Service.S3, Kind.SLOW_DOWN): (503, "SlowDown"),
    (Service.S3, Kind.EXPIRED): (400, "ExpiredToken"),
    (Service.S3, Kind.FLIPPED_UPLOAD): (400, "BadDigest"),
    (Service.GLUE, Kind.INTERNAL_ERROR): (500, "InternalServiceException"),
    (Service.GLUE, Kind.SLOW_DOWN): (400, "ThrottlingException"),
    (Service.GLUE, Kind.EXPIRED): (400, "ExpiredTokenException"),
    (Service.SQS, Kind.INTERNAL_ERROR): (500, "InternalFailure"),
    (Service.SQS, Kind.SLOW_DOWN): (503, "ServiceUnavailable"),
    (Service.SQS, Kind.EXPIRED): (403, "ExpiredToken"),
}
_STATUS = {Kind.INTERNAL_ERROR: 500, Kind.SLOW_DOWN: 503, Kind.EXPIRED: 403}
SESSION_EXPIRED = "390114"
KEY_EXPIRED = "390144"  # what a login is told: the key pair's token is no longer valid


def refusal(kind: Kind, request: Request) -> Answer:
    """The service's own answer for a fault that it answers itself."""
    if request.service is Service.SNOWFLAKE:
        return _of_snowflake(kind, request)
    status, code = _CODES[request.service, kind]
    message = f"{code}, injected into {request.operation}"
    if request.service is Service.S3:
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>{message}</Message>"
            "<RequestId>INJECTED</RequestId><HostId>proxy</HostId></Error>"
        )
        return Answer(status, (("Content-Type", "application/xml"),), body.encode())
    kinds = (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code))
    return Answer(status, kinds, json.dumps({"__type": code, "message": message}).encode())


def _of_snowflake(kind: Kind, request: Request) -> Answer:
    if kind is Kind.EXPIRED and request.operation != "snowflake:upload":
        # Snowflake says it with a successful answer that says no.
        login = request.operation == "snowflake:login-request"
        said = {
            "data": None,
            "code": KEY_EXPIRED if login else SESSION_EXPIRED,
            "message": "Authentication token has expired.  The user must authenticate again.",
            "success": False,
            "headers": None,
        }
        return Answer(200, (("Content-Type", "application/json"),), json.dumps(said).encode())
    return Answer(_STATUS[kind], (("Content-Type", "text/plain"),), kind.value.encode())
