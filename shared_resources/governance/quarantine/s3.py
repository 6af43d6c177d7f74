"""The quarantine's entries on S3.

Belongs here: keys, and the order of requests that makes an entry appear and vanish at once.
Does not belong here: what an entry means (`quarantine.py`), S3's protocol (`s3_objects.py`).

An entry is there when its `entry.json` is: it is written last, only if there is none, and deleted
first. Nothing of an entry ever changes, so that what was read once is kept on this machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.governance.quarantine.folder import ABANDONED_SECONDS, ENTRY, KEPT, Stored
from shared_resources.object_store.s3_objects import S3Objects, bucket_and_key

if TYPE_CHECKING:
    from shared_resources.object_store.local_copies import LocalCopies

READERS = 8


@dataclass(frozen=True)
class _Kept:
    """An object as a listing shows it."""

    url: str
    etag: str
    modified: datetime


class QuarantineOnS3:
    """The entries below `root`, an `s3://bucket/prefix`. Files are read through local copies."""

    def __init__(self, root: str, objects: S3Objects, copies: LocalCopies) -> None:
        self._root = root.rstrip("/")
        self._objects = objects
        self._copies = copies

    def keep(self, place: str, files: Mapping[str, Path], entry: bytes) -> None:
        self._objects.upload({path: self._url(place, name) for name, path in files.items()})
        self._objects.put_once(self._url(place, ENTRY), entry)

    def read(self, place: str) -> Stored | None:
        return self._stored(place, list(self._listing(place)))

    def all(self, below: str) -> Iterator[Stored]:
        """A request a thousand objects, and one a small file that this machine has not seen yet."""
        places = self._places(below)
        with ThreadPoolExecutor(READERS, thread_name_prefix="quarantine") as pool:
            for stored in pool.map(self._stored, places.keys(), places.values()):
                if stored is not None:
                    yield stored

    def local(self, place: str, name: str) -> Path | None:
        url = self._url(place, name)
        try:
            return self._copies.get(url, partial(self._objects.download, url))
        except FileNotFoundError:
            return None

    def add(self, place: str, name: str, content: bytes) -> None:
        self._objects.put_once(self._url(place, name), content)

    def rewrite(self, place: str, files: Mapping[str, Path], entry: bytes) -> None:
        self._objects.upload({path: self._url(place, name) for name, path in files.items()})
        self._objects.put(self._url(place, ENTRY), entry)

    def remove(self, place: str) -> None:
        self._objects.delete([self._url(place, ENTRY)])
        self._objects.delete([found.url for found in self._listing(place)])

    def sweep(self, product: str) -> None:
        """Of a whole entry nothing is taken away; what has no `entry.json` is nobody's."""
        oldest = datetime.now(UTC) - timedelta(seconds=ABANDONED_SECONDS)
        for place, found in self._places(product).items():
            entry = self._url(place, ENTRY)
            if all(one.url != entry and one.modified < oldest for one in found):
                self._objects.delete([one.url for one in found])
        self._objects.abort_uploads(self._url(product) + "/", oldest)

    def _url(self, *parts: str) -> str:
        return "/".join((self._root, *parts))

    def _listing(self, below: str) -> Iterator[_Kept]:
        bucket, prefix = bucket_and_key(self._url(below, "") if below else self._root + "/")
        pages = self._objects.client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            for one in page.get("Contents", ()):
                yield _Kept(f"s3://{bucket}/{one['Key']}", one["ETag"], one["LastModified"])

    def _places(self, below: str) -> dict[str, list[_Kept]]:
        """What lies at each place; a key of another depth or form is not ours."""
        places: dict[str, list[_Kept]] = defaultdict(list)
        for found in self._listing(below):
            parts = found.url.removeprefix(self._root + "/").split("/")
            if len(parts) > 3 and not any(part in ("", ".", "..") for part in parts):
                places["/".join(parts[:3])].append(found)
        return places

    def _stored(self, place: str, found: list[_Kept]) -> Stored | None:
        small = {
            one.url.removeprefix(self._url(place) + "/"): one
            for one in found
            if one.url.endswith(".json")
        }
        entry = small.pop(ENTRY, None)
        if entry is None:
            return None
        try:
            added = [
                (name, self._small(one))
                for name, one in sorted(small.items())
                if not name.startswith(f"{KEPT}/")
            ]
            return Stored(place, self._small(entry), tuple(added))
        except FileNotFoundError:
            return None  # it was removed meanwhile

    def _small(self, one: _Kept) -> bytes:
        # An entry that expired may be kept again one day, with another time in it.
        name = f"{one.url}@{one.etag}"
        return self._copies.get(name, partial(self._objects.download, one.url)).read_bytes()
