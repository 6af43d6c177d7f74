"""A text object made ready for its parser: expanded, decoded to UTF-8, scanned for damage.

Belongs here: compression by extension, the limit on what it may expand to, encodings, the byte
order mark, NUL bytes, endless lines.
Does not belong here: rows and cells (`landing/formats/csv.py`, `landing/formats/jsonl.py`).
"""

from __future__ import annotations

import codecs
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from shared_resources.contracts.file_formats import COMPRESSIONS
from shared_resources.landing.errors import UnreadableObject

CHUNK = 1 << 20
BOM = "\ufeff"
# First bytes of what is often landed under a wrong name, and what to do about it.
FOREIGN = (
    (b"\x1f\x8b", "is compressed with gzip", "end its name with .gz"),
    (b"\x28\xb5\x2f\xfd", "is compressed with Zstandard", "end its name with .zst"),
    (b"PK\x03\x04", "is a ZIP archive or a spreadsheet", "land the text file in it"),
    (b"PAR1", "is a Parquet file", "set the contract's landing format to parquet"),
    (b"%PDF", "is a PDF document", "land the data as text"),
)


@dataclass(frozen=True)
class Limits:
    """What one object may cost. `expanded_bytes`: None means half of the disk's free space.

    `record_bytes` is the longest row; a longer one is taken for damage, such as a missing quote.
    """

    expanded_bytes: int | None = None
    record_bytes: int = 64 << 20


@dataclass(frozen=True)
class TextFile:
    """UTF-8 without NUL bytes, from byte `start` of the file `path` on.

    `longest` is the longest line in bytes.
    """

    path: Path
    start: int
    longest: int


@contextmanager
def open_text(
    file: Path,
    object_key: str,
    encoding: str,
    folder: Path,
    limits: Limits,
    look: Callable[[bytes], None] | None = None,
) -> Iterator[TextFile]:
    """Check the object's bytes from end to end and give them as UTF-8 text.

    Copies into `folder` only what is compressed or in another encoding, and removes the copy. `look`
    is shown the whole text, piece by piece. Raises `UnreadableObject` for what is no text of that
    encoding, holds NUL bytes, is damaged in its compression or expands beyond the limit.
    """
    suffix = Path(object_key).suffix.lower()
    compression = COMPRESSIONS.get(suffix)
    if file.stat().st_size == 0:
        raise UnreadableObject(object_key, "is empty (0 bytes)", "land it again, with its header")
    codec = codecs.lookup(encoding).name.removesuffix("-sig")
    scan = _Scan(object_key, codec, limits, look, suffix if compression else "")
    if compression is None and codec in ("utf-8", "ascii"):
        with file.open("rb") as source:
            for _ in scan.chunks(source):
                pass
        yield scan.text_file(file, plain=True)
        return
    spooled = folder / ".expanded"
    try:
        _spool(file, spooled, compression, scan, _allowance(folder, limits))
        yield scan.text_file(spooled, plain=False)
    finally:
        spooled.unlink(missing_ok=True)


def _allowance(folder: Path, limits: Limits) -> int:
    free = shutil.disk_usage(folder).free // 2
    return free if limits.expanded_bytes is None else min(limits.expanded_bytes, free)


def _spool(file: Path, to: Path, compression: str | None, scan: _Scan, allowed: int) -> None:
    """Expand and decode `file` into the UTF-8 file `to`, at most `allowed` bytes of it."""
    try:
        with _expanding(file, compression) as source, to.open("wb") as target:
            for chunk in scan.chunks(source):
                if target.tell() + len(chunk) > allowed:
                    raise UnreadableObject(
                        scan.object_key,
                        f"expands to more than {allowed:,} bytes, which is the limit for this disk",
                        "land it in several objects, or make room",
                        scan.place,
                    )
                target.write(chunk)
    except (OSError, EOFError) as error:
        if compression is None or getattr(error, "errno", None) is not None:
            raise
        raise UnreadableObject(
            scan.object_key,
            f"is cut off or damaged in its {compression} compression ({error})",
            "land it again",
            scan.place,
        ) from error


