"""A generation as text, as every port notes it.

Belongs here: writing it, reading it again, and saying that it is gone. Does not belong here: rows.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from shared_resources.serving_ports.port import Behind, Generation, Superseded


def text_of(generation: Generation) -> str:
    said: dict[str, Any] = asdict(generation)
    return json.dumps(said | {"published_at": generation.published_at.isoformat()})


def generation_of(text: str) -> Generation:
    said = json.loads(text)
    return Generation(
        **{
            **said,
            "published_at": datetime.fromisoformat(said["published_at"]),
            "columns": tuple((name, type_) for name, type_ in said["columns"]),
            "key": tuple(said["key"]),
            "shown": tuple(said["shown"]),
        }
    )


def superseded(generation: Generation) -> Superseded:
    return Superseded(
        f"{generation.product}: the generation of version {generation.version} was replaced or taken away"
    )


def check_position(
    generation: Generation, there: int | None, position: int, after: int | None
) -> None:
    """Raises `Behind` unless the position follows on the one that is there."""
    if there != after or position <= (after or 0):
        raise Behind(
            f"{generation.product}: position {position} was to follow on {after or 'none'}, and "
            f"{there or 'none'} is served; begin behind that"
        )
