"""The mesh's custom properties of the server `serving`, as JSON Schema.

Belongs here: their values, and what each is for. Does not belong here: where they may stand
(`mesh_properties.py`), reading them (`contracts/reading/governed/serving.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_resources.contracts.reading.governed.serving import FEWEST_KEPT, MOST_KEPT, MOST_MINUTES
from shared_resources.contracts.serving.model import GRACE, KEPT

OF_A_SERVER: Mapping[str, dict[str, Any]] = {
    "columns": {
        "type": "array",
        "items": {"type": "string"},
        "minItems": 1,
        "description": "The columns that are served beside the key's; without it all.",
    },
    "graceMinutes": {
        "type": "number",
        "minimum": 0,
        "maximum": MOST_MINUTES,
        "description": "How long a generation that was replaced is kept for readers that are at it; "
        f"default {GRACE.total_seconds() / 60:g}.",
    },
    "generations": {
        "type": "integer",
        "minimum": FEWEST_KEPT,
        "maximum": MOST_KEPT,
        "description": "How many generations are kept at most, the current one among them; "
        f"default {KEPT}.",
    },
}
