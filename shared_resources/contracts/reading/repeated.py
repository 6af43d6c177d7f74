"""Items of one shape in a list, such as columns: what holds for one of them holds for all.

Belongs here: which texts of an item a JSON schema is indifferent to, and the item without these.
Does not belong here: validating (`standard.py`).

A column's name and description are any text to the standard. Two columns that differ in nothing else
are both of its shape, or neither is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]
Shape = tuple[object, ...]

MOST = 1_000  # shapes to remember; all are forgotten at once

_ANNOTATIONS = frozenset({"type", "title", "description", "examples", "default", "deprecated"})
_ANY_TEXT = ("any text",)
_BRANCHES = ("allOf", "anyOf", "oneOf")
_SINGLE = ("if", "then", "else", "not")


class Shapes:
    """The shapes of items that were found to be sound, by the schemas that say so."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        # By the identities of schemas, which are held so that no other can have them.
        self._free: dict[tuple[int, ...], tuple[frozenset[str], Sequence[Schema]]] = {}
        self._sound: set[Shape] = set()

    def of(self, item: Any, schemas: Sequence[Schema]) -> Shape | None:
        """What decides whether the item is sound; None for what is no mapping."""
        if not isinstance(item, dict):
            return None
        asked = tuple(map(id, schemas))
        if asked not in self._free:
            self._free[asked] = self._free_texts(schemas), tuple(schemas)
        free = self._free[asked][0]
        fields = (
            (name, _ANY_TEXT if name in free and isinstance(value, str) else _exact(value))
            for name, value in item.items()
        )
        return (asked, *fields)

    def knows(self, shape: Shape | None) -> bool:
        """Whether an item of this shape was found to be sound."""
        return shape in self._sound

    def add(self, shape: Shape | None) -> None:
        """Remember that an item of this shape is sound."""
        if shape is None:
            return
        if len(self._sound) >= MOST:
            self._sound.clear()
        self._sound.add(shape)

    def _free_texts(self, schemas: Sequence[Schema]) -> frozenset[str]:
        """The fields of which every schema that may apply asks nothing but that they are text."""
        all_of_them = [one for schema in schemas for one in self._reachable(schema, set())]
        if any({"const", "enum"} & one.keys() for one in all_of_them):
            return frozenset()
        declared: dict[str, list[Any]] = {}
        for one in all_of_them:
            for name, field in one.get("properties", {}).items():
                declared.setdefault(name, []).append(field)
        return frozenset(
            name
            for name, fields in declared.items()
            if all(
                isinstance(field, dict)
                and field.get("type") == "string"
                and field.keys() <= _ANNOTATIONS
                for field in fields
            )
        )

    def _reachable(self, schema: Any, seen: set[int]) -> Iterator[Schema]:
        """The schema and all that it may pull in for the same value."""
        if not isinstance(schema, dict) or id(schema) in seen:
            return
        seen.add(id(schema))
        yield schema
        if "$ref" in schema:
            yield from self._reachable(referred(self._root, schema["$ref"]), seen)
        for branch in _BRANCHES:
            for inner in schema.get(branch, ()):
                yield from self._reachable(inner, seen)
        for keyword in _SINGLE:
            yield from self._reachable(schema.get(keyword), seen)


def referred(root: Schema, reference: str) -> Any:
    """What a `$ref` within the schema stands for."""
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def _exact(value: Any) -> object:
    """The value with its type, as what can be looked up: 1, 1.0 and true are three."""
    if isinstance(value, dict):
        return ("{", *((name, _exact(inner)) for name, inner in value.items()))
    if isinstance(value, list):
        return ("[", *map(_exact, value))
    return (type(value), value)
