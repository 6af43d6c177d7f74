"""`defs.yaml` in a domain's folder: the platform's own components, each at its place, and no other."""

from __future__ import annotations

import pytest

from shared_resources.governance.catalogue import PolicyViolation
from shared_resources.mesh.code.component_files import (
    DOMAIN_COMPONENT,
    PRODUCT_COMPONENT,
    component_findings,
)
from tests.tiny_mesh import TinyMesh


def test_the_platforms_components_are_nothing_to_find(mesh: TinyMesh) -> None:
    folder = mesh.domain("order")
    (folder / "products/lines").mkdir()
    (folder / "defs.yaml").write_text(f"type: {DOMAIN_COMPONENT}\n\nattributes: {{}}\n")
    (folder / "products/lines/defs.yaml").write_text(f"type: {PRODUCT_COMPONENT}\n")
    assert list(component_findings(folder)) == []


@pytest.mark.parametrize(
    ("name", "text", "line", "why"),
    [
        (
            "defs.yaml",
            "type: dagster.PythonScriptComponent\n",
            1,
            f"write `type: {DOMAIN_COMPONENT}`",
        ),
        ("defs.yml", f"type: {PRODUCT_COMPONENT}\n", 1, f"write `type: {DOMAIN_COMPONENT}`"),
        ("component.yaml", "attributes: {}\n", 0, "type None"),
        ("jobs/defs.yaml", f"type: {DOMAIN_COMPONENT}\n", 1, "remove the file"),
        (
            "defs.yaml",
            f"type: {DOMAIN_COMPONENT}\nattributes:\n  key: x\n",
            2,
            "'attributes' would say",
        ),
        (
            "defs.yaml",
            f"type: {DOMAIN_COMPONENT}\n\npost_processing:\n  assets: [{{}}]\n",
            3,
            "'post_processing' would say",
        ),
        ("defs.yaml", f"type: {DOMAIN_COMPONENT}\n---\ntype: x.Y\n", 0, "a second document"),
    ],
)
def test_what_makes_assets_without_a_contract_is_refused(
    mesh: TinyMesh, name: str, text: str, line: int, why: str
) -> None:
    folder = mesh.domain("order")
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    (found,) = component_findings(folder)
    assert found.file == file and (found.line == line or line == 0) and why in str(found)
    with pytest.raises(PolicyViolation, match=file.name):
        mesh.definitions("order")
