"""What the platform's objects for agreements are called in Snowflake, and how it knows them again.

Belongs here: names of schemas, roles, views and policies, and the mark in their comments.
Does not belong here: what they say (`items.py`).

Domains have names without a space, so no schema of products is ever called like one of these.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from shared_resources.engines.shares import Share
from shared_resources.stores.cloud_warehouse.sql import Name

POLICIES = "mesh access"
_FOR = "for "
_OWNER = "mesh"


def consumer_name(consumer: str) -> str:
    """The schema and the database role of a consumer."""
    return _FOR + consumer


def is_ours(schema_or_role: str) -> bool:
    return schema_or_role == POLICIES or schema_or_role.startswith(_FOR)


def view_name(share: Share) -> Name:
    product = share.product.replace("/", ".")
    return Name(consumer_name(str(share.consumer)), f"{product}.{share.purpose}")


def named_by(content: str, before: str) -> Name:
    """A name among the policies that changes with the content."""
    return Name(POLICIES, f"{before}.{digest(content)}")


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Mark:
    """What a comment says: whose object it is, and for whom. `says` changes with its statement."""

    product: str = ""
    consumer: str = ""
    purpose: str = ""
    agreement: str = ""
    says: str = ""

    def __str__(self) -> str:
        said = {name: value for name, value in vars(self).items() if value}
        return json.dumps({"by": _OWNER, **said}, sort_keys=True)


def mark_in(comment: object) -> Mark | None:
    """The mark in a comment; None where the object is not the platform's."""
    try:
        said = json.loads(str(comment))
    except ValueError:
        return None
    if not isinstance(said, dict) or said.pop("by", None) != _OWNER:
        return None
    known = {name: str(value) for name, value in said.items() if name in vars(Mark())}
    return Mark(**known)


def consumer_of(schema_or_role: str) -> str:
    """Whom a schema or role is for; empty for that of the policies."""
    return schema_or_role.removeprefix(_FOR) if schema_or_role != POLICIES else ""
