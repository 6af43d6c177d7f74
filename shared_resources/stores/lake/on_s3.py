"""The lake on S3 with the Glue catalog, put together.

Belongs here: which catalog and which files make the lake of a production environment.
Does not belong here: what each of them does (`stores/lake/catalog/glue.py`, `stores/lake/files/s3.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.confinement.guard import refuse
from shared_resources.object_store.iceberg_file_io import S3FileIO
from shared_resources.object_store.local_copies import LocalCopies
from shared_resources.object_store.s3_objects import S3Objects
from shared_resources.stores.attested.attestor import NOT_ATTESTING, Attestor
from shared_resources.stores.lake.catalog.glue import GlueTables
from shared_resources.stores.lake.files.s3 import S3Files
from shared_resources.stores.lake.store import LakeStore

if TYPE_CHECKING:
    from shared_resources.production.settings import ProductionSettings


def s3_lake(
    settings: ProductionSettings,
    home: Path,
    copies: LocalCopies | None = None,
    attestor: Attestor = NOT_ATTESTING,
) -> LakeStore:
    """The lake of a production environment; `home` is this machine's, for staging and copies."""
    refuse("opens the lake")
    objects = S3Objects(settings)
    copies = copies or LocalCopies(home / "copies")
    tables = GlueTables(settings, objects, S3FileIO(objects, copies))
    return LakeStore(
        S3Files(settings.lake.url(), home / "lake", objects, copies, tables.claim),
        tables,
        attestor,
    )
