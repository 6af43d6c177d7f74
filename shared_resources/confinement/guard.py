"""The guard around a domain's code: what it may read of the mesh, and which variables it sees.

Belongs here: knowing whether domain code is running here, refusing what it may not do meanwhile, and
keeping the platform's variables from it.
Does not belong here: calling the code (`data_products/makers/making.py`), finding such calls in its text
(`mesh/code/platform_use.py`), the list of variables (`variables.py`).

A product reads what it declares, at the version that its run has pinned; a store that it opens by
itself would be in no lineage and no evidence. The guard holds in the thread that called the code, in
every thread that the code starts, in threads of native libraries meanwhile, and in the processes
that it starts. It guards against mistakes and shortcuts: whoever means to can read this process's
memory and whatever files its user may read.
"""

from __future__ import annotations

import _thread
import contextvars
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared_resources.confinement.variables import (
    IN_THE_PLATFORM,
    RUNS_DOMAIN_CODE,
    is_platforms,
    names_seen,
)
from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    from shared_resources.stores.protocol import Snapshot


class NotDeclared(MeshProblem):
    """Code of a domain reached for what it does not declare; the message says how to declare it."""


@dataclass(frozen=True)
class Declared:
    """An input at its pinned version; `columns` are those that the product reads, None for all."""

    snapshot: Snapshot
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class DomainCode:
    """The code that is running: whose it is, and the inputs that it declares, by key."""

    whose: str
    inputs: Mapping[str, Declared] = field(default_factory=dict)


_here: contextvars.ContextVar[DomainCode | None] = contextvars.ContextVar("domain code")
_of_thread = threading.local()  # the same, for what runs in a context of its own making
_lock = threading.Lock()
_running: list[DomainCode] = []
_withheld: dict[str, str] = {}
# The platform's variables that it does see, as they were: who sets one sets it for himself alone.
_left: dict[str, str] = {}
# The interpreter's own copy of the variables that it was started with; `os.environ` is another.
_at_start: dict[bytes, bytes] = getattr(sys.modules.get("posix"), "environ", {})
_start_thread = _thread.start_new_thread


@contextmanager
def domain_code(
    whose: str, inputs: Mapping[str, Declared] | None = None, named: Iterable[str] = ()
) -> Iterator[None]:
    """Hold the guard while a domain's code runs, and while what it returned is drawn from it.

    `named` are the variables that its `domain.yaml` names.
    """
    code = DomainCode(whose, inputs or {})
    token = _here.set(code)
    outer = getattr(_of_thread, "code", None)
    _of_thread.code = code
    with _lock:
        _follow_threads()
        _running.append(code)
        _withhold(named, whose)
        if len(_running) == 1:
            _left.update({name: os.environ[name] for name in filter(is_platforms, os.environ)})
    try:
        yield
    finally:
        with _lock:
            _running.remove(code)
            if not _running:
                _give_back()
        _of_thread.code = outer
        _here.reset(token)


def running_here() -> DomainCode | None:
    """The domain code that the caller belongs to; None for the platform's own threads."""
    code = _here.get(None) or getattr(_of_thread, "code", None)
    if code is not None:
        return code
    if _running and isinstance(threading.current_thread(), threading._DummyThread):
        return _running[-1]  # a thread of polars or DuckDB: nobody else has them call Python
    outer = os.environ.get(RUNS_DOMAIN_CODE) if not _running else None
    return DomainCode(outer) if outer else None  # a process that the code has started


def refuse(what: str) -> None:
    """Raises `NotDeclared` if domain code is running here. `what` it tried, for people."""
    code = running_here()
    if code is not None:
        raise NotDeclared(
            f"{code.whose} {what} while it runs; a product reads only what it declares, at the "
            "version that its run has pinned: name it in @data_product(rows='domain/product') and "
            "take it as a parameter"
        )


def platform_variables() -> Mapping[str, str]:
    """The variables of this process, those included that are kept from domain code at the moment."""
    with _lock:
        return {**os.environ, **({} if running_here() else _withheld)}


def _withhold(named: Iterable[str], whose: str) -> None:
    allowed = names_seen(named)
    for name in os.environ.keys() - allowed - IN_THE_PLATFORM:
        _withheld[name] = os.environ.pop(name)
        _at_start.pop(os.fsencode(name), None)
    for name in _withheld.keys() & allowed:  # code of another domain had it taken away
        os.environ[name] = _withheld.pop(name)
    os.environ[RUNS_DOMAIN_CODE] = whose


def _give_back() -> None:
    os.environ.pop(RUNS_DOMAIN_CODE, None)
    for name in filter(is_platforms, tuple(os.environ)):
        os.environ.pop(name)
    os.environ.update({**_left, **_withheld})
    _left.clear()
    _withheld.clear()


def _follow_threads() -> None:
    """From now on a thread that domain code starts belongs to it, as in Python 3.14."""
    if threading._start_new_thread is _start_thread:  # type: ignore[attr-defined]
        threading._start_new_thread = _start  # type: ignore[attr-defined]
        _thread.start_new_thread = _start


def _start(function: Callable[..., Any], args: Any, kwargs: Mapping[str, Any] | None = None) -> int:
    code = _here.get(None) or getattr(_of_thread, "code", None)
    if code is None:
        return _start_thread(function, args, dict(kwargs or {}))

    def run(*given: Any, **named: Any) -> Any:
        _of_thread.code = code
        return function(*given, **named)

    inside = contextvars.copy_context()
    return _start_thread(inside.run, (run, *args), dict(kwargs or {}))
