"""DSSE: a statement in an envelope, with the signatures of those who vouch for it.

Belongs here: the envelope's form, signing with Ed25519, which keys an envelope is signed by.
Does not belong here: what a statement says (`statement.py`), which keys are ours (`wiring/signing.py`).

The envelope is that of https://github.com/secure-systems-lab/dsse, so that stock tools of in-toto
verify it. A key is known by the SHA-256 of its public half in DER.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class UnusableKey(MeshProblem):
    """A key file that cannot be used; the message names it and never what it holds."""

    exit_code = 2


class BrokenEnvelope(ValueError):
    """What lies there is no DSSE envelope; the message says why."""


class Signer:
    """Signs with one Ed25519 key. Its text and its pickle do not hold the key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = key_id(key.public_key())

    @property
    def public(self) -> Ed25519PublicKey:
        return self._key.public_key()

    def sign(self, payload: bytes) -> bytes:
        return self._key.sign(pre_authentication(payload))

    def __repr__(self) -> str:
        return f"Signer({self.key_id[:12]}…)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a signing key is not sent to another process")


@dataclass(frozen=True)
class Envelope:
    """`signatures` are by the id of the key."""

    payload: bytes
    signatures: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """Of the statement: it is the same whoever signs it."""
        return hashlib.sha256(self.payload).hexdigest()

    @property
    def statement(self) -> dict[str, Any]:
        """Raises `BrokenEnvelope`."""
        try:
            read = json.loads(self.payload)
        except ValueError as problem:
            raise BrokenEnvelope(f"its statement is no JSON ({problem})") from problem
        if not isinstance(read, dict) or not isinstance(read.get("predicate"), dict):
            raise BrokenEnvelope("its payload is no statement with a predicate")
        return read

    def written(self) -> bytes:
        signatures = [
            {"keyid": key, "sig": base64.b64encode(signature).decode()}
            for key, signature in sorted(self.signatures.items())
        ]
        body = {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": signatures,
        }
        return json.dumps(body).encode()

    def is_signed_by(self, key: Ed25519PublicKey) -> bool:
        """Whether there is a signature under this key's id, and it is right."""
        from cryptography.exceptions import InvalidSignature

        signature = self.signatures.get(key_id(key))
        if signature is None:
            return False
        try:
            key.verify(signature, pre_authentication(self.payload))
        except InvalidSignature:
            return False
        return True


def seal(payload: bytes, signer: Signer | None) -> Envelope:
    signatures = {} if signer is None else {signer.key_id: signer.sign(payload)}
    return Envelope(payload, signatures)


def read_envelope(text: bytes) -> Envelope:
    """Raises `BrokenEnvelope`."""
    try:
        body = json.loads(text)
        if body["payloadType"] != PAYLOAD_TYPE:
            raise BrokenEnvelope(f"it holds {body['payloadType']!r}, not {PAYLOAD_TYPE}")
        payload = base64.b64decode(body["payload"], validate=True)
        signatures = {
            str(one["keyid"]): base64.b64decode(one["sig"], validate=True)
            for one in body["signatures"]
        }
    except BrokenEnvelope:
        raise
    except (ValueError, KeyError, TypeError, binascii.Error) as problem:
        raise BrokenEnvelope(f"it cannot be read ({type(problem).__name__})") from problem
    return Envelope(payload, signatures)


def pre_authentication(payload: bytes) -> bytes:
    """What is signed, by DSSE: the type and the payload, each with its length."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def key_id(key: Ed25519PublicKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()


def read_signer(file: Path) -> Signer:
    """The private key in a PEM file without a password. Raises `UnusableKey`."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_bytes_of(file), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not the cause: an error of the parser may repeat what it read.
        raise UnusableKey(
            f"{file} is no private key in PEM without a password; make one with `openssl genpkey "
            "-algorithm ed25519`"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UnusableKey(
            f"{file} holds a {type(key).__name__}; versions are signed with Ed25519: make a key with "
            "`openssl genpkey -algorithm ed25519`"
        )
    return Signer(key)


def read_public(place: Path) -> dict[str, Ed25519PublicKey]:
    """The public keys in a PEM file, or in the `.pem` files of a folder, by their ids.

    Raises `UnusableKey`.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    files = sorted(place.glob("*.pem")) if place.is_dir() else [place]
    found = {}
    for file in files:
        try:
            key = load_pem_public_key(_bytes_of(file))
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise UnusableKey(
                f"{file} is no public Ed25519 key in PEM; `openssl pkey -pubout` writes one of the "
                "private key"
            )
        found[key_id(key)] = key
    if not found:
        raise UnusableKey(f"{place} holds no .pem file; put the public keys of the signers there")
    return found


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as problem:
        raise UnusableKey(f"{file} cannot be read: {problem.strerror}") from problem
