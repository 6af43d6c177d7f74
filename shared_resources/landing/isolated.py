"""An object read in a process of its own, whose death is the object's refusal.

Belongs here: starting that process, and what comes back of it.
Does not belong here: when an object is read so (`reader.py`), or reading it.

A library may end its process at what a file holds: an assertion of C++, a bad address. A second of
start-up is too much for every object, so it is spent on those that are strange, or that a run took
before without an end.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from dataclasses import replace

from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.staged_object import ObjectToStage, StagedObject, remove_staged
from shared_resources.problems import MeshProblem

_START = "from shared_resources.landing.reader_process import main; main()"


class ReaderFailed(MeshProblem, RuntimeError):
    """The other process raised what is no refusal of the object; the message is its last line."""


def stage_apart(of: ObjectToStage) -> StagedObject:
    """`reader.stage_object` in another process; raises what it raises.

    A process that a signal ended raises `UnreadableObject`. Nothing of the object is left for this
    process to decode.
    """
    whole = replace(of, file=of.file.resolve(), folder=of.folder.resolve(), audit_follows=False)
    asked = pickle.dumps(whole)
    done = subprocess.run(
        [sys.executable, "-c", _START], input=asked, capture_output=True, check=False
    )
    if done.returncode < 0:
        remove_staged(of.folder, of.partition)
        name = signal.Signals(-done.returncode).name
        raise UnreadableObject(
            of.key,
            f"ends the process that reads it ({name})",
            "write it anew with a current library, and land that",
        )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ReaderFailed(f"{of.key}: {said[-1] if said else 'no answer'}")
    answer: StagedObject | tuple[str, str, str, str] = pickle.loads(done.stdout)
    if isinstance(answer, tuple):
        raise UnreadableObject(*answer)
    return answer
