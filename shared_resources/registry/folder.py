"""The registry in a folder: promises by digest, and a file of entries a domain.

Belongs here: where they lie, and that a reader sees whole ones only.
Does not belong here: the registry of several machines (`shared.py`).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shared_resources.mesh.model import is_domain_name
from shared_resources.mesh.promised import Registered, promise_digest, promise_files
from shared_resources.registry.registry import CENTRAL, Entry, RegistryDamaged, meanwhile
from shared_resources.state.whole_file import write_whole


class PromiseFolders:
    """Promises below a folder: `DIGEST/NAME/…`, and the central file as `DIGEST/governance.yaml`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, entry: Entry) -> Path:
        return self._folder / entry.promise / entry.domain

    def keep(self, entry: Entry, files: Mapping[str, bytes]) -> None:
        """Write them, unless they are there. Of a process that dies, half of one lies apart."""
        if promise_digest(files) != entry.promise:
            raise RegistryDamaged(
                f"the promise of {entry.domain!r} is not the one of its entry; deploy it again"
            )
        place = self._folder / entry.promise
        if place.is_dir():
            if promise_digest(self._kept(entry)) == entry.promise:
                return
            shutil.rmtree(place)  # it was damaged
        self._folder.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
        try:
            for name, content in files.items():
                file = made / entry.domain / name if entry.domain != CENTRAL else made / CENTRAL
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            made.rename(place)
        except OSError:
            if not place.is_dir():  # else another process kept the same
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _kept(self, entry: Entry) -> dict[str, bytes]:
        place = self.place(entry)
        if entry.domain != CENTRAL:
            return promise_files(place) if place.is_dir() else {}
        return {CENTRAL: place.read_bytes()} if place.is_file() else {}

    def registered(self, entries: Mapping[str, Entry]) -> Registered:
        promises = {name: self.place(one) for name, one in entries.items() if name != CENTRAL}
        central = self.place(entries[CENTRAL]) if CENTRAL in entries else None
        return Registered(promises, central)


class FolderRegistry:
    """The registry of a mesh on one machine, below `folder`, which is made when something is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._promises = PromiseFolders(folder / "promises")

    def promised(self, domains: Collection[str] | None) -> Registered:
        wanted = None if domains is None else {*domains, CENTRAL}
        return self._promises.registered(dict(self._in_force(wanted)))

    def entries(self) -> Mapping[str, Entry]:
        return {name: one for name, one in self._in_force(None) if name != CENTRAL}

    def history(self, domain: str) -> tuple[Entry, ...]:
        file = self._file(domain)
        if domain != CENTRAL and not is_domain_name(domain):
            return ()
        try:
            said = json.loads(file.read_bytes())
            if not said:
                raise ValueError("it is empty")
            return tuple(Entry.from_json(one) for one in said)
        except FileNotFoundError:
            return ()
        except (ValueError, KeyError, TypeError) as problem:
            raise RegistryDamaged(
                f"{file} holds no entries of the registry ({problem}); restore it from a backup, or "
                f"remove it and deploy {domain!r} again"
            ) from problem

    def register(
        self, entry: Entry, files: Mapping[str, bytes] | None, after: Entry | None
    ) -> None:
        if files is not None:
            self._promises.keep(entry, files)
        with self._locked(entry.domain):
            history = self.history(entry.domain)
            now = history[-1] if history and history[-1].promise else None
            if now != after:
                raise meanwhile(entry.domain, now)
            said = [one.as_json() for one in (*history, entry)]
            write_whole(self._file(entry.domain), json.dumps(said, indent=1).encode())

    def _file(self, domain: str) -> Path:
        return self._folder / "domains" / f"{domain}.json"

    def _in_force(self, wanted: Collection[str] | None) -> Iterator[tuple[str, Entry]]:
        place = self._folder / "domains"
        there = sorted(place.glob("[!.]*.json")) if place.is_dir() else []
        for name in (file.name.removesuffix(".json") for file in there):
            if wanted is None or name in wanted:
                last = self.history(name)[-1]
                if last.promise:
                    yield name, last

    @contextmanager
    def _locked(self, domain: str) -> Iterator[None]:
        from filelock import FileLock  # here: it imports asyncio, which readers do without

        place = self._folder / "domains"
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / f".{domain}.lock", timeout=60):
            yield
