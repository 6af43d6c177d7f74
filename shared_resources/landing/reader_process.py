"""The process that `isolated.py` starts for one object.

Belongs here: what it reads from its input and answers on its output.
Does not belong here: starting it, and what its death means (`isolated.py`).
"""

from __future__ import annotations

import pickle
import sys

from shared_resources.contracts.file_formats import OWN
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.formats.format_reader import reader_of
from shared_resources.landing.staged_object import ObjectToStage, StagedObject
from shared_resources.problems import MeshProblem


def main() -> None:
    """The other process: reads what is asked from its input, answers on its output."""
    of: ObjectToStage = pickle.load(sys.stdin.buffer)
    answer: StagedObject | tuple[str, str, str, str]
    try:
        answer = reader_of(of.landing.format).stage(of)
    except UnreadableObject as refusal:
        answer = (refusal.object_key, refusal.problem, refusal.remedy, refusal.place)
    except Exception as problem:
        if of.landing.format in OWN or isinstance(problem, MeshProblem):
            raise
        # Of another distribution's reader: its words may quote what the contract classifies.
        sys.exit(f"the reader of {of.landing.format.name} raised {type(problem).__name__}")
    sys.stdout.buffer.write(pickle.dumps(answer))
    sys.stdout.buffer.flush()
