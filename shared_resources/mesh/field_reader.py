"""Fields of a YAML file, read one by one with a finding for each that is not of its form.

Belongs here: text, lists of text, days, numbers; unknown and missing fields.
Does not belong here: which fields a file has (`domain_file.py`, `central_file.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from shared_resources.contracts.source import Place, Source
from shared_resources.findings import Finding

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass
class FieldReader:
    """Reads fields of one source and collects what is wrong with them.

    `examples` says how each field is written, for the remedies. What is not of its form reads as
    absent, so that one pass finds everything.
    """

    source: Source
    rule: str
    examples: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)

    def add(self, place: Place, message: str, remedy: str) -> None:
        line = self.source.line(place)
        self.findings.append(Finding(self.source.path, line, self.rule, message, remedy))

    def expect_fields(
        self,
        place: Place,
        given: Mapping[str, Any],
        fields: tuple[str, ...],
        optional: Iterable[str] = (),
        of: str = "",
    ) -> None:
        """Unknown and missing fields are findings; `of` names what they are fields of."""
        for name in given:
            if name not in fields:
                close = get_close_matches(name, fields, n=1)
                remedy = f"did you mean {close[0]!r}?" if close else f"there are {listed(fields)}"
                self.add((*place, name), f"{of}unknown field {name!r}", remedy)
        for name in fields:
            if name not in given and name not in optional:
                self.add(place, f"{of}{name!r} is missing", f"add `{self.examples[name]}`")

    def text(self, place: Place) -> str:
        """A field that is text and not blank; ``""``, with a finding, when it is anything else."""
        value = self.value(place)
        if isinstance(value, str) and value.strip():
            return value.strip()
        self._wrong(place, "is not text")
        return ""

    def texts(self, place: Place) -> tuple[str, ...]:
        """A field that is a list of texts, none of them empty, at least one."""
        value = self.value(place)
        if isinstance(value, list) and value and all(isinstance(v, str) and v for v in value):
            return tuple(v.strip() for v in value)
        self._wrong(place, "is not a list of texts")
        return ()

    def day(self, place: Place) -> date | None:
        value = self.value(place)
        if isinstance(value, str) and _DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:  # the 30th of February
                pass
        self._wrong(place, f"is not a day: {value!r}")
        return None

    def number(self, place: Place, least: int, most: int) -> Decimal | None:
        """A number within the bounds, exact; None, with a finding, when it is anything else."""
        value = self.value(place)
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            exact = Decimal(str(value))
            if exact.is_finite() and least <= exact <= most:
                return exact
        self._wrong(place, f"is not a number from {least} to {most}")
        return None

    def value(self, place: Place) -> Any:
        """The value at a place; None where there is none."""
        value: Any = self.source.data
        for step in place:
            if isinstance(value, dict):
                value = value.get(str(step))
            elif isinstance(value, list) and isinstance(step, int):
                value = value[step]
        return value

    def _wrong(self, place: Place, how: str) -> None:
        if place in self.source.places:  # else it is missing, which is said once
            name = str(place[-1])
            self.add(place, f"{name!r} {how}", f"write `{self.examples.get(name, f'{name}: 7')}`")


def listed(names: Any) -> str:
    return ", ".join(str(name) for name in names)
