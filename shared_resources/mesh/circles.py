"""Products that depend on themselves, by whatever detour.

Belongs here: finding the way round, in whatever is known of who reads what.
Does not belong here: what becomes of such products (`governance/policies/structure/no_cycles.py`,
`locations/location.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping


def way_back(start: str, reads: Mapping[str, Iterable[str]]) -> list[str]:
    """The keys of the shortest way from `start` over what it reads back to it; [] if none."""
    ways: dict[str, list[str]] = {start: [start]}
    waiting = deque([start])
    while waiting:
        product = waiting.popleft()
        for key in reads[product]:
            if key == start:
                return [*ways[product], key]
            if key in reads and key not in ways:
                ways[key] = [*ways[product], key]
                waiting.append(key)
    return []
