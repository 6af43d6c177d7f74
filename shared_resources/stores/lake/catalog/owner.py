"""Whose a lake on S3 is: what one mesh's tables do not name there, its clean-up takes for left over.

Belongs here: the object at the top of `MESH_LAKE` that names the catalog whose tables lie there.
Does not belong here: which files are left over (`stores/lake/leftovers.py`), the catalog (`glue.py`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from shared_resources.object_store.s3_objects import S3Objects
from shared_resources.stores.protocol import PublishError

OWNER = ".mesh-owner.json"


@dataclass(frozen=True)
class Owner:
    """The databases of a Glue catalog that begin with `prefix`.

    `catalog` is the account; None when it is not known yet, which an owner that is written never is.
    """

    catalog: str | None
    region: str
    prefix: str

    def __str__(self) -> str:
        account = self.catalog or "(unknown)"
        return f"the Glue databases {self.prefix}* of account {account} in {self.region}"


def is_owner(objects: S3Objects, lake: str, owner: Owner) -> bool:
    """Whether the lake is the owner's, as far as it is known; False when it is nobody's.

    Changes nothing. Raises `PublishError` when the lake is another's.
    """
    location = f"{lake}/{OWNER}"
    try:
        found = _read(objects.read(location), location)
    except FileNotFoundError:
        return False
    if found != replace(owner, catalog=owner.catalog or found.catalog):
        raise PublishError(
            f"MESH_LAKE={lake} belongs to {found}, and this mesh has {owner}: each would remove the "
            f"other's files as left over. Give this mesh a MESH_LAKE of its own; or, if the other is "
            f"gone and its tables with it, delete what it left below {lake}, and {location}."
        )
    return True


def claim(objects: S3Objects, lake: str, owner: Owner) -> None:
    """Make the lake the owner's, unless somebody has it. Raises `PublishError` when it is another's.

    Of several who claim it at once, S3 lets one write the object.
    """
    if not is_owner(objects, lake, owner):
        said = json.dumps(asdict(owner)).encode()
        if not objects.put_once(f"{lake}/{OWNER}", said):
            is_owner(objects, lake, owner)


def _read(said: bytes, location: str) -> Owner:
    try:
        content = json.loads(said)
        return Owner(**{name: str(content[name]) for name in Owner.__dataclass_fields__})
    except (ValueError, KeyError, TypeError) as problem:
        raise PublishError(
            f"{location} does not say whose the lake is; it was not written by a mesh. Restore its "
            "earlier version, or delete it when no other mesh uses this lake."
        ) from problem
