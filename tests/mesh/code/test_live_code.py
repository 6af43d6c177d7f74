"""Which stream served rows follow is read without running the code, and known to who asks for readers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared_resources.data_products.compared.consumers import uses
from shared_resources.mesh import ProductReference, read_mesh
from shared_resources.mesh.code.live_code import read_followed
from shared_resources.mesh.promised import promise_digest, promise_of, read_promised
from shared_resources.mesh.read import read_contract_anew
from tests.mesh_files import CODE, write_product

LIVE = (
    CODE.format(name="sums", inputs="", parameters="")
    + """

@live(of={of})
class Following:
    def update(self, rows):
        return rows
"""
)


@pytest.mark.parametrize("of", ['"order/lines"', "STREAM"])
def test_what_is_written_out_is_read(tmp_path: Path, of: str) -> None:
    file = tmp_path / "product.py"
    file.write_text(LIVE.format(of=of) + '\nSTREAM = "order/lines"\n')
    line = file.read_text().splitlines().index(f"@live(of={of})") + 1
    assert read_followed(file) == (ProductReference("order/lines", None, file, line),)


@pytest.mark.parametrize("text", [LIVE.format(of="of()"), "def broken(", "class Live: pass"])
def test_what_is_not_written_out_is_left_to_loading(tmp_path: Path, text: str) -> None:
    file = tmp_path / "product.py"
    file.write_text(text)
    assert read_followed(file) == ()


def test_who_follows_reads_it_here_and_where_it_is_registered_and_is_made_without_it(
    tmp_path: Path,
) -> None:
    write_product(tmp_path, "order/lines")
    write_product(tmp_path, "sales/sums", code=LIVE.format(of='"order/lines"'))
    mesh = read_mesh(tmp_path)
    assert [one.key for one in mesh.consumers("order/lines")] == ["sales/sums"]
    assert [use.consumer for use in uses(mesh, "order/lines")] == ["sales/sums"]
    assert mesh.product("sales/sums").reads == ()
    files = promise_of(mesh.domain("sales"))
    folder = tmp_path / "registry" / promise_digest(files) / "sales"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    [sums] = read_promised(folder, read_contract_anew).products
    assert [one.key for one in sums.followed] == ["order/lines"]
    assert (
        "followed" not in json.loads(promise_of(mesh.domain("order"))["promise.json"])["products"]
    )
