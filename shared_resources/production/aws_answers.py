"""What AWS answers, judged before botocore makes a result or an error of it.

Belongs here: what botocore does not see of an answer's body, and what an error must not repeat.
Does not belong here: how often and how long it tries (`settings.py`), objects of S3, whose bodies
have checksums (`object_store/s3_objects.py`), what the clients log (`wire_logs.py`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boto3.session import Session

_HIDDEN = "***"
_CREDENTIALS = "mesh_credentials"  # in the context of a request
# Where AWS begins to repeat the request. Without its value the header's name is harmless.
_REQUEST = re.compile(
    r"\s*(?:The Canonical String|x-amz-security-token['\"]?\s*[:=]).*", re.DOTALL | re.IGNORECASE
)
_KEY_ID = re.compile(r"Credential=([^/,\s]+)")


def hide_credentials(session: Session) -> None:
    """Take the session token and the key's id out of the errors of every client that it makes.

    To a wrong signature AWS answers with the whole request that it expected, headers with their
    token included, and what an error says is shown in terminals and kept in the event log. The
    client that botocore itself makes of the session, to assume a role, is covered too.
    """
    session.events.register_last("request-created", _remember)  # after it was signed
    session.events.register_first("response-received", _hide)


def _remember(request: Any, **_: object) -> None:
    """Credentials may be renewed at any time: those of this very request are to be hidden."""
    key = _KEY_ID.search(request.headers.get("Authorization") or "")
    token = request.headers.get("X-Amz-Security-Token")
    request.context[_CREDENTIALS] = [*([token] if token else []), *(key.groups() if key else [])]


def _hide(parsed_response: dict[str, Any] | None, context: dict[str, Any], **_: object) -> None:
    if parsed_response and parsed_response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 300:
        parsed_response.update(_without(parsed_response, context.get(_CREDENTIALS, [])))


def _without(said: Any, credentials: list[str]) -> Any:
    if isinstance(said, dict):
        # S3 has the request in fields of their own, once more as the numbers of its bytes.
        return {
            name: _HIDDEN if name.startswith("CanonicalRequest") else _without(value, credentials)
            for name, value in said.items()
        }
    if isinstance(said, list):
        return [_without(one, credentials) for one in said]
    if not isinstance(said, str):
        return said
    text = _REQUEST.sub(f" {_HIDDEN}", said)
    for secret in credentials:
        text = text.replace(secret, _HIDDEN)
    return text


def refuse_short_answers(client: Any) -> None:
    """Take an answer with fewer bytes than it announced for a server error, which is retried.

    When a connection ends in the middle of a JSON answer, botocore parses what came as an empty
    answer of success: a table without a description, a list without entries. Answers in XML it tells
    from whole ones itself (`botocore.handlers._handle_200_error`), and this does the same for JSON.
    """
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
