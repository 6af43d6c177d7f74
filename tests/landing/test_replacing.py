"""An object is put in its own place by the mesh itself, to erase rows; the ledger is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.states import State
from shared_resources.landing.zones.folder import FolderLandingZone
from shared_resources.landing.zones.zone import LandingObject, LandingZone
from shared_resources.state.database import StateDatabase
from shared_resources.wiring import ProductionEnvironment

KEY = "shop/people/1.csv"


def landed(zone: LandingZone, tmp_path: Path, text: str = "anna\nben\n") -> LandingObject:
    file = tmp_path / "file"
    file.write_text(text)
    zone.put(KEY, file)
    found = zone.head(KEY)
    assert found is not None
    return found


def test_its_time_stays_and_its_etag_does_not(tmp_path: Path) -> None:
    zone, rest = FolderLandingZone(tmp_path / "zone"), tmp_path / "rest"
    obj = landed(zone, tmp_path)
    rest.write_text("ben\n")
    replaced = zone.replace(obj, rest)
    assert replaced is not None and replaced.etag != obj.etag
    assert replaced.modified_at == obj.modified_at
    assert (tmp_path / "zone" / KEY).read_text() == "ben\n"
    assert zone.replace(obj, rest) is None
    (tmp_path / "zone" / KEY).unlink()
    assert zone.replace(replaced, rest) is None


@pytest.mark.slow
def test_in_a_bucket_its_earlier_versions_go(
    production: ProductionEnvironment, tmp_path: Path
) -> None:
    zone = production.landing_zone
    client, bucket = zone._client, zone.location.bucket  # type: ignore[attr-defined]
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    landed(zone, tmp_path, "anna\n")
    obj, rest = landed(zone, tmp_path), tmp_path / "rest"
    rest.write_text("ben\n")
    replaced = zone.replace(obj, rest)
    assert replaced is not None and replaced.size == 4
    found = client.list_object_versions(Bucket=bucket)["Versions"]
    assert [one["Size"] for one in found if one["Key"].endswith(KEY)] == [4]
    assert zone.replace(obj, rest) is None


@pytest.mark.parametrize(
    ("state", "news"), [(State.PUBLISHED, False), (State.REFUSED, False), (None, True)]
)
def test_what_was_done_with_it_is_done(tmp_path: Path, state: State | None, news: bool) -> None:
    zone, rest = FolderLandingZone(tmp_path / "zone"), tmp_path / "rest"
    database = StateDatabase(f"sqlite:///{tmp_path / 'state.db'}", tmp_path / "locks")
    ledger, obj = Ledger(database, "shop/people"), landed(zone, tmp_path)
    ledger.discover([obj])
    if state is not None:
        ledger.note([(obj.key, obj.etag)], state)
    rest.write_text("ben\n")
    replaced = zone.replace(obj, rest)
    assert replaced is not None
    ledger.took_the_place(obj, replaced)
    assert bool(ledger.discover([replaced]).new) is news
