"""What CSV text looks like from afar: whether any parser would read it in the same way.

Belongs here: counting line ends, quotes and delimiters over a whole text, fast and in pieces.
Does not belong here: reading a row (`csv_records.py`), or choosing a parser by the shape (`csv.py`).
"""

from __future__ import annotations


class CsvShape:
    """Counts over text that is shown to it piece by piece (UTF-8, no character cut in two).

    `rows` and `delimiters` count the line feeds and the delimiters outside of quotes. `quoted` says
    that there are quotes at all, `multiline` that there are line feeds within them.
    """

    def __init__(self, delimiter: str) -> None:
        self.rows = 0
        self.delimiters = 0
        self.quoted = False
        self._delimiter = delimiter.encode()
        self._within_quotes = 0
        self._line_feeds = 0
        self._returns = 0
        self._pairs = 0
        self._blank_lines = False
        # The beginning of the text stands like the end of a line before it.
        self._tail = b"\n"
        self._open_stretch = b"\n"
        self._stretches: set[bytes] = set()

    @property
    def regular(self) -> bool:
        """Whether every line has an end, all alike, none is blank, and every quote opens a cell,
        closes one, or is doubled within one."""
        alike = self._returns == 0 or self._returns == self._pairs == self._line_feeds
        ended = self._tail.endswith(b"\n") and not self._within_quotes
        return alike and ended and not self._blank_lines and self._quotes_in_place()

    @property
    def multiline(self) -> bool:
        return self.rows != self._line_feeds

    def look(self, data: bytes) -> None:
        """Take in the next piece of the text."""
        self._line_feeds += data.count(b"\n")
        if b"\r" in data or self._tail.endswith(b"\r"):
            self._returns += data.count(b"\r")
            self._pairs += data.count(b"\r\n")
            self._pairs += self._tail.endswith(b"\r") and data.startswith(b"\n")
        seen = self._tail + data
        self._blank_lines = self._blank_lines or b"\n\n" in seen or b"\n\r\n" in seen
        self._tail = seen[-2:]
        outside = self._outside(data)
        self.rows += outside.count(b"\n")
        self.delimiters += outside.count(self._delimiter)

    def _outside(self, data: bytes) -> bytes:
        """What of the piece is not within quotes; remembers how each stretch of it begins and ends.

        A stretch goes from one quote to the next, whichever pieces it spans; `_open_stretch` is
        what matters of the one that the last piece left open.
        """
        pieces = data.split(b'"')
        self.quoted = self.quoted or len(pieces) > 1
        stretches = pieces[self._within_quotes :: 2]
        outside = b'"'.join(stretches)
        if not self._within_quotes:
            stretches[0] = self._open_stretch + stretches[0]
        self._within_quotes ^= (len(pieces) - 1) & 1
        if not self._within_quotes:
            last = stretches.pop()
            self._open_stretch = last[:1] + last[-1:]
        else:
            self._open_stretch = b""
        self._stretches |= {stretch[:1] + stretch[-1:] for stretch in stretches}
        return outside

    def _quotes_in_place(self) -> bool:
        if not self.quoted:
            return True
        if len(self._delimiter) > 1:
            return False  # the first and the last byte of a stretch do not tell
        after, before = b"\r\n" + self._delimiter, b"\n" + self._delimiter
        inner = all(not s or (s[0] in after and s[-1] in before) for s in self._stretches)
        return inner and self._open_stretch[:1] in (b"\r", b"\n", self._delimiter)
