"""A document with some of its values changed, by paths as clauses are named.

Belongs here: finding the place that a path names, and what stands there then.
Does not belong here: any document.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

# What the items of these lists are called by; those of others by their number.
_CALLED_BY = {
    "schema": "name",
    "properties": "name",
    "servers": "server",
    "slaProperties": "property",
    "customProperties": "property",
}


def changed(document: Any, changes: Mapping[str, Any]) -> Any:
    """The document with each change made; it itself stays.

    `schema.orders.properties.email: {…}` adds the item `email` where there is none; None takes out.
    Raises `KeyError`, naming the path, where it leads nowhere.
    """
    whole = copy.deepcopy(document)
    for path, value in changes.items():
        *way, last = path.split(".")
        place, called = whole, ""
        for step in way:
            place, called = _inside(place, step, called, path), step
        _set(place, last, called, copy.deepcopy(value), path)
    return whole


def _inside(place: Any, step: str, called: str, path: str) -> Any:
    if isinstance(place, dict):
        # What a path goes through comes into being: only items of lists must be there.
        return place.setdefault(step, [] if step in _CALLED_BY else {})
    if isinstance(place, list) and (number := _number(place, step, called)) is not None:
        return place[number]
    raise KeyError(f"{path}: there is no {step!r}")


def _set(place: Any, last: str, called: str, value: Any, path: str) -> None:
    if isinstance(place, dict):
        if value is None:
            del place[last]
        else:
            place[last] = value
        return
    if not isinstance(place, list):
        raise KeyError(f"{path}: {last!r} stands in no list and no mapping")
    number = _number(place, last, called)
    if value is None:
        if number is None:
            raise KeyError(f"{path}: there is no {last!r}")
        del place[number]
        return
    if called in _CALLED_BY:
        value = {_CALLED_BY[called]: last, **value}
    if number is None:
        place.append(value)
    else:
        place[number] = value


def _number(items: list[Any], step: str, called: str) -> int | None:
    if step.isdecimal() and int(step) < len(items):
        return int(step)
    by = _CALLED_BY.get(called)
    if by is None:
        return None
    return next((n for n, item in enumerate(items) if item.get(by) == step), None)
