"""Where the files of one product lie: in this project, else among what the registry knows.

Belongs here: whether there is such a product, and whether its contract says a word, without reading it.
Does not belong here: reading products (`read.py`), the registry itself (`registry/`).
"""

from __future__ import annotations

from pathlib import Path

from shared_resources.environment import Environment
from shared_resources.mesh.model import CONTRACT_FILE


def is_there(environment: Environment, key: str) -> bool:
    """Whether there is such a product, here or in the registry, without reading it."""
    return any(folder.is_dir() for folder in _folders(environment, key))


def mentions(environment: Environment, key: str, word: bytes) -> bool:
    """Whether the text of the product's contract has the word: cheap enough for every opening."""
    files = (folder / CONTRACT_FILE for folder in _folders(environment, key))
    return any(word in file.read_bytes() for file in files if file.is_file())


def _folders(environment: Environment, key: str) -> list[Path]:
    domain, _, name = key.partition("/")
    here = environment.domains / domain
    promises = () if here.is_dir() else environment.registry.promised({domain}).promises.values()
    return [place / "products" / name for place in (here, *promises)]
