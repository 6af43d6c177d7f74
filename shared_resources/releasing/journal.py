"""What a deployment that is under way would have to undo, on disk before it does it.

Belongs here: noting it, and finding what a deployment that died left behind.
Does not belong here: doing or undoing any of it (`deploying.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared_resources.problems import MeshProblem
from shared_resources.registry.registry import Entry
from shared_resources.state.whole_file import write_whole


class JournalUnreadable(MeshProblem):
    """A deployment died, and what it had begun cannot be read."""


@dataclass(frozen=True)
class Begun:
    """`before` is each domain's entry in force when it began, `after` the one that it registers,
    `served` the release that was served."""

    before: Mapping[str, Entry | None]
    after: Mapping[str, Entry]
    served: Mapping[str, str | None]


@dataclass(frozen=True)
class Journal:
    """In `file`, which is there while a deployment is under way."""

    file: Path

    def begin(self, begun: Begun) -> None:
        said = {
            "before": {name: one and one.as_json() for name, one in begun.before.items()},
            "after": {name: one.as_json() for name, one in begun.after.items()},
            "served": dict(begun.served),
        }
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.file, json.dumps(said, indent=1).encode())

    def end(self) -> None:
        self.file.unlink(missing_ok=True)

    def left(self) -> Begun | None:
        """What a deployment that is no more had begun. Raises `JournalUnreadable`."""
        try:
            said = json.loads(self.file.read_bytes())
            return Begun(
                {name: one and Entry.from_json(one) for name, one in said["before"].items()},
                {name: Entry.from_json(one) for name, one in said["after"].items()},
                {name: one and str(one) for name, one in said["served"].items()},
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise JournalUnreadable(
                f"{self.file} does not say what a deployment had begun ({problem}); see what is "
                "deployed (`mesh deploy --list`), remove the file and deploy again"
            ) from problem
