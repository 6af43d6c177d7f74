"""What every registry can do, and what it holds.

Belongs here: an entry, the interface that each registry implements.
Does not belong here: the registries themselves (`folder.py`, `shared.py`).

Promises are kept by their digest and never changed; an entry says since when a domain promises what,
and by which release it keeps it. The last entry of a domain is in force.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from shared_resources.mesh.promised import Registered
from shared_resources.problems import MeshProblem

# No domain can be called so: what the governance team decides is registered under it.
CENTRAL = "governance.yaml"


class RegistryDamaged(MeshProblem):
    """What the registry keeps is not what was registered; the message says what to do."""


class RegisteredMeanwhile(MeshProblem):
    """Somebody else registered the domain since it was looked at; nothing was changed."""


@dataclass(frozen=True)
class Entry:
    """`promise` is the promise's digest, empty of a domain that was withdrawn. `release` is that of
    what runs, `platform` the version of the platform that it runs on, `by` who registered it."""

    domain: str
    promise: str
    release: str
    platform: str
    by: str
    at: datetime

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.astimezone(UTC).isoformat()}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Entry:
        """Raises `KeyError`, `TypeError` or `ValueError` for what `as_json` never gave."""
        return cls(**{**said, "at": datetime.fromisoformat(said["at"])})


class Registry(Protocol):
    """Every method is safe to call from many processes."""

    def promised(self, domains: Collection[str] | None) -> Registered:
        """What the domains of these names, or all for None, promise now, and the central file.

        One request of the network at most, and none where the registry is a folder.
        """
        ...

    def entries(self) -> Mapping[str, Entry]:
        """The entry in force of each domain, by its name; not those that were withdrawn."""
        ...

    def history(self, domain: str) -> tuple[Entry, ...]:
        """All entries of the domain, oldest first."""
        ...

    def register(
        self, entry: Entry, files: Mapping[str, bytes] | None, after: Entry | None
    ) -> None:
        """Make the entry the one in force; `files` are its promise, None of one that is kept already.

        Raises `RegisteredMeanwhile` when the entry in force is not `after`.
        """
        ...


def meanwhile(domain: str, now: Entry | None) -> RegisteredMeanwhile:
    """The problem that somebody else was quicker."""
    who = f"{now.by} registered release {now.release[:12]}" if now else "somebody withdrew it"
    return RegisteredMeanwhile(
        f"the domain {domain!r} changed in the registry meanwhile: {who}; look at what is deployed "
        "(`mesh deploy --list`) and deploy again"
    )
