"""Arrow's functions on whole columns, which are imported when the first of them is asked for.

Belongs here: that one import.
Does not belong here: any function of our own.

`pyarrow.compute` makes three hundred functions with their documentation when it is imported, which is
as much work as the audit of a small file, and many a file needs none of them. Modules that such an audit
imports take them from here: `from shared_resources import arrow_functions as pc`.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import pyarrow.compute

    found = globals()[name] = getattr(pyarrow.compute, name)
    return found
