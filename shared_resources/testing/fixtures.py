"""Pytest's fixtures of a domain's tests: `pytest_plugins = ["shared_resources.testing.fixtures"]`.

Belongs here: the fixtures alone. Does not belong here: what they give (`temporary_mesh.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared_resources.testing.temporary_mesh import TemporaryMesh
from shared_resources.testing.temporary_mesh import temporary_mesh as _temporary_mesh


@pytest.fixture
def temporary_mesh() -> Iterator[TemporaryMesh]:
    """A mesh of the project's domains in which nothing is published, gone after the test."""
    with _temporary_mesh() as mesh:
        yield mesh
