"""There is one masking key a mesh: what is made beside what is published joins with it, too."""

from __future__ import annotations

from shared_resources.access.masking_key import hmac_keys
from shared_resources.branching.branches import create
from shared_resources.rehearsing.forgetting import forgetting
from shared_resources.wiring import existing_branch
from tests.tiny_mesh import TinyMesh


def test_a_branch_and_a_rehearsal_hash_as_their_mesh_does(mesh: TinyMesh) -> None:
    mesh.domain("crm")
    create(mesh.environment, "one", "tests")
    of_branch = existing_branch(mesh.environment, "one")
    with forgetting(of_branch) as rehearsed:
        assert rehearsed.home_of_readers == mesh.environment.home
        first = hmac_keys(rehearsed)
    assert first == hmac_keys(of_branch) == hmac_keys(mesh.environment)
    assert [*of_branch.home.rglob("masking.key")] == []
