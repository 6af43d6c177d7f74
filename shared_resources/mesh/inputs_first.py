"""Products in an order in which each comes after those that it reads.

Belongs here: that order, by what the files say.
Does not belong here: ways that lead in a circle (`circles.py`), when a run makes what (`running/`).
"""

from __future__ import annotations

from collections.abc import Mapping


def inputs_first(keys: set[str], reads: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The products `keys`, each after those that it reads."""
    ordered: list[str] = []

    def add(key: str) -> None:
        if key in seen:
            return
        seen.add(key)
        for read in reads.get(key, ()):
            add(read)
        if key in keys:
            ordered.append(key)

    seen: set[str] = set()
    for key in sorted(keys):
        add(key)
    return ordered
