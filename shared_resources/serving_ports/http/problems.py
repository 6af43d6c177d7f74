"""Problems as answers: RFC 9457's JSON, with the status that fits.

Belongs here: which problem is which status, and what a caller is told.
Does not belong here: the problems themselves.
"""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import JSONResponse

from shared_resources.access.grants import NoAgreement
from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.http.askers import TooManyGuesses
from shared_resources.serving_ports.reading import NotServed
from shared_resources.serving_ports.rows import NotAKey

_log = logging.getLogger(__name__)
_TITLES = {
    400: "Not a key of this product",
    401: "Not known who reads",
    403: "No agreement",
    404: "Not found",
    405: "Only read",
    414: "Longer than any key",
    429: "Too many unknown tokens",
    500: "Failed",
    503: "Not available now",
}
UNAVAILABLE = (
    "what rows are served from does not answer now; the operator's log says why. Try again"
)


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


def problem(
    request: Request,
    status: int,
    detail: str,
    headers: dict[str, str] | None = None,
    *,
    instance: str | None = None,
) -> ProblemResponse:
    """`instance` is the request's path where none is given."""
    said = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Failed"),
        "status": status,
        "detail": detail,
        "instance": request.url.path if instance is None else instance,
    }
    return ProblemResponse(said, status, {"Cache-Control": "no-store", **(headers or {})})


def answer_to(request: Request, raised: MeshProblem) -> ProblemResponse:
    """What is ours to mend is told to the operator: its message may name files and hosts."""
    match raised:
        case NotAKey():
            return problem(request, 400, str(raised))
        case NoAgreement():
            return problem(request, 403, raised.outside)
        case NotServed():
            return problem(request, 404, str(raised))
        case TooManyGuesses():
            return problem(request, 429, str(raised), {"Retry-After": "1"})
        case _:
            _log.error("%s: %s", type(raised).__name__, raised)
            return problem(request, 503, UNAVAILABLE, {"Retry-After": "1"})
