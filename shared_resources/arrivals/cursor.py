"""A landing sensor's cursor: where it stands, in a few lines of JSON that a person can read.

Belongs here: its fields, reading and writing it. Does not belong here: moving it (`listing.py`), or
what became of objects, which the ledger keeps: the cursor's size never grows, and losing it costs
another look at the whole prefix and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

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

    def write(self) -> str:
        values = {
            name: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }
        return json.dumps(values, ensure_ascii=False)

    def restarted(self, prefix: str, resets: int) -> Cursor:
        """At the first key again; what it tells people stays."""
        return replace(
            self, prefix=prefix, position="", caught_up=False, sweep="", hot=False, resets=resets
        )


def asks_for_reset(text: str | None) -> bool:
    """Whether someone wrote `{"reset": true}` into the cursor."""
    return isinstance(values := _parsed(text), dict) and values.get(RESET) is True


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
