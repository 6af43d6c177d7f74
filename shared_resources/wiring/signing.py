"""The keys of attestations: which one signs here, and whose signatures are taken for right.

Belongs here: the only place that reads `MESH_SIGNING_KEY` and `MESH_VERIFY_KEYS`.
Does not belong here: signing and verifying (`evidence/envelope.py`).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.confinement.guard import platform_variables
from shared_resources.evidence.envelope import Signer, read_public, read_signer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNING_KEY = "MESH_SIGNING_KEY"
VERIFY_KEYS = "MESH_VERIFY_KEYS"


def signer() -> Signer | None:
    """Of the private key that `MESH_SIGNING_KEY` names; None: nothing is signed.

    Raises `UnusableKey`, so that nothing is published unsigned where a signature is meant.
    """
    named = platform_variables().get(SIGNING_KEY)
    return _signer(Path(named)) if named else None


def trusted_keys() -> dict[str, Ed25519PublicKey] | None:
    """The public keys by their ids: of `MESH_VERIFY_KEYS`, else that of the key which signs here.

    None where neither is set. Raises `UnusableKey`.
    """
    if named := platform_variables().get(VERIFY_KEYS):
        return read_public(Path(named))
    own = signer()
    return None if own is None else {own.key_id: own.public}


@lru_cache(maxsize=4)
def _signer(file: Path) -> Signer:
    """A key is read once a process: a code server signs with the one that it began with."""
    return read_signer(file)
