"""The terms of a check: what held beside the rules when a version was checked, and what was not checked.

Belongs here: their form and their digest. Does not belong here: finding them out
(`governance/terms.py`), where their text is kept (`kept.py`).

Most versions of a product are checked under the same terms, so their text is kept once, by its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shared_resources.evidence.statement import canonical, digest_of


@dataclass(frozen=True)
class HeldPolicy:
    """`digest` is over the rules that it added to this product's audit."""

    name: str
    description: str
    digest: str


@dataclass(frozen=True)
class HeldWaiver:
    """A waiver in force: `approver` gave it, `expires` is its last day."""

    policy: str
    reason: str
    approver: str
    expires: str


@dataclass(frozen=True)
class HeldAgreement:
    """The agreement by which an input was not seen whole; `id` is "open", and most else empty, where
    everybody may see what was seen. `digest` is over the columns, masks and conditions that it came to,
    `until` its last moment, empty for none.
    """

    product: str
    id: str
    digest: str
    consumer: str
    roles: tuple[str, ...] = ()
    purpose: str = ""
    until: str = ""
    approver: str = ""


@dataclass(frozen=True)
class NotEnforced:
    """A clause of the contract that nothing was checked against, and why."""

    clause: str
    why: str


@dataclass(frozen=True)
class Terms:
    """`code` is the digest of what made the version, `platform` names its release and libraries.
    `agreements` are of what was read for it, `release` is the digest of the domain's release, empty
    where the domain ran from a working folder."""

    contract_version: str
    contract_digest: str
    policies: tuple[HeldPolicy, ...]
    waivers: tuple[HeldWaiver, ...]
    not_enforced: tuple[NotEnforced, ...]
    rules: Mapping[str, str]  # what each rule says, by its name
    code: str
    platform: Mapping[str, str]
    agreements: tuple[HeldAgreement, ...] = ()
    release: str = ""

    def written(self) -> dict[str, Any]:
        made = asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in made.items()}

    def text(self) -> bytes:
        return canonical(self.written())

    @property
    def digest(self) -> str:
        return digest_of(self.written())
