"""Importing pandera without what it does to the process.

Belongs here: `pandera`, to be imported from here and nowhere else in the platform.
Does not belong here: using it (`contracts/pandera_schema.py`).

On import pandera sets PYARROW_IGNORE_TIMEZONE, for pyspark's sake. From then on Arrow silently
drops the offset of every aware datetime that it converts, here and in every child process: a time
in Berlin becomes the same hour in UTC. So the variables are put back.
"""

from __future__ import annotations

import os

_TOUCHED = ("PYARROW_IGNORE_TIMEZONE", "SPARK_LOCAL_IP")
_before = {name: os.environ.get(name) for name in _TOUCHED}

import pandera.pandas as pandera  # noqa: E402 - the environment is looked at first

for _name, _value in _before.items():
    if _value is None:
        os.environ.pop(_name, None)

__all__ = ["pandera"]
