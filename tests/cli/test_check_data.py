"""`mesh check` says what of the published data nobody may rely on; `--data` compares every byte."""

from __future__ import annotations

import pytest

from shared_resources.evidence import keys
from shared_resources.evidence.record import Evidence
from shared_resources.stores.opening import open_product
from tests.cli.commands import call
from tests.guarantees.orders import KEY, land_orders, orders_product
from tests.tiny_mesh import TinyMesh


def test_a_flipped_bit_is_named_with_its_file_and_what_to_do(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0, 2.0])
    assert mesh.run(KEY).success
    assert call("check", "--data").code == 0
    path = open_product(mesh.environment, KEY).paths()[0]
    body = bytearray(path.read_bytes())
    body[len(body) // 3] ^= 1
    path.write_bytes(body)
    assert call("check").code == 0  # nobody looked at the bytes
    found = call("check", "--data")
    assert found.code == 1
    assert path.name in found.out and "SHA-256" in found.out and f"mesh run {KEY}" in found.out
    call("check", "--data", "--static").refused("--static", "--data")


def test_a_file_of_another_size_is_refused_to_readers_and_found(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0, 2.0])
    assert mesh.run(KEY).success
    path = open_product(mesh.environment, KEY).paths()[0]
    path.write_bytes(path.read_bytes()[:-1])
    call("read", KEY).refused("bytes instead of", path.name, "mesh rollback", code=1)
    found = call("check", "--data")
    assert found.code == 1 and "bytes instead of" in found.out


def test_a_version_that_nobody_audited_is_named_and_not_read(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success
    with monkeypatch.context() as forged:
        forged.setattr(Evidence, "properties", lambda _: {keys.RUN_ID: "a stranger"})
        land_orders(mesh, [9.0])
        mesh.run(KEY)
    call("read", KEY).refused("version 2 in the lake has no evidence", code=1)
    found = call("check")
    assert found.code == 1 and "has no evidence" in found.out
    listed = call("versions", KEY)
    assert listed.code == 0 and "no evidence" in listed.out
    (row,) = (one for one in call("status", "--json").json if one["key"] == KEY)
    assert any("evidence" in reason["reason"] for reason in row["health"]["reasons"])
    rolled = call("rollback", KEY, "--to", "1")
    assert rolled.code == 0, rolled
    assert call("read", KEY).code == 0
