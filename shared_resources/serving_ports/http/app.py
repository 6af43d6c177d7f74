"""The ASGI application: a point read, the description, whether it is well.

Belongs here: routes, from a request to a reader and a key, from an answer to a response.
Does not belong here: reading (`serving_ports/reading.py`), the server that runs it (`running.py`).

An embedded port answers in microseconds, and is asked where the requests are heard; one that is asked
over the network is waited for in a thread, and so is a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared_resources.access.door import Reader
from shared_resources.environment import Environment
from shared_resources.mesh.model import is_product_key
from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.http.askers import Askers
from shared_resources.serving_ports.http.openapi import description
from shared_resources.serving_ports.http.problems import answer_to, problem
from shared_resources.serving_ports.http.tokens import Tokens
from shared_resources.serving_ports.http.watching import page as watching
from shared_resources.serving_ports.kept_grants import FRESH
from shared_resources.serving_ports.reading import Answer, NotServed, PointReader
from shared_resources.serving_ports.rows import NotAKey

LONGEST_PATH = 8 * 1024
TICK = FRESH / 4
_log = logging.getLogger(__name__)
_PLAIN = " !#$&'()*+,/:;=?@[]~"
_WHO = {"WWW-Authenticate": "Bearer"}
_NO_TOKEN = (
    "send the header `Authorization: Bearer …` with a token in force; `mesh access token new` makes "
    "one"
)


class _AnyKey(PathConvertor):
    """A key may hold a line's end, too, which Starlette's own `path` does not take."""

    regex = r"(?s:.)*"


register_url_convertor("any_key", _AnyKey())


def application(environment: Environment) -> Starlette:
    """The application over the environment's serving port."""
    served = _Served(environment)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(served.tick())
        try:
            yield
        finally:
            ticking.cancel()
            served.points.close()

    return Starlette(
        routes=[
            Route("/health", served.health),
            Route("/openapi.json", served.openapi),
            *watching.routes(),
            Route("/{domain}/{product}/{key:any_key}", served.row),
        ],
        exception_handlers={HTTPException: _not_so},
        lifespan=lifespan,
    )


async def _not_so(request: Request, raised: Exception) -> Response:
    assert isinstance(raised, HTTPException)
    detail = "read a row at /domain/product/key; /openapi.json describes what there is"
    return problem(request, raised.status_code, detail, dict(raised.headers or {}))


class _Served:
    def __init__(self, environment: Environment) -> None:
        self.points = PointReader(environment)
        self._askers = Askers(Tokens(environment.state))
        self._health: tuple[float, int] = (0.0, 0)

    async def row(self, request: Request) -> Response:
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        if len(raw) > LONGEST_PATH:
            detail = f"a path has at most {LONGEST_PATH:,} bytes, percent-encoded"
            return problem(request, 414, detail, instance="")
        try:
            reader = await self._reader(request)
            if reader is None:
                return problem(request, 401, _NO_TOKEN, _WHO)
            product, key = _asked_for(raw)
            answer = None if self.points.port.remote else self.points.read_now(product, reader, key)
            if answer is None:
                answer = await run_in_threadpool(self.points.read, product, reader, key)
        except MeshProblem as raised:
            return answer_to(request, raised)
        headers = _headers(answer)
        if answer.row is None:
            detail = f"{product} shows you no row of this key"
            return problem(request, 404, detail, headers)
        return Response(_json(answer.row), media_type="application/json", headers=headers)

    async def openapi(self, request: Request) -> Response:
        try:
            reader = await self._reader(request)
            if reader is None:
                return problem(request, 401, _NO_TOKEN, _WHO)
            found = await run_in_threadpool(self.points.served, reader)
        except MeshProblem as raised:
            return answer_to(request, raised)
        return JSONResponse(description(found), headers={"Cache-Control": "no-store"})

    async def health(self, request: Request) -> Response:
        """Says whether rows can be read, and nothing of which. Anybody may ask: the port is asked for
        it once in `FRESH` seconds."""
        if self._health[0] < time.monotonic():
            try:
                products = await run_in_threadpool(self.points.port.products)
            except MeshProblem as raised:
                return answer_to(request, raised)
            self._health = (time.monotonic() + FRESH, len(products))
        return JSONResponse(
            {"status": "ok", "port": self.points.port.name, "served": self._health[1]}
        )

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                await self._askers.renew()
                await run_in_threadpool(self.points.tick)
            except (MeshProblem, OSError, SQLAlchemyError) as problem:
                # What is not renewed is looked up by who asks next, and he is told.
                _log.warning(
                    "tokens and agreements are not renewed now: %s", type(problem).__name__
                )

    async def _reader(self, request: Request) -> Reader | None:
        return await self._askers.reader(request.headers.get("authorization", ""))


def _asked_for(raw: bytes) -> tuple[str, list[str]]:
    """The product, and the parts of the key as they were before their slashes were decoded."""
    domain, name, *key = raw.split(b"/")[1:]
    product = f"{domain.decode('latin-1')}/{name.decode('latin-1')}"
    if not is_product_key(product):
        raise NotServed("the path names no product; it is /domain/product/key")
    try:
        return product, [unquote_to_bytes(part).decode() for part in key]
    except UnicodeDecodeError:
        raise NotAKey("the path is not UTF-8") from None


def _headers(answer: Answer) -> dict[str, str]:
    generation = answer.generation
    age = max(0, int((datetime.now(UTC) - generation.published_at).total_seconds()))
    said = {
        "Mesh-Version": str(generation.version),
        "Mesh-Generation": generation.id,
        "Mesh-Published-At": generation.published_at.isoformat(),
        "Mesh-Age-Seconds": str(age),
        "Cache-Control": "no-store",
    }
    if answer.agreement:
        # A person chose it, of any letters; a header has those of ASCII.
        said["Mesh-Agreement"] = quote(answer.agreement, safe=_PLAIN)
    if answer.position is not None:
        said["Mesh-Position"] = str(answer.position)
    if answer.follows is not None:
        said["Mesh-Position-Age-Seconds"] = f"{answer.follows.age():.3f}"
    return said


def _json(row: Any) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        plain = {
            name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
        return json.dumps(plain, ensure_ascii=False).encode()
