"""Texts that match a pattern.

Belongs here: patterns of the subset that contracts may have (`contracts/patterns.py`).
Does not belong here: which texts a column may hold besides (`column_values.py`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from typing import Any

_MOST_REPEATED = 3  # beyond the least, where a pattern allows any number
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.@/"
_CATEGORIES = {
    "CATEGORY_DIGIT": "0123456789",
    "CATEGORY_WORD": "abcXYZ019_",
    "CATEGORY_SPACE": " \t",
}


def text_of(pattern: str, chance: random.Random) -> str:
    """A text that the pattern matches, at random. Raises `ValueError` for what none is found of."""
    parsed = re._parser.parse(pattern)  # type: ignore[attr-defined]
    for _ in range(20):
        text = "".join(_written(parsed, chance))
        if re.search(pattern, text):
            return text
    raise ValueError(f"no text is found that matches {pattern}")


def _written(parsed: Iterable[tuple[Any, Any]], chance: random.Random) -> Iterable[str]:
    for what, value in parsed:
        match str(what):
            case "LITERAL":
                yield chr(value)
            case "NOT_LITERAL":
                yield chance.choice([one for one in _LETTERS if one != chr(value)])
            case "ANY":
                yield chance.choice(_LETTERS)
            case "IN":
                yield chance.choice(_of_class(value))
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, of = value
                for _ in range(chance.randint(least, min(most, least + _MOST_REPEATED))):
                    yield from _written(of, chance)
            case "SUBPATTERN":
                yield from _written(value[-1], chance)
            case "BRANCH":
                yield from _written(chance.choice(value[1]), chance)
            case "AT":
                continue  # where a text begins and ends
            case other:
                raise ValueError(f"a pattern with {other} is not understood")


def _of_class(parts: Iterable[tuple[Any, Any]]) -> str:
    found, negated = "", False
    for what, value in parts:
        match str(what):
            case "NEGATE":
                negated = True
            case "LITERAL":
                found += chr(value)
            case "RANGE":
                low, high = value
                found += "".join(chr(one) for one in range(low, min(high, low + 200) + 1))
            case "CATEGORY":
                found += _CATEGORIES.get(str(value), _LETTERS)
    return "".join(one for one in _LETTERS if one not in found) if negated else found
