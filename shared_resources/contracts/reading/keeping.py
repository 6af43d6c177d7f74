"""Whether a value keeps a JSON schema, answered at once for the keywords that the standard uses.

Belongs here: yes or no, and saying that this cannot tell.
Does not belong here: what is wrong with a value and where (`standard.py`, which asks jsonschema for it).

Nearly every contract that is read is sound. To say so, jsonschema takes fifteen times as long, and its
import longer still, which is a fifth of what somebody waits for the audit of a small file. Who is told
that a value does not keep the schema, or that this cannot tell, asks jsonschema: what it finds counts.
A test holds both against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from shared_resources.contracts.numbers import is_number
from shared_resources.contracts.reading.repeated import Shapes, referred

# What asks nothing of a value. `format` is a remark unless somebody checks it; unknown fields are found
# by name (`standard.py`).
_REMARKS = frozenset(
    {
        *("$schema", "$defs", "$comment", "title", "description", "examples", "default"),
        *("deprecated", "format", "unevaluatedProperties", "then", "else"),
    }
)


class CannotTell(Exception):
    """The schema asks for something that is not known here, or of a value of an unusual kind."""


class Keeping:
    """The answers for one schema, whose references lead into itself. `sound` are shapes that keep it."""

    def __init__(self, root: dict[str, Any], sound: Shapes) -> None:
        self._root = root
        self._sound = sound

    def keeps(self, value: Any, schema: Any) -> bool:
        """Whether the value keeps the schema. Raises `CannotTell`."""
        if isinstance(schema, bool):
            return schema
        for keyword, wanted in schema.items():
            if keyword in _REMARKS:
                continue
            asked = _PLAIN.get(keyword)
            if asked is not None:
                if not asked(wanted, value):
                    return False
                continue
            inner = _INNER.get(keyword)
            if inner is None:
                raise CannotTell(keyword)
            if not inner(self, wanted, value, schema):
                return False
        return True

    def _reference(self, wanted: str, value: Any, _: Any) -> bool:
        if not wanted.startswith("#/"):
            raise CannotTell(wanted)
        return self.keeps(value, referred(self._root, wanted))

    def _all(self, wanted: Any, value: Any, _: Any) -> bool:
        return all(self.keeps(value, one) for one in wanted)

    def _any(self, wanted: Any, value: Any, _: Any) -> bool:
        return any(self.keeps(value, one) for one in wanted)

    def _one(self, wanted: Any, value: Any, _: Any) -> bool:
        return sum(self.keeps(value, one) for one in wanted) == 1

    def _none(self, wanted: Any, value: Any, _: Any) -> bool:
        return not self.keeps(value, wanted)

    def _condition(self, wanted: Any, value: Any, schema: Any) -> bool:
        branch = "then" if self.keeps(value, wanted) else "else"
        return branch not in schema or self.keeps(value, schema[branch])

    def _properties(self, wanted: Any, value: Any, _: Any) -> bool:
        return not isinstance(value, dict) or all(
            self.keeps(value[name], one) for name, one in wanted.items() if name in value
        )

    def _additional(self, wanted: Any, value: Any, schema: Any) -> bool:
        known = schema.get("properties", ())
        return not isinstance(value, dict) or all(
            self.keeps(field, wanted) for name, field in value.items() if name not in known
        )

    def _items(self, wanted: Any, value: Any, _: Any) -> bool:
        if not isinstance(wanted, dict):
            raise CannotTell("items")
        return not isinstance(value, list) or all(self._item(item, wanted) for item in value)

    def _item(self, item: Any, wanted: Any) -> bool:
        """A contract may have thousands of columns of few shapes: each is looked at once."""
        shape = self._sound.of(item, [wanted])
        if self._sound.knows(shape):
            return True
        if not self.keeps(item, wanted):
            return False
        self._sound.add(shape)
        return True


def is_integer(value: Any) -> bool:
    """As in JSON, 2.0 is a whole number."""
    return is_number(value) and bool(value == int(value))


def _is_number(value: Any) -> bool:
    return is_number(value) or isinstance(value, float)  # NaN is one to JSON schema


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": is_integer,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def _type(wanted: Any, value: Any) -> bool:
    kinds = (wanted,) if isinstance(wanted, str) else wanted
    return any(_TYPES[kind](value) for kind in kinds)


def _enum(wanted: Any, value: Any) -> bool:
    """Words alone: what else is equal to what is no matter of `==`."""
    if not all(isinstance(word, str) for word in wanted):
        raise CannotTell("enum")
    return isinstance(value, str) and value in wanted


def _pattern(wanted: str, value: Any) -> bool:
    return not isinstance(value, str) or _compiled(wanted).search(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _unique(wanted: bool, value: Any) -> bool:
    if not wanted or not isinstance(value, list) or len(value) < 2:
        return True
    return len({_same(item) for item in value}) == len(value)


def _same(value: Any) -> object:
    """What is equal for equal values: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, dict):
        return ("{", frozenset((name, _same(field)) for name, field in value.items()))
    if isinstance(value, list):
        return ("[", *map(_same, value))
    if value is None or isinstance(value, str | bool):
        return (type(value), value)
    if is_number(value):
        return ("number", value)
    raise CannotTell("uniqueItems")


_PLAIN: dict[str, Callable[[Any, Any], bool]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda wanted, value: _enum((wanted,), value),
    "pattern": _pattern,
    "uniqueItems": _unique,
    "required": lambda names, value: not isinstance(value, dict) or all(n in value for n in names),
    "minItems": lambda least, value: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda most, value: not isinstance(value, list) or len(value) <= most,
    "minimum": lambda least, value: not _is_number(value) or not value < least,
    "exclusiveMinimum": lambda bound, value: not _is_number(value) or not value <= bound,
}
_INNER: dict[str, Callable[[Keeping, Any, Any, Any], bool]] = {
    "$ref": Keeping._reference,
    "allOf": Keeping._all,
    "anyOf": Keeping._any,
    "oneOf": Keeping._one,
    "not": Keeping._none,
    "if": Keeping._condition,
    "properties": Keeping._properties,
    "additionalProperties": Keeping._additional,
    "items": Keeping._items,
}
