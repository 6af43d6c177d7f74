"""Undoing a deployment that failed or died, whatever of it was done.

Belongs here: putting entries and servers back, and which entries of a history stood.
Does not belong here: deploying (`deploying.py`), noting what a deployment begins (`journal.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared_resources.registry.registry import Entry, Registry
from shared_resources.releasing.journal import Begun
from shared_resources.releasing.releases import Release, Releases
from shared_resources.serving.servers import CodeServer, NotServing, Servers

LOAD_PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True)
class Undoing:
    """`by` is who is told as having withdrawn what was never to stay."""

    _registry: Registry
    _servers: Servers
    _releases: Releases
    _by: str

    def undo(self, begun: Begun) -> None:
        """Whatever of it was done. Each step may have been done or not, and be undone twice.

        Raises `NotServing`, and then it stays to be undone, where a door leads to what is to go and
        nobody is there to change it.
        """
        entries = self._registry.entries()
        for name, new in begun.after.items():
            old = begun.before[name]
            if entries.get(name) == new and old != new:
                self._registry.register(old or withdrawn(new, self._by), None, new)
        going = {
            name: new.release
            for name, new in begun.after.items()
            if new.release != begun.served[name]
        }
        switched = [name for name, new in going.items() if self._servers.serving(name) == new]
        if not self._servers.is_up():
            if switched:
                raise NotServing(
                    f"{', '.join(switched)}: the release that was not to stay would be served by the "
                    "next `mesh serve`; start it, and the next deployment puts it back"
                )
            return  # the next `mesh serve` forgets what is not served
        for name in switched:
            self._serve_again(name, begun.served[name])
        for name, release in going.items():
            self._servers.stop(name, release, timedelta(0))

    def _serve_again(self, name: str, old: str | None) -> None:
        if old is None:
            self._servers.withdraw(name, timedelta(0))
            return
        server = self.server(self._releases.get(name, old))
        if not self._servers.knows(server):  # `mesh serve` was started anew since
            self._servers.start(server)
            self._servers.wait_loaded(server, LOAD_PATIENCE)
        self._servers.switch(server)

    def server(self, release: Release) -> CodeServer:
        python = self._releases.python(release)
        return CodeServer(release.domain, release.digest, python, release.root, {})


def withdrawn(entry: Entry, by: str) -> Entry:
    """The entry of a domain that promises nothing any more."""
    return Entry(entry.domain, "", "", entry.platform, by, datetime.now(UTC))


def standing(history: Sequence[Entry]) -> list[Entry]:
    """The entries that were in force, the oldest first, without those of deployments that were undone:
    undoing registers the entry before once more, as it was."""
    found: list[Entry] = []
    for entry in history:
        if entry in found:
            del found[found.index(entry) + 1 :]
        else:
            found.append(entry)
    return [entry for entry in found if entry.promise]
