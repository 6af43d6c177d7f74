"""Arrow without numpy, for a command that has no frames.

Belongs here: importing it so.
Does not belong here: which command does.

Arrow imports numpy where there is one, and pandas when it is first given a list, though it can do without
either: together they are more work than a small file's audit. What was imported so converts nothing to
frames, for as long as the process lives.
"""

from __future__ import annotations

import sys
from contextlib import suppress

from shared_resources.contracts.file_formats import GROUP as FORMATS
from shared_resources.contracts.rules.registry import GROUP as RULES
from shared_resources.extensions import points


def import_arrow_alone(*, functions: bool) -> None:
    """Have Arrow work without numpy, unless either is imported already, or another distribution adds
    what may want both together. `functions`: with those on columns, which would import it later."""
    if {"pyarrow", "numpy"} & sys.modules.keys() or points(RULES) or points(FORMATS):
        return
    sys.modules["numpy"] = None  # type: ignore[assignment]  # Python's own word for what is not there
    try:
        import pyarrow.parquet

        if functions:
            import pyarrow.compute  # noqa: F401
    finally:
        with suppress(KeyError):
            del sys.modules["numpy"]
