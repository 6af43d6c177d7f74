"""The names of landing objects: which a contract may give, and which are of unfinished work.

Belongs here: `prefix` and `object` of a contract's landing, and why no object can have such a name.
Does not belong here: objects that are there (`landing/`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from shared_resources.contracts.model import LandingMode
from shared_resources.contracts.node import Node

PARTITION = "{partition}"
TEMPORARY_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", "~")
_LONGEST_NAME, _LONGEST_KEY = 255, 1024  # bytes, of file systems and of S3
_A_DAY = "2017-03-01"


def unfinished(name: str) -> bool:
    """Whether a name is hidden or temporary: someone's unfinished work."""
    return name.startswith((".", "_")) or name.endswith(TEMPORARY_SUFFIXES)


def check_key(node: Node, name: str) -> None:
    """A key of the landing zone: relative, without a way up and without surprises for a shell."""
    field = node.get(name)
    text = field.value if field else ""
    parts = PurePosixPath(text).parts
    bad = not parts or text.startswith("/") or "\\" in text or "//" in text
    if field and (bad or any(p in (".", "..") for p in text.split("/")) or not text.isprintable()):
        field.problem(
            f"is {text!r}, which is no place below the landing zone",
            "write a relative path such as order/transactions",
        )


def check_object_name(node: Node, mode: str, format_: str) -> None:
    """`object`, and that some object can have such a name below `prefix`."""
    prefix, field = node.get("prefix"), node.get("object")
    if prefix is not None and any(character in prefix.value for character in "*?{}[]"):
        prefix.problem(
            f"is {prefix.value!r}, which is no pattern: no object can lie there",
            "name one folder, and say the rest in `object`",
        )
    if field is None:
        return
    name = node.text("object")
    rest = name.replace(PARTITION, "", 1)
    if mode == LandingMode.PARTITION and (PARTITION not in name or "*" in name):
        remedy = f"name it '{PARTITION}.{format_ or 'parquet'}'"
        field.problem(f"does not say which partition {name!r} is", remedy)
    elif mode == LandingMode.REPLACE and PARTITION in name:
        field.problem("names a partition, but the mode is replace", "use `mode: partition`")
    elif any(character in rest for character in "{}[]?"):
        field.problem(f"is {name!r}, a pattern that is not known", f"use `*`, or {PARTITION} once")
    elif why := next(_no_object(node.text("prefix"), name), None):
        field.problem(f"is {name!r}, which matches no object: {why}", "write another name")


def _no_object(prefix: str, pattern: str) -> Iterator[str]:
    """Why not even the shortest name that the pattern allows can be one."""
    shortest = pattern.replace(PARTITION, _A_DAY)
    if shortest.endswith("/"):
        yield "a name that ends with / is a folder's"
    for part in f"{prefix}/{shortest}".split("/"):
        # What a star stands for may make another beginning or end of it.
        fixed = part.replace("*", "x" if part.startswith("*") else "")
        if unfinished(fixed if not part.endswith("*") else f"{fixed}x"):
            yield f"{part!r} is hidden or temporary, someone's unfinished work"
        if len(part.replace("*", "").encode()) > _LONGEST_NAME:
            yield f"a file's name has at most {_LONGEST_NAME} bytes"
    if len(f"{prefix}/{shortest}".encode()) > _LONGEST_KEY:
        yield f"an object's key has at most {_LONGEST_KEY:,} bytes"
