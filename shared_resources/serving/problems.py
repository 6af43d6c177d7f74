"""What can be wrong with serving, for people to read.

Belongs here: the problems that this room raises. Does not belong here: finding them.
"""

from __future__ import annotations

from shared_resources.problems import MeshProblem


class ServingProblem(MeshProblem):
    """Something of what is served cannot be started, found or stopped."""


class NotServing(ServingProblem):
    """The supervisor does not answer."""

    exit_code = 2


class AlreadyServing(ServingProblem):
    """A `mesh serve` runs over this state, and a second would run every schedule twice."""

    exit_code = 2


class AnotherDeploys(ServingProblem):
    """What is served on this machine is being changed by somebody else."""


class CannotServe(ServingProblem):
    """The machine or the settings do not allow it; the message says what to change."""

    exit_code = 2


class LoadFailed(ServingProblem):
    """A code server did not load its location: an error of the domain's code, a crash, a hang."""
