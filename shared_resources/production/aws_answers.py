"""Half an answer of AWS is no answer: it is asked for again.

Belongs here: what botocore does not see of an answer's body. Does not belong here: how often and how
long it tries (`settings.py`), objects of S3, whose bodies have checksums
(`io_managers/s3_objects.py`).

When a connection ends in the middle of a JSON answer, botocore parses what came as an empty answer
of success: a table without a description, a list without entries. Answers in XML it tells from
whole ones itself (`botocore.handlers._handle_200_error`), and this does the same for JSON.
"""

from __future__ import annotations

from typing import Any


def refuse_short_answers(client: Any) -> None:
    """Take an answer with fewer bytes than it announced for a server error, which is retried."""
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-parse.{service}", _judge)
    client.meta.events.register_first(f"needs-retry.{service}", _tell_retries)


def _judge(operation_model: Any, response_dict: dict[str, Any], **_: object) -> None:
    if operation_model.has_streaming_output or operation_model.http.get("method") == "HEAD":
        return
    headers, body = response_dict["headers"], response_dict["body"]
    announced = headers.get("content-length")
    if announced is None or headers.get("content-encoding") or len(body) >= int(announced):
        return
    response_dict["status_code"] = 500
    response_dict["body"] = b'{"__type": "ShortAnswer", "message": "the connection ended early"}'


def _tell_retries(response: Any, **_: object) -> None:
    """Retries look at the answer's own status, which is that of what came of the judgement."""
    if response is not None:
        answer, parsed = response
        answer.status_code = parsed["ResponseMetadata"]["HTTPStatusCode"]
