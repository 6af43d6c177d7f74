"""Which branch a folder on this machine holds the state of: a name may be taken again after a drop.

Belongs here: noting that, and telling who would meet another branch's state.
Does not belong here: what lies in the folder (`wiring/branch.py`), which branches there are
(`registry.py`).

A branch that is dropped on one machine leaves its folder on others. Whoever made one of the same name
then would find there what the earlier one had taken, pinned and set aside.
"""

from __future__ import annotations

from pathlib import Path

from shared_resources.state.read_only import may_write
from shared_resources.state.whole_file import write_whole
from shared_resources.stores.branched.names import BranchProblem
from shared_resources.stores.branched.registry import Branch

_MADE_AT = "made-at"


def settle_home(home: Path, branch: Branch) -> None:
    """Note that the folder is the branch's. Raises `BranchProblem` where it is an earlier one's."""
    note, made_at = home / _MADE_AT, branch.made_at.isoformat()
    noted = note.read_text().strip() if note.is_file() else None
    if noted == made_at:
        return
    if noted is not None:
        raise BranchProblem(
            f"{home} is of an earlier branch {branch.name}, of {noted}: that was dropped on another "
            f"machine, and {branch.made_by} made one of the same name on {made_at}. What the folder "
            "holds (state, quarantine, runs) would be taken for the new one's. Remove it, or move it "
            "away, and this machine begins anew in the branch."
        )
    # A folder without a note is of a release that made none, or of nobody yet.
    if may_write(home):
        home.mkdir(parents=True, exist_ok=True)
        write_whole(note, f"{made_at}\n".encode())
