"""Fixtures that every test folder may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tiny_mesh import TinyMesh, tiny_mesh


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[TinyMesh]:
    """An empty mesh in a temporary folder, with stores, landing zone and Dagster instance."""
    with tiny_mesh(tmp_path) as made:
        yield made
