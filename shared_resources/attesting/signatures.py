"""Whether an envelope is signed by whom it says, and by a key that is trusted.

Belongs here: judging one envelope's signatures. Does not belong here: the keys (`wiring/signing.py`),
signing (`evidence/envelope.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from shared_resources.evidence.envelope import Envelope

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Trusted = Mapping[str, "Ed25519PublicKey"] | None


class Signed(StrEnum):
    """`NOT_VERIFIED`: by a key of which the public half is not known here."""

    NOT = "not signed"
    NOT_VERIFIED = "signed, and no key to verify it with"
    VERIFIED = "signed, and verified"
    WRONG = "wrongly signed"


def judge(envelope: Envelope, said: str | None, trusted: Trusted) -> tuple[Signed, str, str]:
    """(what it is, the kind of difference, what is wrong): the last two are empty for none.

    `said` is the id of the key by which the statement says that it is signed. `trusted` are the public
    keys by id; None: no key is known, and signatures are only looked for.
    """
    by = sorted(envelope.signatures)
    if said is None and not by:
        return Signed.NOT, "", ""
    if said is not None and said not in by:
        other = f"by {_short(by[0])} instead" if by else "by nobody"
        problem = f"its statement says that key {_short(said)} signed it, and it is signed {other}"
        return Signed.WRONG, "signature-missing", problem
    if said is None:
        problem = f"key {_short(by[0])} signed it, and its statement says that nobody does"
        return Signed.WRONG, "signer-unknown", problem
    if trusted is None:
        return Signed.NOT_VERIFIED, "", ""
    if said not in trusted:
        known = ", ".join(map(_short, sorted(trusted)))
        problem = f"key {_short(said)} signed it, which is none of those that are trusted ({known})"
        return Signed.WRONG, "signer-unknown", problem
    if not envelope.is_signed_by(trusted[said]):
        problem = f"the signature of key {_short(said)} is not one of this statement"
        return Signed.WRONG, "signature-wrong", problem
    return Signed.VERIFIED, "", ""


def _short(key_id: str) -> str:
    return f"{key_id[:12]}…"
