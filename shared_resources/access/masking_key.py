"""The secret key of keyed hashes: one a mesh, so that what it hides joins across products.

Belongs here: finding the key, making one for an embedded mesh.
Does not belong here: the mask that uses it (`contracts/roles/masks.py`).

`MESH_MASKING_KEY` names it (at least 32 characters); in production there is no other. An embedded mesh
makes its own, in `<home>/access/masking.key`, readable by its user alone. Another key makes other
hashes: then consumers' joins with what they have kept end.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from shared_resources.confinement.guard import platform_variables
from shared_resources.contracts.roles.masks import BLOCK
from shared_resources.environment import Environment, EnvironmentProblem

VARIABLE = "MESH_MASKING_KEY"
SHORTEST = 32


def hmac_keys(environment: Environment) -> tuple[bytes, bytes]:
    """The key's two halves for HMAC with SHA-256 (FIPS 198-1): inner and outer, one block each.

    Raises `EnvironmentProblem` when production names no key, or one that can be guessed.
    """
    key = _key(environment)
    block = (hashlib.sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


def _key(environment: Environment) -> bytes:
    given = platform_variables().get(VARIABLE, "")
    if given:
        if len(given) < SHORTEST:
            raise EnvironmentProblem(
                f"{VARIABLE} has {len(given)} characters, which can be guessed; give it at least "
                f"{SHORTEST} random ones"
            )
        return given.encode()
    if environment.is_production:
        raise EnvironmentProblem(
            f"{VARIABLE} is not set, and a role of the contract masks with a keyed hash; set it to at "
            f"least {SHORTEST} random characters, the same for every process of the mesh"
        )
    return _own_key(environment.home_of_readers / "access" / "masking.key")


def _own_key(file: Path) -> bytes:
    """The key of this machine's mesh, made by the first who needs one."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as opened:
            opened.write(secrets.token_hex(32).encode())
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(made, file)  # of several that begin at once, one is the first
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return file.read_bytes()
