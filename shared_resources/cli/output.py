"""Text on its way to a terminal: nothing in it that a terminal or a reader's eye would obey.

Belongs here: writing control characters out, and printing.
Does not belong here: tables and JSON (`tables.py`).

File names, cells and messages are other people's text. An escape sequence in one moves the cursor, and
U+202E shows `fdp.exe` as `exe.pdf`.
"""

from __future__ import annotations

import re
import unicodedata

import click

# Everything that is neither shown nor a blank: C0 and C1 (Cc), and format characters (Cf) such as the
# bidirectional overrides, zero-width characters and the byte order mark; line and paragraph separators.
_OBEYED = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co"})
_SUSPECT = re.compile(r"[^\n\t\x20-\x7e]")


def visible(text: str) -> str:
    """Text with the characters that a terminal would obey written out, such as `\\x1b`."""
    return _SUSPECT.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    character = found[0]
    if unicodedata.category(character) in _OBEYED:
        return character.encode("unicode_escape").decode("ascii")
    return character


def say(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a line, fit for a terminal."""
    try:
        click.echo(visible(str(text)), err=err, nl=nl)
    except BrokenPipeError as gone:
        # Of one with a number click takes care itself, and ends with 1; `main` knows better.
        raise BrokenPipeError from gone
