"""The landing zone below a prefix of an S3 bucket.

Belongs here: everything that knows that objects are in a bucket.
Does not belong here: what every landing zone promises (`zone.py`), who tells of new objects
(`arrivals/events.py`).

S3 tells an object's time in whole seconds, and its version only when it is asked for that object.
An etag here is `<ETag>@<seconds, hexadecimal>` in a listing, and ends in `#<VersionId>` when the
bucket keeps versions and the object itself was asked for (see `LandingObject.listed`).
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_resources.contracts.reading.object_names import unfinished
from shared_resources.landing.errors import LandingError, ObjectChanged, RefusedKey, RefusedObject
from shared_resources.landing.zones.zone import (
    PAGE_KEYS,
    VERSION_MARK,
    LandingObject,
    Page,
    parts_of,
)
from shared_resources.production.settings import S3Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FETCH_ATTEMPTS = 6
LONGEST_WAIT_SECONDS = 5.0
CHUNK_BYTES = 1 << 20
DIGEST = "sha256"
_GONE = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchVersion"})
# Of the answers that blame the request, those that blame its time: what came too late or too often.
_NOT_NOW = frozenset({408, 429})
_MD5 = re.compile(r"[0-9a-f]{32}")


class S3LandingZone:
    """`location` is the zone; keys are relative to it. `client` is called once, when needed.

    `encryption` are the arguments of a request that puts an object.
    """

    def __init__(
        self,
        client: Callable[[], S3Client],
        location: S3Location,
        encryption: Mapping[str, Any] | None = None,
    ) -> None:
        self._make_client = client
        self.location = location
        self._encryption = encryption or {}

    def __str__(self) -> str:
        return self.location.url()

    @cached_property
    def _client(self) -> S3Client:
        return self._make_client()

    def page(self, prefix: str, start_after: str, limit: int) -> Page:
        return self._page(self._key("/".join(parts_of(prefix))) + "/", start_after, limit)

    def page_of_all(self, start_after: str, limit: int) -> Page:
        return self._page(
            f"{prefix}/" if (prefix := self.location.prefix) else "", start_after, limit
        )

    def _page(self, folder: str, start_after: str, limit: int) -> Page:
        wanted: dict[str, Any] = {"StartAfter": self._key(start_after)} if start_after else {}
        listed = self._client.list_objects_v2(
            Bucket=self.location.bucket,
            Prefix=folder,
            MaxKeys=min(limit, PAGE_KEYS),
            **wanted,
        )
        objects: list[LandingObject] = []
        names: list[str] = []
        refusals: list[tuple[str, str]] = []
        for entry in listed.get("Contents", ()):
            key = self._relative(entry["Key"])
            names.append(key)
            below = entry["Key"].removeprefix(folder)
            # A key that ends in a slash is a folder that some tool has drawn.
            if below.endswith("/") or any(map(unfinished, below.split("/"))):
                if ".." in below.split("/") and (why := _refusal(key)):
                    refusals.append((key, why))
                continue
            if why := _refusal(key):
                refusals.append((key, why))
                continue
            size, modified = entry["Size"], entry["LastModified"]
            objects.append(_object(key, size, modified, entry["ETag"]))
        return Page(tuple(objects), tuple(names), listed["IsTruncated"], tuple(refusals))

    def head(self, key: str) -> LandingObject | None:
        from botocore.exceptions import ClientError

        if any(map(unfinished, parts_of(key))):
            return None
        try:
            found = self._head(key)
        except ClientError as problem:
            # S3 answers, so it is there. Whether it refuses all the others, too, a listing tells.
            status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if not 400 <= status < 500 or status in _NOT_NOW:
                raise
            raise RefusedObject(
                f"{key}: S3 does not let us look at it ({problem}); "
                "check who may read it, its key of encryption and its name."
            ) from problem
        return None if found is None else _described(key, found)

    def fetch(self, obj: LandingObject, to: Path) -> LandingObject:
        """Copy the object as it is now; one answer of S3 is always of one version.

        A body that was cut short or damaged on its way is read again, from its start, so that its
        checksum can be checked. Raises `ObjectChanged` when the object is gone, and botocore's
        errors when S3 cannot be reached.
        """
        from botocore.exceptions import BotoCoreError

        parts_of(obj.key)
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            for attempt in range(1, FETCH_ATTEMPTS + 1):
                answer = self._get(obj.key)
                try:
                    return _copy(obj.key, answer, to)
                except (BotoCoreError, _Damaged):
                    if attempt == FETCH_ATTEMPTS:
                        raise
                    longest = min(LONGEST_WAIT_SECONDS, 0.1 * 2**attempt)
                    time.sleep(random.uniform(0, longest))
            raise AssertionError("the last attempt returns or raises")
        except BaseException:
            to.unlink(missing_ok=True)
            raise

    def put(self, key: str, file: Path) -> bool:
        """An object that was put in parts or encrypted with KMS has no ETag to compare a file with,
        so its own checksum goes with it. Raises `LandingError` when S3 does not take it."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        parts_of(key)
        with file.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
        try:
            if self._digest_of(key) == digest:
                return False
            self._client.upload_file(
                str(file),
                self.location.bucket,
                self._key(key),
                ExtraArgs={"Metadata": {DIGEST: digest}, **self._encryption},
            )
        except (Boto3Error, BotoCoreError, ClientError) as problem:
            raise LandingError(f"{self.location.url(key)}: was not put: {problem}") from problem
        return True

    def replace(self, obj: LandingObject, file: Path) -> LandingObject | None:
        """Raises `LandingError` when S3 does not take it, or an earlier version stays."""
        now = self.head(obj.key)
        if now is None or now.listed != obj.listed:
            return None
        self.put(obj.key, file)
        replaced = self.head(obj.key)
        self.forget_earlier(obj.key)
        return replaced

    def forget_earlier(self, key: str) -> None:
        """Raises `LandingError` when an earlier version stays."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._forget_versions_before(key)
        except (BotoCoreError, ClientError) as problem:
            url = self.location.url(key)
            raise LandingError(f"{url}: its earlier versions stay: {problem}") from problem

    def _forget_versions_before(self, key: str) -> None:
        """Delete every version of the object but the newest, and what marks it as deleted."""
        full = self._key(key)
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=self.location.bucket, Prefix=full
        )
        for page in pages:
            for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                if one["Key"] == full and not one["IsLatest"]:
                    self._client.delete_object(
                        Bucket=self.location.bucket, Key=full, VersionId=one["VersionId"]
                    )

    def _digest_of(self, key: str) -> str | None:
        """The checksum that `put` left with the object; None where there is none."""
        found = self._head(key)
        return None if found is None else found["Metadata"].get(DIGEST)

    def _head(self, key: str) -> Mapping[str, Any] | None:
        """S3's description of the object; None when it is gone."""
        from botocore.exceptions import ClientError

        try:
            return self._client.head_object(Bucket=self.location.bucket, Key=self._key(key))
        except ClientError as problem:
            if problem.response["Error"]["Code"] in _GONE:
                return None
            raise

    def _get(self, key: str) -> Mapping[str, Any]:
        from botocore.exceptions import ClientError

        try:
            return self._client.get_object(
                Bucket=self.location.bucket, Key=self._key(key), ChecksumMode="ENABLED"
            )
        except ClientError as problem:
            code = problem.response["Error"]["Code"]
            if code in _GONE:
                raise ObjectChanged(
                    f"{key}: was removed before it was read; land it again."
                ) from None
            if code == "InvalidObjectState":
                raise LandingError(
                    f"{key}: is archived and cannot be read; restore it, then run again."
                ) from problem
            raise

    def _key(self, key: str) -> str:
        return self.location.key(key)

    def _relative(self, key: str) -> str:
        return key.removeprefix(f"{self.location.prefix}/") if self.location.prefix else key


