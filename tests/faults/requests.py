"""What a request asks for: the service and the operation, read from the request itself.

Belongs here: telling requests apart, so that a plan can say "the second COPY". Does not belong
here: passing them on (`proxy.py`).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from urllib.parse import parse_qs, urlsplit


class Service(Enum):
    S3 = "s3"
    GLUE = "glue"
    SQS = "sqs"
    SNOWFLAKE = "snowflake"


@dataclass(frozen=True)
class Request:
    """One request as the client sent it; names of headers are in lower case."""

    service: Service
    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> Mapping[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @cached_property
    def operation(self) -> str:
        """`s3:PutObject`, `glue:UpdateTable`, `snowflake:COPY`, `snowflake:upload`, …"""
        return f"{self.service.value}:{_OPERATIONS[self.service](self)}"

    @property
    def sql(self) -> str:
        """The statement of a Snowflake query, else nothing."""
        if self.path != "/queries/v1/query-request":
            return ""
        body = self.body
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return str(json.loads(body).get("sqlText", ""))


def aws_service(headers: Mapping[str, str]) -> Service:
    """Which of AWS's services the request is for; they share one port."""
    target = headers.get("x-amz-target", "")
    if target.startswith("AWSGlue."):
        return Service.GLUE
    if target.startswith("AmazonSQS."):
        return Service.SQS
    return Service.S3


_OF_BUCKETS = {
    "GET": "ListObjectsV2",
    "PUT": "CreateBucket",
    "HEAD": "HeadBucket",
    "DELETE": "DeleteBucket",
}
_OF_OBJECTS = {
    "GET": "GetObject",
    "PUT": "PutObject",
    "HEAD": "HeadObject",
    "DELETE": "DeleteObject",
}
_OF_UPLOADS = {
    "GET": "ListParts",
    "PUT": "UploadPart",
    "POST": "CompleteMultipartUpload",
    "DELETE": "AbortMultipartUpload",
}
_SUBRESOURCES = ("versioning", "versions", "lifecycle", "encryption", "location", "tagging", "acl")


def _s3(request: Request) -> str:
    key = request.path.strip("/").partition("/")[2]
    query = request.query
    if "uploadId" in query:
        return _OF_UPLOADS[request.method]
    if "uploads" in query:
        return "CreateMultipartUpload" if request.method == "POST" else "ListMultipartUploads"
    if "delete" in query:
        return "DeleteObjects"
    for name in _SUBRESOURCES:
        if name in query:
            return f"{request.method}:{name}"
    if key and "x-amz-copy-source" in request.headers:
        return "CopyObject"
    return (_OF_OBJECTS if key else _OF_BUCKETS).get(request.method, request.method)


def _json_protocol(request: Request) -> str:
    return request.headers["x-amz-target"].partition(".")[2]


def _snowflake(request: Request) -> str:
    if request.sql:
        return _first_words(request.sql)
    if request.path.startswith("/fs_bucket/"):
        return "upload"
    return request.path.strip("/").rpartition("/")[2]


def _first_words(sql: str) -> str:
    """`COPY`, `INSERT`, …; with its object for what defines one: `CREATE TABLE`."""
    words = sql.upper().replace("(", " ").split()
    if words[0] not in ("CREATE", "ALTER", "DROP"):
        return words[0]
    kinds = ("TABLE", "VIEW", "SCHEMA", "STAGE", "DATABASE", "SESSION", "FILE", "TAG")
    return " ".join([words[0], *[word for word in words[1:5] if word in kinds][:1]])


_OPERATIONS = {
    Service.S3: _s3,
    Service.GLUE: _json_protocol,
    Service.SQS: _json_protocol,
    Service.SNOWFLAKE: _snowflake,
}
