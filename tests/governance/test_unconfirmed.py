"""`toConfirm`: what a contract says of itself and nobody has confirmed, as findings that stop nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from shared_resources.contracts.odcs import read_contract
from shared_resources.findings import InvalidFile
from shared_resources.governance.catalogue import check_domain
from shared_resources.governance.unconfirmed import unconfirmed
from shared_resources.mesh import read_mesh
from tests.mesh_files import write_central, write_product


def contract_saying(root: Path, said: object) -> Path:
    """A product that says it of itself and of its first column."""
    write_central(root)
    write_product(root, "order/lines")
    file = root / "domains/order/products/lines/contract.odcs.yaml"
    text = yaml.safe_load(file.read_text())
    own = {"property": "toConfirm", "vendor": "mesh", "value": said}
    text["customProperties"] = [*text.get("customProperties", []), own]
    text["schema"][0]["properties"][0]["customProperties"] = [own]
    file.write_text(yaml.safe_dump(text, sort_keys=False))
    return file


@pytest.mark.parametrize("said", ["is it?", ["is it?", "and this?"]])
def test_each_thing_to_confirm_is_a_finding_at_its_line(tmp_path: Path, said: object) -> None:
    file = contract_saying(tmp_path, said)
    mesh = read_mesh(tmp_path)
    found = list(unconfirmed(mesh.domain("order")))
    listed = [said] if isinstance(said, str) else said
    assert len(found) == 2 * len(listed)
    lines = file.read_text().splitlines()
    assert {lines[one.line - 1].strip() for one in found} == {
        "customProperties:",
        f"- name: {read_contract(file).columns[0].name}",
    }
    assert all(one.rule == "to_confirm" and one.file == file for one in found)
    assert check_domain(mesh.domain("order"), mesh).findings == (), "it stops nothing"


@pytest.mark.parametrize("said", [7, "", [], ["x", 1], {"a": 1}])
def test_what_is_no_text_is_refused(tmp_path: Path, said: object) -> None:
    with pytest.raises(InvalidFile, match="is no text"):
        read_contract(contract_saying(tmp_path, said))