class _Damaged(Exception):
    """What arrived is not what S3 keeps."""


def _copy(key: str, answer: Mapping[str, Any], to: Path) -> LandingObject:
    digest = hashlib.md5(usedforsecurity=False)
    copied = 0
    with to.open("wb") as target:
        # botocore checks the length, and the checksum where the object has one.
        while chunk := answer["Body"].read(CHUNK_BYTES):
            target.write(chunk)
            digest.update(chunk)
            copied += len(chunk)
    if copied != answer["ContentLength"]:
        raise _Damaged(f"{key}: {copied:,} bytes of {answer['ContentLength']:,} arrived")
    if _is_md5(answer) and digest.hexdigest() != answer["ETag"].strip('"'):
        raise _Damaged(f"{key}: what arrived has not the checksum of what S3 keeps")
    return _described(key, answer)


def _is_md5(answer: Mapping[str, Any]) -> bool:
    """The ETag is the MD5 of objects that were put in one part and not encrypted with KMS or a key
    of the customer's (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html)."""
    plain = answer.get("ServerSideEncryption") in (None, "AES256")
    own_key = "SSECustomerAlgorithm" in answer
    return plain and not own_key and _MD5.fullmatch(answer["ETag"].strip('"')) is not None


def _described(key: str, answer: Mapping[str, Any]) -> LandingObject:
    return _object(
        key,
        answer["ContentLength"],
        answer["LastModified"],
        answer["ETag"],
        answer.get("VersionId"),
    )


def _object(
    key: str, size: int, modified: datetime, etag: str, version: str | None = None
) -> LandingObject:
    seconds = int(modified.timestamp())
    # Objects that were put while the bucket kept no versions have the version "null".
    kept = f"{VERSION_MARK}{version}" if version not in (None, "null") else ""
    return LandingObject(
        key=key,
        size=size,
        modified_at=datetime.fromtimestamp(seconds, UTC),
        etag=f"{etag.strip(chr(34))}@{seconds:x}{kept}",
    )


def _refusal(key: str) -> str:
    """Why a key of the bucket is none of the zone's, if it is none."""
    try:
        parts_of(key)
    except RefusedKey as refusal:
        return str(refusal)
    return ""
