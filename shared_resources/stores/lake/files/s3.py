"""The lake's files on S3: audited files are uploaded when they are published, and copied to be read.

Belongs here: the keys of a product's files, upload and verification, and local copies for readers.
Does not belong here: S3's protocol (`object_store/s3_objects.py`), the catalog
(`stores/lake/catalog/glue.py`).

Layout: `MESH_LAKE/<domain>/<product>/data/<batch_id>/<attempt>/…` and `…/metadata/` beside it.
Batches are staged and audited on the machine, below its own folder.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.object_store.local_copies import LocalCopies
from shared_resources.object_store.s3_objects import S3Objects
from shared_resources.object_store.stored_file import StoredFile
from shared_resources.stores.lake.files.field_ids import write_field_ids
from shared_resources.stores.lake.files.local import Placed
from shared_resources.stores.protocol import PublishError, StagedBatch
from shared_resources.stores.staging import staging_area
from shared_resources.stores.staging.fingerprints import named_by_digest, sha256_of

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.types import NestedField

DOWNLOADS = 8
SENT = "sent"
# More commits than a table keeps the metadata of.
MOST_COMMITS = 10_000


class S3Files:
    """Implements `files.LakeFiles`. `root` is the local folder that batches are staged in.

    `claim` is called with the product before its files are sent.
    """

    adopts = False

    def __init__(
        self,
        lake: str,
        root: Path,
        objects: S3Objects,
        copies: LocalCopies,
        claim: Callable[[str], None],
    ) -> None:
        self._lake = lake.rstrip("/")
        self.root = root.absolute()
        self._objects = objects
        self._copies = copies
        self._claim = claim

    def location(self, product: str) -> str:
        domain, name = staging_area.product_folder(self.root, product).parts[-2:]
        return f"{self._lake}/{domain}/{name}"

    def sweepable(self, product: str) -> Sequence[str]:
        return [f"{self.location(product)}/data/", f"{self.location(product)}/metadata/"]

    def place(
        self, product: str, batch: StagedBatch, files: Iterable[Path], fields: Sequence[NestedField]
    ) -> Mapping[Path, Placed]:
        """Upload the files with their field ids, and look whether each arrived with all its bytes."""
        attempt = f"{self.location(product)}/data/{batch.batch_id}/{batch.folder.name}/"
        ids = {field.name: field.field_id for field in fields}
        sent = {path: _with_field_ids(batch.folder, path, ids) for path in files}
        if not sent:
            return {}
        locations = {
            copy: attempt + str(copy.relative_to(batch.folder / SENT)) for copy in sent.values()
        }
        self._claim(product)
        self._objects.upload(locations)
        arrived = {found.location: found.size for found in self._objects.listing(attempt)}
        for copy, location in locations.items():
            if arrived.get(location) != copy.stat().st_size:
                raise PublishError(
                    f"{product}: {location} arrived with {arrived.get(location, 'none')} of "
                    f"{copy.stat().st_size} bytes, and nothing was published. Run it again; if it "
                    "happens again, look for who else writes below that location."
                )
            self._copies.adopt(location, copy)
        return {path: Placed(locations[copy], copy.stat().st_size) for path, copy in sent.items()}

    def share(self, files: Iterable[str], held: Iterable[str], attempt: Path) -> Mapping[str, str]:
        return {location: location for location in files}

    def local(self, files: Sequence[DataFile]) -> list[Path]:
        """Copies what is not here yet, several files at a time."""
        if len(files) < 2:
            return [self._local(file) for file in files]
        with ThreadPoolExecutor(DOWNLOADS, thread_name_prefix="copy") as pool:
            return list(pool.map(self._local, files))

    def _local(self, file: DataFile) -> Path:
        location, size = file.file_path, file.file_size_in_bytes
        return self._copies.get(
            location, partial(self._objects.download, location, size=size), size
        )

    def sha256(self, file: DataFile) -> str:
        with tempfile.TemporaryDirectory(prefix="mesh-verify-") as folder:
            fetched = Path(folder) / "fetched.parquet"
            self._objects.download(file.file_path, fetched)
            return sha256_of(fetched)

    def listing(self, below: str) -> Iterator[StoredFile]:
        return self._objects.listing(below)

    def metadata_names(self, product: str, since: int) -> set[str]:
        """Manifests lie there, too, under random names: the numbers before them are read, no more."""
        folder = f"{self.location(product)}/metadata/"
        listed = self._objects.listing(folder, after=f"{folder}{since:05d}")
        names = (found.location.removeprefix(folder) for found in listed)
        beyond = f"{since + MOST_COMMITS:05d}"
        return set(takewhile(lambda name: name < beyond, names))

    def set_aside(self, location: str, name: str) -> None:
        with suppress(FileNotFoundError):
            content = self._objects.read(location)
            self._objects.put(f"{location.rpartition('/')[0]}/{name}", content)
        self._objects.delete([location])

    def delete(self, locations: Iterable[str]) -> None:
        self._objects.delete(locations)

    def abort_uploads(self, below: str, older_than: datetime) -> Sequence[str]:
        return self._objects.abort_uploads(below, older_than)


def _with_field_ids(folder: Path, staged: Path, ids: Mapping[str, int]) -> Path:
    """A copy of a staged file that has them, named by its digest.

    The staged file stays as it was audited: the next store is given it, too.
    """
    copy = folder / SENT / staged.relative_to(folder)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(staged, copy)
    write_field_ids(copy, ids)
    return copy.rename(copy.with_name(named_by_digest(copy.name, sha256_of(copy))))
