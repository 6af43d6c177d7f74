"""The files of the page, and what a browser may do with them.

Belongs here: answering with them. Does not belong here: rows and tokens.

The page is the same for everybody and for every row: which one is watched, the script reads from its own
address. The token is typed into a field and kept in the page's memory alone; it is sent in the header of
each reading, and stands in no address, no storage and no log. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_FILES = {
    "watch.html": "text/html; charset=utf-8",
    "watch.js": "text/javascript; charset=utf-8",
    "watch.css": "text/css; charset=utf-8",
}


def routes() -> list[Route]:
    """`/watch/domain/product/key`, and the two files that it asks for."""
    return [
        Route("/watch.js", _answering("watch.js")),
        Route("/watch.css", _answering("watch.css")),
        Route("/watch/{domain}/{product}/{key:any_key}", _answering("watch.html")),
    ]


def _answering(name: str) -> Callable[[Request], Awaitable[Response]]:
    content = (resources.files(__package__) / name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(content, media_type=_FILES[name], headers=_SAFE)

    return answer
