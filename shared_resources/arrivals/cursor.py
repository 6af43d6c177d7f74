"""A landing sensor's cursor: where each product stands, in a few lines of JSON that a person can read.

Belongs here: its fields, reading and writing it. Does not belong here: moving it (`listing.py`), or
what became of objects, which the ledger keeps: the cursor's size never grows, and losing it costs
another look at the whole prefix and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from shared_resources.landing.errors import LandingError

RESET = "reset"
_TIMES = ("listed_at", "swept_at", "found_at", "oldest_at")


@dataclass(frozen=True)
class Cursor:
    """`position`: every tick lists what sorts after this key, ``""`` is everything.

    `caught_up`: the last listing reached the end of the prefix. `sweep` is where the slow second
    look at what lies before the position goes on, `round` how often it has been through, `hot` that
    its last page held something new. `found`: the last new object. `oldest_at`, `lag_seconds`: the
    oldest object that is not processed yet. `resets`: the last request to start over that was met.
    `seen`: a digest of what the last listing held, if there is nothing left to do or to say of it.
    """

    prefix: str
    position: str = ""
    caught_up: bool = False
    listed_at: datetime | None = None
    sweep: str = ""
    round: int = 0
    swept_at: datetime | None = None
    hot: bool = False
    found: str = ""
    found_at: datetime | None = None
    unprocessed: int = 0
    stuck: int = 0
    oldest_at: datetime | None = None
    lag_seconds: int = 0
    resets: int = 0
    seen: str = ""

    def write(self) -> str:
        values = {
            name: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }
        return json.dumps(values, ensure_ascii=False)

    def restarted(self, prefix: str, resets: int) -> Cursor:
        """At the first key again; what it tells people stays."""
        return replace(
            self,
            prefix=prefix,
            position="",
            caught_up=False,
            sweep="",
            hot=False,
            resets=resets,
            seen="",
        )


@dataclass(frozen=True)
class DomainCursor:
    """A sensor's: the cursor of each of its products, as text, by the product's name. `reset`: the
    products whose objects are still to be forgotten, by somebody's request; True for all of them."""

    products: Mapping[str, str] = field(default_factory=dict)
    reset: Literal[True] | Sequence[str] = ()

    def write(self) -> str:
        products = {name: json.loads(text) for name, text in self.products.items()}
        asked = {RESET: self.reset} if self.reset else {}
        return json.dumps({**asked, "products": products}, ensure_ascii=False)


def read_domain_cursor(text: str | None) -> DomainCursor:
    """A sensor's cursor; an empty one where there is none yet, or only that of an earlier release.

    People write `{"reset": [<name>, ...]}` or `{"reset": true}` into it. Raises `LandingError` for what
    is no cursor.
    """
    values = {} if (parsed := _parsed(text)) is None else parsed
    if not isinstance(values, dict) or not isinstance(values.get("products", {}), dict):
        raise _unreadable(text)
    reset = values.get(RESET, [])
    named = isinstance(reset, list) and all(isinstance(name, str) for name in reset)
    if reset is not True and not named:
        raise _unreadable(text)
    products = {
        name: json.dumps(value, ensure_ascii=False)
        for name, value in values.get("products", {}).items()
    }
    return DomainCursor(products, reset)


def read_cursor(text: str | None, prefix: str) -> Cursor | None:
    """The cursor; None where there is none yet, or only that of an earlier release.

    Raises `LandingError` for what is no cursor.
    """
    values = _parsed(text)
    if values is None:
        return None
    if not isinstance(values, dict):
        raise _unreadable(text)
    if "position" not in values:
        return None
    try:
        times = {name: _time(values.get(name)) for name in _TIMES}
        known = {name: values[name] for name in Cursor.__dataclass_fields__ if name in values}
        cursor = Cursor(**{**known, **times})
    except (TypeError, ValueError) as problem:
        raise _unreadable(text) from problem
    if not all(isinstance(key, str) for key in (cursor.prefix, cursor.position, cursor.sweep)):
        raise _unreadable(text)
    return cursor if cursor.prefix == prefix else cursor.restarted(prefix, cursor.resets)


def _parsed(text: str | None) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as problem:
        raise _unreadable(text) from problem


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _unreadable(text: str | None) -> LandingError:
    return LandingError(
        f"the sensor's cursor {str(text)[:200]!r} cannot be read; clear it to look at the whole "
        f'prefix again, or set it to {{"{RESET}": true}} to ingest everything again'
    )