@contextmanager
def _expanding(file: Path, compression: str | None) -> Iterator[BinaryIO]:
    if compression is None:
        with file.open("rb") as plain:
            yield plain
    else:
        with pa.OSFile(str(file)) as raw, pa.CompressedInputStream(raw, compression) as expanded:
            yield expanded


class _Scan:
    """Reads bytes in chunks, checks them, and remembers what they looked like."""

    def __init__(
        self,
        object_key: str,
        codec: str,
        limits: Limits,
        look: Callable[[bytes], None] | None,
        expanded: str,
    ) -> None:
        self.object_key = object_key
        self._show = look
        self._expanded = expanded
        self._codec = codec
        self._longest_allowed = limits.record_bytes
        self._decoder = codecs.getincrementaldecoder(codec)("strict")
        self._bytes_read = 0
        self._size = 0
        self._line_ends = 0
        self._longest = 0
        self._open_line = 0
        self._bom = False

    @property
    def place(self) -> str:
        return f"line {self._line_ends + 1}"

    def chunks(self, source: BinaryIO) -> Iterator[bytes]:
        """The source's content as UTF-8 without byte order mark, in pieces of about a megabyte."""
        while chunk := source.read(CHUNK):
            if self._bytes_read == 0:
                self._refuse_foreign(chunk)
            data = self._decode(chunk)
            self._bytes_read += len(chunk)
            if data:
                self._look(data)
                yield data
        self._decode(b"", final=True)

    def _decode(self, chunk: bytes, final: bool = False) -> bytes:
        try:
            text = self._decoder.decode(chunk, final)
            if text and self._size == 0 and not self._bom and text.startswith(BOM):
                self._bom = True
                text = text[1:]
            return text.encode("utf-8")
        except UnicodeError as error:
            start = getattr(error, "start", 0)
            line = self._line_ends + chunk[:start].count(b"\n") + 1
            raise UnreadableObject(
                self.object_key,
                f"is not {self._codec} text",
                "land it in that encoding, or declare its own as the contract's landing encoding",
                f"line {line}",
            ) from error

    def _look(self, data: bytes) -> None:
        nul = data.find(b"\0")
        if nul >= 0:
            line = self._line_ends + data.count(b"\n", 0, nul) + 1
            raise UnreadableObject(
                self.object_key,
                "holds a NUL byte, which no text has",
                "land it again from its source; it is damaged, binary or in another encoding",
                f"line {line}",
            )
        self._size += len(data)
        self._measure_lines(data)
        if self._show is not None:
            self._show(data)

    def _measure_lines(self, data: bytes) -> None:
        lengths = [len(line) for line in data.split(b"\n")]
        lengths[0] += self._open_line
        longest = max(lengths)
        if longest > self._longest_allowed:
            line = self._line_ends + lengths.index(longest) + 1
            raise UnreadableObject(
                self.object_key,
                f"holds a line of more than {self._longest_allowed:,} bytes",
                "land it again with a line end after each row",
                f"line {line}",
            )
        self._longest = max(self._longest, longest)
        self._line_ends += len(lengths) - 1
        self._open_line = lengths[-1]

    def _refuse_foreign(self, chunk: bytes) -> None:
        for magic, problem, remedy in FOREIGN:
            if chunk.startswith(magic):
                if self._expanded:
                    # What its name promised was undone already: another name would not help.
                    problem += f" within its {self._expanded}"
                    remedy = "compress it once, or land it as it is"
                raise UnreadableObject(self.object_key, problem, remedy)

    def text_file(self, path: Path, *, plain: bool) -> TextFile:
        if not self._size:
            raise UnreadableObject(
                self.object_key, "is empty (no text in it)", "land it again, with its header"
            )
        return TextFile(
            path=path,
            start=len(codecs.BOM_UTF8) if plain and self._bom else 0,
            longest=self._longest,
        )
