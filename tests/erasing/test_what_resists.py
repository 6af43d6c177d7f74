"""What cannot be read or reached keeps no other place from being erased, and is named; or done later."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from shared_resources.evidence.erasures import journal
from shared_resources.landing.zones.s3 import S3LandingZone
from shared_resources.wiring.local import LocalEnvironment
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, column, contract_text, custom

PEOPLE, OTHERS = "shop/people", "club/members"
KEY = column("person", required=True, customProperties=custom(subject="customer"))


def product(mesh: TinyMesh, key: str, *stores: str) -> None:
    landing = {"prefix": key, "format": "csv", "object": "*.csv"}
    mesh.product(key, contract_text(key, [KEY], servers=stores, properties={"landing": landing}))


def landed(mesh: TinyMesh, key: str, *people: int, name: str = "1") -> None:
    mesh.land(f"{key}/{name}.csv", "person\n" + "".join(f"{one}\n" for one in people))
    assert mesh.run(key).success


def people(mesh: TinyMesh, key: str, number: int | None = None) -> list[int]:
    return sorted(row["person"] for row in mesh.rows(key, number))


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    product(mesh, PEOPLE, "lake", "warehouse")
    product(mesh, OTHERS, "lake")
    landed(mesh, PEOPLE, 1, 2, 3)
    landed(mesh, PEOPLE, 1, 2, name="2")
    landed(mesh, OTHERS, 2, 5)
    return mesh


@pytest.mark.parametrize("store", ["warehouse", "lake"])
def test_a_damaged_file_is_named_and_the_rest_is_done(shop: TinyMesh, store: str) -> None:
    (one,) = (s for s in shop.environment.stores.values() if s.name == store)
    (file,) = one.open(PEOPLE, 1).paths()
    file.chmod(0o600)
    file.write_bytes(b"no file any more")
    for way in (("--dry-run",), ()):
        erased = call("erase", "--subject", "2", "--json", *way)
        assert "Traceback" not in erased.err and erased.code in (0, 1), erased
    assert erased.code == 1
    (left,) = erased.json[0]["left"]
    assert left.startswith(f"{store} version 1 of {PEOPLE}: ") and "cannot be read" in left
    (other,) = (s for s in shop.environment.stores.values() if s.name not in (store,))
    for number in (1, 2):
        read = other.open(PEOPLE, number).batches(["person"]).read_all()["person"].to_pylist()
        assert 2 not in read
    assert 2 not in one.open(PEOPLE, 2).batches(["person"]).read_all()["person"].to_pylist()
    assert people(shop, OTHERS) == [5]
    again = call("erase", "--again")
    assert again.code == 1 and "version 1" in again.err, again


def test_a_list_of_versions_that_cannot_be_read_stops_no_other_product(shop: TinyMesh) -> None:
    (manifest,) = (shop.environment.home / "warehouse" / PEOPLE / "versions").glob("v00000001.json")
    for file in (manifest, *(manifest.parents[1] / "spare").glob("v00000001*")):
        file.chmod(0o600)
        file.write_bytes(b"{")
    erased = call("erase", "--subject", "2")
    assert erased.code == 1 and "Traceback" not in erased.err, erased
    assert f"LEFT warehouse all versions of {PEOPLE}: " in erased.err
    assert people(shop, OTHERS) == [5] and people(shop, PEOPLE, 1) == [1, 3]


def test_a_product_whose_contract_is_gone_is_erased_by_its_last_one(shop: TinyMesh) -> None:
    shutil.rmtree(shop.root / "domains" / "club" / "products" / "members")
    assert people(shop, OTHERS) == [2, 5]
    erased = call("erase", "--subject", "2", "--json")
    assert erased.code == 0, erased
    assert {one["product"] for one in erased.json[0]["places"]} == {PEOPLE, OTHERS}
    assert people(shop, OTHERS) == people(shop, OTHERS, 1) == [5]
    (file,) = (shop.environment.home / "landing" / OTHERS).glob("*.csv")
    assert file.read_text() == "person\n5\n"


def test_a_product_of_which_no_contract_is_kept_is_named(shop: TinyMesh) -> None:
    shutil.rmtree(shop.root / "domains" / "club" / "products" / "members")
    for file in (shop.environment.home / "registry" / "contracts").glob("*.yaml"):
        if "members" in file.read_text():
            file.unlink()
    erased = call("erase", "--subject", "2")
    assert erased.code == 1 and f"{OTHERS} is published, and no contract says" in erased.err
    assert people(shop, PEOPLE) == [1]


def test_what_is_beyond_reach_is_a_note_and_no_failure(
    shop: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalEnvironment, "database_url", "postgresql://nowhere/mesh")
    erased = call("erase", "--subject", "77")  # nobody: Dagster itself is told nothing
    assert erased.code == 0 and "note: Dagster's event log" in erased.out, erased
    assert "delete those runs" in erased.out and "LEFT" not in erased.err


@pytest.mark.slow
def test_production_ends_well_when_all_within_reach_is_done(
    production_mesh: TinyMesh, tmp_path: Path
) -> None:
    """More subjects than one statement takes; a replaced object's earlier versions go later, too."""
    import boto3

    mesh = production_mesh
    zone = mesh.environment.landing_zone
    assert isinstance(zone, S3LandingZone)
    bucket = zone.location.bucket
    s3 = boto3.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    product(mesh, PEOPLE, "lake", "warehouse")
    landed(mesh, PEOPLE, 1, 2, 3)

    def kept() -> list[bytes]:
        listed = s3.list_object_versions(Bucket=bucket, Prefix=zone.location.key(PEOPLE))
        return [
            s3.get_object(Bucket=bucket, Key=v["Key"], VersionId=v["VersionId"])["Body"].read()
            for v in listed.get("Versions", ())
        ]

    def dies(self: S3LandingZone, key: str) -> None:
        raise KeyboardInterrupt

    def refused(self: S3LandingZone, key: str) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteObject")

    names = tmp_path / "them"
    names.write_text("".join(f"{number}\n" for number in (2, *range(100, 2_600))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3LandingZone, "forget_earlier", dies)
        assert call("erase", "--subjects", names).code != 0
    assert any(b"2\n" in content for content in kept())
    again = call("erase", "--again", "--json")
    assert again.code == 0, again
    assert kept() == [b"person\n1\n3\n"]
    for store in mesh.environment.stores.values():
        assert 2 not in store.open(PEOPLE, 1).batches(["person"]).read_all()["person"].to_pylist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3LandingZone, "_forget_versions_before", refused)
        left = call("erase", "--subject", "3")
        assert left.code == 1 and "its earlier versions stay" in left.err, left
    assert len(kept()) == 2
    ended = call("erase", "--again", "--json")
    assert ended.code == 0 and ended.json[0]["left"] == [], ended
    assert kept() == [b"person\n1\n"]
    place = mesh.environment.attestor.place
    assert place is not None
    assert all(one.done_at and not one.left for one in journal(place))
    assert call("erase", "--again", "--json").json == []
    assert call("evidence", PEOPLE, "--verify").code == 0
