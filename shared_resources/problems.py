"""The root of what the platform raises for people to read.

Belongs here: what every such exception has: a message, an exit code, perhaps a remedy by itself.
Does not belong here: any one of them: each stands where it is raised. What a module raises for its
own caller alone is no problem of people's, and no `MeshProblem`.
"""

from __future__ import annotations

from typing import ClassVar


class MeshProblem(Exception):
    """Something is wrong that a person can mend; the message says what, where, and what to do.

    `exit_code` is what a command ends with: 1, a rule or a run failed; 2, wrong use.
    """

    exit_code: ClassVar[int] = 1
    remedy: str = ""  # what to do, of those that also say it apart from their message
