"""How often what is repeated is repeated: as CI has time for, or a night.

Belongs here: reading `MESH_NIGHTLY`.
Does not belong here: the numbers, which stand where they are used.
"""

from __future__ import annotations

import os

NIGHTLY = bool(os.environ.get("MESH_NIGHTLY"))


def times(usually: int, nightly: int) -> int:
    return nightly if NIGHTLY else usually
