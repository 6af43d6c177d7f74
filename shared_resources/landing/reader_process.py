"""The process that `isolated.py` starts for one object.

Belongs here: what it reads from its input and answers on its output.
Does not belong here: starting it, and what its death means (`isolated.py`).
"""

from __future__ import annotations

import pickle
import sys

from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.reader import stage_object
from shared_resources.landing.staged_object import StagedObject


def main() -> None:
    """The other process: reads what is asked from its input, answers on its output."""
    contract, file, key, folder, partition, limits = pickle.load(sys.stdin.buffer)
    answer: StagedObject | tuple[str, str, str, str]
    try:
        answer = stage_object(contract, file, key, folder, partition, limits=limits, apart=False)
    except UnreadableObject as refusal:
        answer = (refusal.object_key, refusal.problem, refusal.remedy, refusal.place)
    sys.stdout.buffer.write(pickle.dumps(answer))
    sys.stdout.buffer.flush()
