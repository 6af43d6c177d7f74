"""The contracts under which something was published: kept once, proven when they are read."""

from __future__ import annotations

import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from shared_resources.mesh.kept_contracts import KeptContracts, read_contract_anew
from shared_resources.object_store.s3_objects import S3Objects
from shared_resources.registry.contracts import (
    ContractFolder,
    ContractObjects,
    PublishedContracts,
    keep_contract,
)
from shared_resources.wiring import ProductionEnvironment
from tests.contracts.reading import RICH, read, rich

TEXT = b"version: 1.0.0\n"
DIGEST = sha256(TEXT).hexdigest()


@pytest.fixture(params=["folder", "S3"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> PublishedContracts:
    if request.param == "folder":
        return ContractFolder(tmp_path / "contracts")
    production: ProductionEnvironment = request.getfixturevalue("production")
    place = production.settings.lake.url("_registry/contracts")
    return ContractObjects(S3Objects(production.settings), place)


def test_what_is_kept_is_given_again(kept: PublishedContracts) -> None:
    assert kept.text(DIGEST) is None
    for _ in range(2):
        kept.keep(DIGEST, TEXT)
        assert kept.text(DIGEST) == TEXT


@pytest.mark.parametrize("digest", ["", "../secrets", "a" * 63, f"{'a' * 64}/../b"])
def test_what_is_no_digest_is_never_a_place(kept: PublishedContracts, digest: str) -> None:
    assert kept.text(digest) is None


def test_a_text_that_was_changed_is_not_given_and_is_kept_anew(tmp_path: Path) -> None:
    kept = ContractFolder(tmp_path)
    kept.keep(DIGEST, TEXT)
    (tmp_path / f"{DIGEST}.yaml").write_bytes(b"version: 9.0.0\n")
    assert kept.text(DIGEST) is None
    kept.keep(DIGEST, TEXT)
    assert kept.text(DIGEST) == TEXT


def test_a_contract_is_kept_as_it_was_read_whatever_its_file_says_by_now(tmp_path: Path) -> None:
    """A code server reads it once, and publishes under it until it is started again."""
    file = tmp_path / RICH.name
    file.write_bytes(RICH.read_bytes())
    kept = ContractFolder(tmp_path / "contracts")
    looked_at = KeptContracts(tmp_path / "state" / "compiled")
    (tmp_path / "state").mkdir()
    read = [read_contract_anew(file)[0], *(looked_at.read(file)[0] for _ in range(2))]
    file.write_text(rich(("version: ", "version: 9")))
    for contract in read:
        shutil.rmtree(tmp_path / "contracts", ignore_errors=True)
        keep_contract(kept, contract)
        assert kept.text(contract.digest) == RICH.read_bytes()


def test_a_contract_without_a_file_is_not_kept(tmp_path: Path) -> None:
    kept = ContractFolder(tmp_path / "contracts")
    keep_contract(kept, replace(read(rich()), text=b""))
    assert not (tmp_path / "contracts").exists()
