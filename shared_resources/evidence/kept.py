"""Where attestations are kept: the port, and the names of what lies there.

Belongs here: names, and what is asked of a place. Does not belong here: a folder or S3
(`registry/attestations.py`), what is kept (`statement.py`, `terms.py`).

An envelope may be larger than what a commit takes, and a chain longer. So they lie beside the data,
by their digest, and were put there before the commit that names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class KeptAttestations(Protocol):
    """Every method is safe to call from many processes."""

    def keep(self, name: str, content: bytes) -> None:
        """Keep it under that name; what is there under it is replaced."""
        ...

    def read(self, name: str) -> bytes | None:
        """None when nothing is kept under that name."""
        ...

    def names(self, folder: str) -> Sequence[str]:
        """The names in the folder, sorted."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """No error for what is not there."""
        ...


def folder_of(product: str, store: str) -> str:
    return f"{product}/{store}"


def envelope_name(product: str, store: str, number: int, digest: str) -> str:
    return f"{folder_of(product, store)}/v{number:08d}-{digest}.json"


def is_of_version(name: str, number: int) -> bool:
    return name.rpartition("/")[2].startswith(f"v{number:08d}-")


def checkpoint_name(product: str, store: str, digest: str) -> str:
    return f"{folder_of(product, store)}/expired-{digest}.json"


def is_checkpoint(name: str) -> bool:
    return name.rpartition("/")[2].startswith("expired-")


def newest_name(product: str, store: str) -> str:
    return f"{folder_of(product, store)}/newest.json"


def terms_name(digest: str) -> str:
    return f"terms/{digest}.json"
