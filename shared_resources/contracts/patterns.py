"""Regular expressions that mean the same in RE2 and in Python: the subset that contracts may use.

Belongs here: checking a pattern before any data is read.
Does not belong here: matching. Every engine of the platform matches with RE2 (DuckDB, Arrow).

Patterns are ECMA-262 *search* patterns, as ODCS says. Outside of the subset, because the engines
that a contract reaches disagree: look-around, back-references, inline flags, named groups,
`\\u`, `\\p`, POSIX classes, unescaped `{`. `\\d \\w \\s` are ASCII; `$` is the text's end only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_LENGTH = 1000
_ESCAPES_ANYWHERE = frozenset("dDwWstnrfv")
_ESCAPES_OUTSIDE = _ESCAPES_ANYWHERE | frozenset("bBS")
_PUNCTUATION = frozenset(r"""!"#$%&'()*+,-./:;<=>?@[\]^`{|}~""")
_HEX = re.compile(r"x[0-9a-fA-F]{2}")
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
_MAX_REPEAT = 1000  # RE2's own limit


class BadPattern(ValueError):
    """A pattern outside of the subset. `message` says what is wrong, `remedy` what to write."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


def re2(pattern: str) -> str:
    r"""The pattern for RE2, whose `\s` lacks the vertical tab that ECMA-262 and Python count in."""
    out: list[str] = []
    in_class = False
    for token in re.findall(r"\\.|.", pattern, re.DOTALL):
        if token == r"\s":
            token = r"\s\v" if in_class else r"[\s\v]"
        elif token == r"\S":
            token = r"[^\s\v]"
        elif token in "[]":
            in_class = token == "["
        out.append(token)
    return "".join(out)


def check_pattern(pattern: str) -> None:
    """Raise `BadPattern` when the pattern is not valid, or not of the common subset."""
    if len(pattern) > MAX_LENGTH:
        raise BadPattern(f"is longer than {MAX_LENGTH} characters", "shorten it")
    if "\0" in pattern:
        raise BadPattern("holds a NUL character", "remove it")
    position = 0
    repeatable = False  # whether a quantifier may follow
    while position < len(pattern):
        position, repeatable = _step(pattern, position, repeatable)
    _compile_with_both(pattern)


def _step(pattern: str, at: int, repeatable: bool) -> tuple[int, bool]:
    """Check the element at a position outside of a class; the next position, and what it allows."""
    character = pattern[at]
    if character == "\\":
        length = _escape(pattern, at, _ESCAPES_OUTSIDE)
        return at + length, pattern[at + 1] not in "bB"
    if character == "[":
        return _class(pattern, at), True
    if character == "(":
        if pattern[at + 1 : at + 2] == "?":
            if pattern[at + 1 : at + 3] != "?:":
                raise BadPattern(
                    f"uses {pattern[at : at + 4]!r} (look-around, flags or a named group)",
                    "use a plain group `( )` or `(?: )`",
                )
            return at + 3, False
        return at + 1, False
    if character in "^$|":
        return at + 1, False
    if character in "*+?{":
        return _quantifier(pattern, at, repeatable), False
    if character == "}":
        raise BadPattern("holds a bare `}`", "write `\\}`")
    return at + 1, True


def _quantifier(pattern: str, at: int, repeatable: bool) -> int:
    end = at + 1
    if pattern[at] == "{":
        repeat = _REPEAT.match(pattern, at)
        if repeat is None:
            raise BadPattern(
                "holds a `{` that is no repetition", "write `\\{`, or `{2}` or `{2,5}`"
            )
        if any(int(n) > _MAX_REPEAT for n in (repeat[1], repeat[3]) if n):
            raise BadPattern(
                f"repeats more than {_MAX_REPEAT} times", "use minLength and maxLength"
            )
        end = repeat.end()
    if not repeatable:
        raise BadPattern(
            f"has {pattern[at:end]!r} with nothing to repeat", "escape it, or remove it"
        )
    return end + (pattern[end : end + 1] == "?")  # lazy; whatever else follows is a new element


def _escape(pattern: str, at: int, letters: frozenset[str]) -> int:
    """Check the escape at a position; its length."""
    following = pattern[at + 1 : at + 2]
    if following == "x" and _HEX.match(pattern, at + 1):
        return 4
    if not following:
        raise BadPattern("ends in a single backslash", "write `\\\\`")
    if following in letters or following in _PUNCTUATION:
        return 2
    hint = {"u": "write the character itself", "p": "write a class such as [A-Za-z]"}
    raise BadPattern(
        f"uses `\\{following}`, which RE2 and Python do not both know here",
        hint.get(following.lower(), "write the character itself, or a class such as [0-9]"),
    )


def _class(pattern: str, at: int) -> int:
    """Check the character class that starts at a position; the position after it."""
    position = at + 1 + (pattern[at + 1 : at + 2] == "^")
    if pattern[position : position + 1] == "]":
        raise BadPattern("has an empty class, or one that starts with `]`", "write `\\]`")
    while position < len(pattern):
        character = pattern[position]
        if character == "]":
            return position + 1
        if character == "[":
            raise BadPattern("has a bare `[` within a class", "write `\\[`")
        if pattern[position : position + 2] in ("--", "&&", "||", "~~"):
            raise BadPattern(
                f"has {pattern[position : position + 2]!r} within a class", "escape the characters"
            )
        if character == "\\":
            length = _escape(pattern, position, _ESCAPES_ANYWHERE)
            position += length
            shorthand = length == 2 and pattern[position - 1] in "dDwWs"
            if shorthand and pattern[position : position + 1] == "-":
                raise BadPattern("has a range that starts with a class", "write `\\-` for the sign")
            continue
        position += 1
    raise BadPattern("has a class that is not closed", "add `]`")


def _compile_with_both(pattern: str) -> None:
    """Let both engines have the last word."""
    try:
        re.compile(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPattern(f"is no regular expression: {error}", "correct it") from None
    for message in _refused_by_re2(pattern):
        raise BadPattern(f"is no regular expression of RE2: {message}", "correct or simplify it")


def _refused_by_re2(pattern: str) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        # Nulls, because Arrow imports pandas to make an array of a list: half a second for nothing.
        pc.match_substring_regex(pa.nulls(1, pa.string()), re2(pattern))
    except pa.ArrowInvalid as error:
        yield str(error)
