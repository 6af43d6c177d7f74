"""One landing object into staged Parquet: every row of it is staged or kept as a reject.

Belongs here: the way from a private copy of an object to the files of a staged batch.
Does not belong here: the formats (`landing/formats/`), or judging what was staged: that rejects
refuse a batch is the audit's PARSE rule.
"""

from __future__ import annotations

from pathlib import Path

from shared_resources.contracts.model import Contract
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.formats.format_reader import reader_of
from shared_resources.landing.isolated import stage_apart
from shared_resources.landing.staged_object import ObjectToStage, StagedObject
from shared_resources.landing.text import Limits
from shared_resources.stores.protocol import UNPARTITIONED

__all__ = ["Limits", "StagedObject", "UnreadableObject", "stage_object"]


def stage_object(
    contract: Contract,
    local_file: Path,
    obj_key: str,
    folder: Path,
    partition: str = UNPARTITIONED,
    *,
    limits: Limits | None = None,
    apart: bool | None = None,
    audit_follows: bool = False,
    in_place: bool = False,
) -> StagedObject:
    """Stage the object `obj_key`, of which `local_file` is a copy, below `folder`.

    The copy is read only, never changed; compression goes by the end of `obj_key`. Rows that are
    not readable as the contract's types are not staged but kept in the rejects file. Raises
    `UnreadableObject` when the object as a whole is not what the contract says.

    `apart`: read in a process of its own, so that nothing in the object ends this one; None leaves it
    to what is known to be safe.

    `audit_follows`: the audit comes next, of every file that this gives. What is adopted then counts
    as readable only when it has passed that: see `StagedFile.half_decoded`.

    `in_place`: what is adopted may be `local_file` itself. That is for who publishes nothing of it, and
    looks whether somebody changed it meanwhile.
    """
    of = ObjectToStage(
        contract,
        local_file,
        obj_key,
        folder,
        partition,
        limits or Limits(),
        audit_follows,
        in_place,
    )
    reader = reader_of(of.landing.format)
    if local_file.stat().st_size == 0:
        raise UnreadableObject(obj_key, "is empty (0 bytes)", "land it again")
    if apart is None:
        apart = not reader.is_ordinary(local_file)
    return stage_apart(of) if apart else reader.stage(of)
