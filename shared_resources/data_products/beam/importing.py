"""Importing Beam, which not every environment has.

Belongs here: telling who needs it how to install it, and importing it without its noise.
Does not belong here: what is done with it (`pipeline.py`).
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path

from shared_resources.data_products.function import ProductProblem

MODULE = "apache_beam"


def uses_beam(file: Path) -> bool:
    """Whether the product's code says so; read from its text, before it is imported."""
    return MODULE.encode() in file.read_bytes()


def import_beam(product: str) -> None:
    """Import it, if it is not yet. Raises `ProductProblem` where it is not installed."""
    if MODULE in sys.modules:
        return
    if importlib.util.find_spec(MODULE) is None:
        raise ProductProblem(
            f"{product} is made by Apache Beam, which the environment that its domain runs in does not "
            "have; run `pip install 'dagster-data-mesh[beam]'` there, or add that extra to the domain's "
            "own requirements and lock them again"
        )
    root = logging.getLogger()
    # It warns of packages that it would use elsewhere, by a call that gives the root logger a handler.
    silent = logging.NullHandler()
    root.addHandler(silent)
    before, root.disabled = root.disabled, True
    try:
        importlib.import_module(MODULE)
    finally:
        root.disabled = before
        root.removeHandler(silent)
