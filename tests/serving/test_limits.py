"""`MESH_SERVER_MEMORY`: how much a code server may hold."""

from __future__ import annotations

import pytest

from shared_resources.serving.limits import memory_limit
from shared_resources.serving.problems import CannotServe
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("512MB", 512_000_000),
        ("1.5GiB", 1_610_612_736),
        ("2 gb", 2_000_000_000),
        ("", 2_000_000_000),
    ],
)
def test_an_amount_is_read_with_its_unit(text: str, limit: int) -> None:
    assert memory_limit({"MESH_SERVER_MEMORY": text}) == limit


@pytest.mark.parametrize("text", ["512", "much", "-1GB", "1PB", "1e3MB"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(CannotServe, match=r"write e\.g\. 512MB or 2GB"):
        memory_limit({"MESH_SERVER_MEMORY": text})


def test_the_command_refuses_it_before_anything_starts(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_SERVER_MEMORY", "much")
    call("serve").refused("MESH_SERVER_MEMORY='much' is no amount of memory")
    assert not (mesh.environment.home / "serving").exists()
