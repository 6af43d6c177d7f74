"""Objects on S3, whole or not at all: sent with a checksum and encrypted, read again when cut short.

Belongs here: putting, reading, listing and deleting objects of one client, over whatever network.
Does not belong here: what an object means (`stores/lake/files/s3.py`, `iceberg_file_io.py`), settings.

botocore tries a request again, with jitter; a body that breaks off after its request was answered
is for the caller to read again, which is done here.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import (
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)

from shared_resources.object_store.stored_file import StoredFile
from shared_resources.state.per_process import OncePerProcess

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from shared_resources.production.settings import ProductionSettings

READS = 6
PUTS = 8  # of one object by several writers at once
CHUNK_BYTES = 1 << 20
PART_BYTES = 16 << 20
UPLOADS = 8
DELETED_AT_ONCE = 1000
CHECKSUM = "mesh-crc32"  # of the whole object: S3's own of an upload in parts is one of the parts
_THERE = frozenset({"412", "PreconditionFailed"})
# Another conditional request for the key is under way: it is to be asked again.
_AT_ONCE = "ConditionalRequestConflict"
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


class BrokenBody(OSError):
    """A body was not what was sent, however often it was read."""


class S3Objects:
    """Objects by URL (`s3://bucket/key`). Safe to use from threads, and after a fork."""

    def __init__(self, settings: ProductionSettings) -> None:
        self._settings = settings
        self._client = OncePerProcess(settings.s3)

    @property
    def client(self) -> S3Client:
        return self._client()

    # -- sending ---------------------------------------------------------------------------------

    def put(self, location: str, body: bytes) -> None:
        self._put(location, body)

    def put_once(self, location: str, body: bytes) -> bool:
        """Write the object unless there is one already; whether it was written."""
        for attempt in range(1, PUTS + 1):
            try:
                self._put(location, body, IfNoneMatch="*")
            except ClientError as problem:
                code = problem.response["Error"]["Code"]
                if code in _THERE:
                    return False
                if code != _AT_ONCE or attempt == PUTS:
                    raise
                time.sleep(0.1 * attempt)
            else:
                return True
        raise AssertionError("the last attempt returns or raises")

    def _put(self, location: str, body: bytes, **condition: Any) -> None:
        bucket, key = bucket_and_key(location)
        self.client.put_object(
            Bucket=bucket,
            Key=key,
            Body=body,
            Metadata={CHECKSUM: _shown(zlib.crc32(body))},
            **condition,
            **self._settings.encryption(),
        )

    def upload(self, files: Mapping[Path, str]) -> None:
        """Send local files to their locations, several at a time, large ones in parts.

        Whoever dies meanwhile leaves objects that nothing names, and unfinished uploads.
        """
        from boto3.s3.transfer import TransferConfig, create_transfer_manager

        config = TransferConfig(
            multipart_threshold=PART_BYTES,
            multipart_chunksize=PART_BYTES,
            max_concurrency=UPLOADS,
            preferred_transfer_client="classic",  # the other has its own retries and credentials
        )
        with create_transfer_manager(self.client, config) as manager:
            sending = []
            for path, location in files.items():
                bucket, key = bucket_and_key(location)
                arguments = {
                    **self._settings.encryption(),
                    "ChecksumAlgorithm": "CRC32",
                    "Metadata": {CHECKSUM: _shown(_checksum(path))},
                }
                sending.append(manager.upload(str(path), bucket, key, arguments))
            for sent in sending:
                sent.result()

    # -- reading ---------------------------------------------------------------------------------

    def read(self, location: str) -> bytes:
        """The whole object. Raises `FileNotFoundError`, and `BrokenBody` when it stays broken."""
        body = bytearray()

        def keep(chunks: Iterable[bytes]) -> None:
            body.clear()
            for chunk in chunks:
                body.extend(chunk)

        self._read(location, keep)
        return bytes(body)

    def download(self, location: str, path: Path, size: int | None = None) -> None:
        """Write the object to `path`. Raises what `read` does, or for another size than `size`."""

        def keep(chunks: Iterable[bytes]) -> None:
            with path.open("wb") as file:
                _write(file, chunks)

        self._read(location, keep)
        if size is not None and path.stat().st_size != size:
            raise BrokenBody(
                f"{location} holds {path.stat().st_size} bytes and {size} were published; somebody "
                "overwrote it. Restore the object's earlier version, or roll back the product."
            )

    def size(self, location: str) -> int:
        """Raises `FileNotFoundError`."""
        bucket, key = bucket_and_key(location)
        with _missing(location):
            return self.client.head_object(Bucket=bucket, Key=key)["ContentLength"]

    def exists(self, location: str) -> bool:
        with suppress(FileNotFoundError):
            return self.size(location) >= 0
        return False

    def _read(self, location: str, keep: Any) -> None:
        bucket, key = bucket_and_key(location)
        for attempt in range(READS):
            if attempt:
                time.sleep(random.uniform(0, 0.1 * 2**attempt))
            with _missing(location):
                answer = self.client.get_object(Bucket=bucket, Key=key)
            body = _Body(answer)
            try:
                keep(body)
            except _BROKEN as problem:
                broken = str(problem) or type(problem).__name__
                continue
            if body.is_whole():
                return
            broken = "its checksum or its length is not that of the object"
        raise BrokenBody(
            f"{location} could not be read whole in {READS} attempts; the last time: {broken}. Look "
            "at the network between here and S3, and run it again."
        )

    # -- listing and deleting --------------------------------------------------------------------

    def listing(self, below: str, after: str = "") -> Iterator[StoredFile]:
        """Every object whose location starts with `below`, a thousand a request, in order.

        Only those whose location follows `after`, where it is given.
        """
        bucket, prefix = bucket_and_key(below)
        start: dict[str, Any] = {"StartAfter": bucket_and_key(after)[1]} if after else {}
        pages = self.client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix, **start):
            for entry in page.get("Contents", ()):
                location = f"s3://{bucket}/{entry['Key']}"
                yield StoredFile(location, entry["Size"], entry["LastModified"])

    def delete(self, locations: Iterable[str]) -> None:
        """Delete objects of one bucket; no error for one that is gone already."""
        keys = [bucket_and_key(location) for location in locations]
        for start in range(0, len(keys), DELETED_AT_ONCE):
            some = keys[start : start + DELETED_AT_ONCE]
            answer = self.client.delete_objects(
                Bucket=some[0][0],
                Delete={"Objects": [{"Key": key} for _, key in some], "Quiet": True},
            )
            for error in answer.get("Errors", ()):
                raise OSError(
                    f"S3 did not delete s3://{some[0][0]}/{error.get('Key')}: "
                    f"{error.get('Code')} {error.get('Message')}"
                )

    def abort_uploads(self, below: str, older_than: datetime) -> list[str]:
        """Forget uploads in parts that were begun before then and never finished; name them."""
        bucket, prefix = bucket_and_key(below)
        pages = self.client.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, Prefix=prefix
        )
        aborted = []
        for page in pages:
            for upload in page.get("Uploads", ()):
                key = upload["Key"]
                if upload["Initiated"] >= older_than or not key.startswith(prefix):
                    continue
                with suppress(self.client.exceptions.NoSuchUpload):  # finished or aborted meanwhile
                    self.client.abort_multipart_upload(
                        Bucket=bucket, Key=key, UploadId=upload["UploadId"]
                    )
                    aborted.append(f"s3://{bucket}/{key} (unfinished upload)")
        return aborted


# A full disk is no broken body: errors of the file system are not among these.
_BROKEN = (
    IncompleteReadError,
    ResponseStreamingError,
    FlexibleChecksumError,
    HTTPClientError,
    ConnectionError,
    TimeoutError,
)


class _Body:
    """The chunks of an answer, counted and summed up on their way."""

    def __init__(self, answer: Any) -> None:
        self._stream = answer["Body"]
        self._length: int = answer["ContentLength"]
        self._expected: str | None = answer.get("Metadata", {}).get(CHECKSUM)
        self._sum = self._count = 0

    def __iter__(self) -> Iterator[bytes]:
        with self._stream:
            for chunk in self._stream.iter_chunks(CHUNK_BYTES):
                self._sum = zlib.crc32(chunk, self._sum)
                self._count += len(chunk)
                yield chunk

    def is_whole(self) -> bool:
        same = self._expected is None or self._expected == _shown(self._sum)
        return same and self._count == self._length


class _missing:
    """Turns S3's answer that there is no such object into `FileNotFoundError`."""

    def __init__(self, location: str) -> None:
        self._location = location

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, problem: BaseException | None, __: object) -> None:
        if isinstance(problem, ClientError) and problem.response["Error"]["Code"] in _MISSING:
            raise FileNotFoundError(f"there is no object {self._location}") from problem


def bucket_and_key(location: str) -> tuple[str, str]:
    """Of `s3://bucket/key`. Raises `ValueError` for anything else."""
    scheme, found, rest = location.partition("://")
    bucket, _, key = rest.partition("/")
    if not found or scheme not in ("s3", "s3a", "s3n") or not bucket:
        raise ValueError(f"{location!r} is no location on S3")
    return bucket, key


def _write(file: BinaryIO, chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        file.write(chunk)


def _checksum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total = zlib.crc32(chunk, total)
    return total


def _shown(checksum: int) -> str:
    return f"{checksum:08x}"
