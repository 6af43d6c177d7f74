"""Files and words of an entry are put in their own place: what erasing rows asks of each place."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.governance.quarantine.branched import BranchedQuarantine
from shared_resources.governance.quarantine.folder import QuarantineFolder, QuarantineStore
from shared_resources.wiring import ProductionEnvironment

PLACE = "shop/people/0123456789ab-01234567"


def rewritten(store: QuarantineStore, tmp_path: Path) -> QuarantineStore:
    before, after = tmp_path / "before", tmp_path / "after"
    before.write_text("anna, ben")
    after.write_text("ben")
    store.keep(PLACE, {"files/00000.csv": before}, b'{"rows": 2}')
    store.rewrite(PLACE, {"files/00000.csv": after}, b'{"rows": 1}')
    assert before.read_text() == "anna, ben"
    return store


def test_a_file_is_another_and_the_entry_says_so(tmp_path: Path) -> None:
    store = rewritten(QuarantineFolder(tmp_path / "quarantine"), tmp_path)
    stored, file = store.read(PLACE), store.local(PLACE, "files/00000.csv")
    assert stored is not None and stored.entry == b'{"rows": 1}'
    assert file is not None and file.read_text() == "ben"


def test_a_branch_changes_its_own_entry_alone(tmp_path: Path) -> None:
    base, own = QuarantineFolder(tmp_path / "base"), QuarantineFolder(tmp_path / "own")
    rewritten(BranchedQuarantine(base, own), tmp_path)
    assert base.read(PLACE) is None and own.read(PLACE) is not None


@pytest.mark.slow
def test_on_s3_too(production: ProductionEnvironment, tmp_path: Path) -> None:
    store = rewritten(production.quarantine.store, tmp_path)
    stored, file = store.read(PLACE), store.local(PLACE, "files/00000.csv")
    assert stored is not None and stored.entry == b'{"rows": 1}'
    assert file is not None and file.read_text() == "ben"
