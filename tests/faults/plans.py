"""Which request meets which fault.

Belongs here: plans, which are asked about every request, one at a time, in the order of arrival.
Does not belong here: doing it (`proxy.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from tests.faults.kinds import Kind, can_happen
from tests.faults.requests import Request, Service


class Plan(Protocol):
    def choose(self, request: Request) -> Kind | None: ...


class NoFaults:
    def choose(self, request: Request) -> Kind | None:
        return None


@dataclass
class NthRequest:
    """The `number`-th request (from 1) whose operation matches, and `times - 1` more of them.

    `matching` is a pattern of operations (`glue:*`, `snowflake:COPY`, `*`). Requests to which the
    kind cannot happen are not counted. `reached` tells whether there was such a request.
    """

    kind: Kind
    number: int
    matching: str = "*"
    times: int = 1
    where: Callable[[Request], bool] = lambda request: True
    reached: bool = False
    _seen: int = 0

    def choose(self, request: Request) -> Kind | None:
        if not fnmatchcase(request.operation, self.matching) or not self.where(request):
            return None
        if not can_happen(self.kind, request):
            return None
        self._seen += 1
        if not self.number <= self._seen < self.number + self.times:
            return None
        self.reached = True
        return self.kind


@dataclass
class AtRandom:
    """Each request with the probability, by the seed; now and then a service is out for longer.

    An outage lasts for `outage` requests of one service, so that clients run out of retries.
    """

    seed: int
    probability: float
    kinds: Sequence[Kind] = tuple(Kind)
    outages: float = 0.1  # of the faults
    outage: int = 12
    _out: dict[Service, tuple[Kind, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def choose(self, request: Request) -> Kind | None:
        kind, left = self._out.get(request.service, (None, 0))
        if kind is not None and left:
            self._out[request.service] = (kind, left - 1)
            return kind if can_happen(kind, request) else None
        if self._random.random() >= self.probability:
            return None
        possible = [kind for kind in self.kinds if can_happen(kind, request)]
        if not possible:
            return None
        kind = self._random.choice(possible)
        if self._random.random() < self.outages:
            self._out[request.service] = (kind, self.outage)
        return kind
