"""The landing zone: what the platform asks of the place where other systems' objects arrive.

Belongs here: an object as everyone sees it, which names are nobody's business, and the interface
that a folder (`folder.py`) and a bucket (`s3.py`) have in common.
Does not belong here: which object a contract means (`landing/objects.py`), or what is in it
(`landing/reader.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Protocol

from shared_resources.landing.errors import RefusedKey

VERSION_MARK = "#"
PAGE_KEYS = 1000  # S3 gives no more at once


@dataclass(frozen=True)
class LandingObject:
    """One object. `etag` changes whenever the object is replaced; `modified_at` is in UTC.

    `arrived_at` is given where the zone knows that `modified_at` lies after the object's arrival,
    which whoever sets a file's times can make it do.

    A bucket that keeps versions tells the version's id when it is asked for one object, but not
    when it lists many: the id then stands at the end of the etag, behind `#`.
    """

    key: str
    size: int
    modified_at: datetime
    etag: str
    arrived_at: datetime | None = field(default=None, compare=False)

    @property
    def listed(self) -> str:
        """The etag as a listing gives it."""
        return as_listed(self.etag)


def as_listed(etag: str) -> str:
    return etag.partition(VERSION_MARK)[0]


@dataclass(frozen=True)
class Page:
    """A stretch of a prefix. `names` are all keys that it held, in order, what is left out, too.

    `refusals` are those that nobody will ever read, each with the reason; two names that are no text
    may stand in one place. `more`: keys come after these.
    """

    objects: tuple[LandingObject, ...]
    names: tuple[str, ...]
    more: bool
    refusals: tuple[tuple[str, str], ...] = ()


class LandingZone(Protocol):
    """Keys are relative to the zone, with `/`; hidden and temporary names are never shown."""

    def page(self, prefix: str, start_after: str, limit: int) -> Page:
        """Up to `limit` keys below `prefix` that sort after `start_after` (``""``: from the first).

        One request where there are requests. `start_after` need not exist.
        """
        ...

    def page_of_all(self, start_after: str, limit: int) -> Page:
        """The same of the whole zone."""
        ...

    def head(self, key: str) -> LandingObject | None:
        """The object as it is now; None when there is none.

        Raises `RefusedObject` when the zone answers, but not about this object.
        """
        ...

    def fetch(self, obj: LandingObject, to: Path) -> LandingObject:
        """Copy the object to the file `to`; return it as it was copied, which is what is ingested.

        That is `obj` itself, or what has replaced it since it was listed. Raises `ObjectChanged`
        when it is gone, or keeps changing while it is copied.
        """
        ...

    def put(self, key: str, file: Path) -> bool:
        """What a producer does: `file` becomes the object, which appears whole or not at all.

        Returns False, and leaves the object alone, when it holds the very same already: a sensor
        must have no reason to fire.
        """
        ...

    def replace(self, obj: LandingObject, file: Path) -> LandingObject | None:
        """Put the file in the object's place, at once, as the mesh itself does to erase rows; return
        the object as it is then.

        Where a zone keeps times, the time stays; where it keeps versions, the earlier ones go. None,
        and nothing is changed, when the object is another by now.
        """
        ...

    def forget_earlier(self, key: str) -> None:
        """Where a zone keeps versions of an object, remove all but the present one: what `replace` does,
        for who died before it had. Raises `LandingError`."""
        ...


def parts_of(key: str) -> tuple[str, ...]:
    """The folders and the name of a key or prefix. Raises `RefusedKey` if it leads elsewhere,
    or is no text that can be sent and written down."""
    try:
        key.encode()
    except UnicodeEncodeError:
        raise RefusedKey(f"{key!r}: its name is not UTF-8; rename it.") from None
    parts = PurePosixPath(key).parts
    if "\0" in key or "\\" in key or key.startswith("/") or ".." in parts or not parts:
        raise RefusedKey(
            f"{key!r}: leads out of the landing zone; "
            "a key or prefix is relative and holds no '..' or backslash."
        )
    return parts
