"""A YAML file read safely, with the place of everything in it.

Belongs here: text to plain values plus line numbers, and every way in which that can fail: not
UTF-8, empty, tabs, duplicate keys, aliases, more than one document, too deep, too large.
Does not belong here: what the fields mean (`odcs.py` for contracts, `mesh/` for domains).

Plain scalars follow the core schema of YAML 1.2: only `true` and `false` are booleans, dates stay
text, `007` and `12:30` stay text. YAML 1.1 would turn the country code `no` into False.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import yaml

from shared_resources.contracts.numbers import MOST_DIGITS, TooLong, read_number
from shared_resources.findings import Finding, InvalidFile

Place = tuple[str | int, ...]

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_NODES = 100_000  # aliases counted as if written out, so that none can explode

_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Source:
    """A file whose root is a mapping. `places` maps each path to its (line, column), from 1.

    `findings` are the problems that did not keep the file from being read, such as duplicate keys
    (the first one counts then); `digest` is the SHA-256 of the file's bytes, `raw`.
    """

    path: Path
    data: Mapping[str, Any]
    digest: str
    places: Mapping[Place, tuple[int, int]] = field(repr=False)
    findings: tuple[Finding, ...] = ()
    raw: bytes = field(default=b"", repr=False)

    def line(self, place: Place) -> int:
        """The line of a path, or of the nearest node around it."""
        while place not in self.places:
            place = place[:-1]
        return self.places[place][0]

    @cached_property
    def lines(self) -> Mapping[str, int]:
        """The line of every node by its dotted path, e.g. `schema.transactions.quality[0]`."""
        return {self.dotted(place): where[0] for place, where in self.places.items() if place}

    def dotted(self, place: Place) -> str:
        """A path for people: schema objects and properties by their names, other items by position."""
        return self._shown(place)[0]

    def _shown(self, place: Place) -> tuple[str, Any]:
        """The path's text, and what stands there. Kept: each is asked for many times, and is most of
        what is below it."""
        known = self._texts.get(place)
        if known is None:
            known = self._texts[place] = self._show(place) if place else ("", self.data)
        return known

    def _show(self, place: Place) -> tuple[str, Any]:
        step = place[-1]
        shown, around = self._shown(place[:-1])
        try:
            data = around[step]
        except (KeyError, IndexError, TypeError):
            data = None
        if isinstance(step, str):
            return f"{shown}.{step}" if shown else step, data
        name = data.get("name") if isinstance(data, dict) else None
        parent = place[-2] if len(place) > 1 else ""
        named = parent in ("schema", "properties") and isinstance(name, str) and name
        return shown + (f".{name}" if named else f"[{step}]"), data

    @cached_property
    def _texts(self) -> dict[Place, tuple[str, Any]]:
        return {}


def read_source(path: Path, rule: str = "contract") -> Source:
    """Read a YAML file. Raises `InvalidFile` when there is nothing in it that could be used."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _invalid(
            path, 0, rule, f"cannot be read: {error.strerror}", "give an existing, readable file"
        ) from None
    return parse_source(raw, path, rule)


