"""The refusals of the landing zone.

Belongs here: the exceptions that its other modules raise; each message names the object, the place
in it and what to do.
Does not belong here: rows that cannot be read, which are no exception but data (`rejects.py`).
"""

from __future__ import annotations

from shared_resources.problems import MeshProblem


class LandingError(MeshProblem):
    """Something in the landing zone cannot be used. The object is kept where it is."""


class UnreadableObject(LandingError):
    """An object that is not what its contract says it is, as a whole.

    `object_key` is the object; `place` where in it (`line 7`, `column "price"`), or ``""``.
    """

    def __init__(self, object_key: str, problem: str, remedy: str, place: str = "") -> None:
        self.object_key = object_key
        self.place = place
        self.problem = problem
        self.remedy = remedy
        where = f"{object_key}, {place}" if place else object_key
        super().__init__(f"{where}: {problem}; {remedy}.")


class ObjectChanged(LandingError):
    """The object was replaced or removed each time that it was read."""


class RefusedKey(LandingError):
    """A key or a link that leads out of the landing zone, or a name that nobody can write down."""


class RefusedObject(LandingError):
    """An object that the zone does not let the platform look at, while it tells of others."""