def parse_source(raw: bytes, path: Path, rule: str = "contract") -> Source:
    """Parse the bytes of the YAML file at `path`. Raises `InvalidFile` as `read_source` does."""
    if len(raw) > MAX_BYTES:
        message = f"is {len(raw)} bytes long; at most {MAX_BYTES} are read"
        raise _invalid(path, 0, rule, message, "split it, or move the data out of it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        message = f"is not UTF-8: byte 0x{raw[error.start]:02x}"
        raise _invalid(path, line, rule, message, "save the file as UTF-8") from None
    reader = _Reader(path, rule)
    try:
        data = reader.document(text)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(path, rule, error, text) from None
    except yaml.reader.ReaderError as error:
        line = text[: max(error.position, 0)].count("\n") + 1
        shown = f"U+{error.character:04X}" if isinstance(error.character, int) else "a byte"
        message = f"holds {shown}, which YAML does not allow"
        raise _invalid(path, line, rule, message, "remove that character") from None
    if not isinstance(data, dict):
        if data is None:
            raise _invalid(path, 0, rule, "is empty", "write `field: value` lines into it")
        message = f"holds {_kind(data)} where fields are expected"
        raise _invalid(path, 1, rule, message, "start the file with `field: value` lines")
    digest = hashlib.sha256(raw).hexdigest()
    return Source(path, data, digest, reader.places, tuple(reader.findings), raw)


class _Reader:
    """One pass over the parser's events: values, their places and recoverable problems."""

    def __init__(self, path: Path, rule: str) -> None:
        self.path, self.rule = path, rule
        self.places: dict[Place, tuple[int, int]] = {(): (1, 1)}
        self.findings: list[Finding] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def document(self, text: str) -> Any:
        self._events = iter(yaml.parse(text, Loader=_Loader))
        value, documents = None, 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop(event, "holds a second document", "keep one document in one file")
                value = self._value(next(self._events), ())
        return value

    def _value(self, event: Any, place: Place) -> Any:
        if len(place) > MAX_DEPTH:
            self._stop(event, f"is nested more than {MAX_DEPTH} deep", "flatten it")
        before = self._nodes
        self._count(event, 1)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                message = f"refers to *{event.anchor}, which is not defined before it"
                self._stop(event, message, "write the value out")
            value, size = self._anchors[event.anchor]
            self._count(event, size)
            return value
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            self._problem(event, f"carries the tag {event.tag}", "remove the tag")
        if isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(place)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(place)
        else:
            value = self._scalar(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _mapping(self, place: Place) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._stop(event, "has a field whose name is no text", "name fields with one word")
            name = event.value
            if name == "<<" and event.implicit[0]:
                self._stop(event, "uses a merge key `<<`", "write the fields out")
            here = (*place, name)
            if name in fields:
                first = self.places[here][0]
                self._problem(
                    event,
                    f"{name!r} stands twice in the same place (first in line {first})",
                    "keep one of the two",
                )
                hidden = _Reader(self.path, self.rule)  # its places must not overwrite the first's
                hidden._events, hidden._anchors = self._events, self._anchors
                hidden._value(next(self._events), here)
                self.findings += hidden.findings
                continue
            self.places[here] = _mark(event)
            fields[name] = self._value(next(self._events), here)
        return fields

    def _sequence(self, place: Place) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            here = (*place, len(items))
            self.places[here] = _mark(event)
            items.append(self._value(event, here))
        return items

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if event.tag is not None:
            return text
        if not event.implicit[0]:  # quoted, or a block
            return text
        if text in _WORDS:
            return _WORDS[text]
        try:
            number = read_number(text)
        except TooLong:
            message = f"holds a number of over {MOST_DIGITS} digits"
            self._stop(event, message, "correct the number")
        return text if number is None else number

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            message = f"holds more than {MAX_NODES} values once its aliases are written out"
            self._stop(event, message, "remove aliases, or split the file")

    def _problem(self, event: Any, message: str, remedy: str) -> None:
        self.findings.append(Finding(self.path, _mark(event)[0], self.rule, message, remedy))

    def _stop(self, event: Any, message: str, remedy: str) -> NoReturn:
        raise _invalid(self.path, _mark(event)[0], self.rule, message, remedy)


def _mark(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else f"the single value {value!r}"


def _syntax_error(path: Path, rule: str, error: yaml.MarkedYAMLError, text: str) -> InvalidFile:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    problem = error.problem or "the text cannot be parsed"
    lines = text.splitlines()
    broken = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in broken[: len(broken) - len(broken.lstrip())]:
        return _invalid(path, line, rule, "is indented with a tab", "indent with spaces")
    column = f" (column {mark.column + 1})" if mark else ""
    message = f"is not YAML: {problem}{column}"
    return _invalid(path, line, rule, message, "check the indentation, quotes and brackets there")


def _invalid(path: Path, line: int, rule: str, message: str, remedy: str) -> InvalidFile:
    return InvalidFile([Finding(path, line, rule, message, remedy)])
