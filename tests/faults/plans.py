"""Which request meets which fault.

Belongs here: plans, which are asked about every request, one at a time, in the order of arrival,
and what goes through all requests of an operation.
Does not belong here: doing it (`proxy.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from tests import nightly
from tests.faults.kinds import Kind, can_happen
from tests.faults.requests import Request, Service

FOR_EVER = 1_000_000
# One of each sort: unknown outcome, tried again by nobody, at once, for ever.
SOME_FAULTS = [
    (Kind.CUT_AFTER, 1),
    (Kind.CUT_ANSWER, 1),
    (Kind.EXPIRED, 1),
    (Kind.SLOW_DOWN, FOR_EVER),
]
# At night these meet every request, and of the others each meets every fifth one; usually they meet
# half as many. Each kind begins at another one.
THOROUGH = (Kind.CUT_AFTER, Kind.CUT_ANSWER)


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


def each_request(kind: Kind, times: int, step: int = 1) -> Iterator[NthRequest]:
    """A plan for each request of what is done in the loop, until it makes no more requests.

    With a step, for the first one and then for every `step`-th, other ones for each kind.
    """
    plan = NthRequest(kind, 1, times=times)
    yield plan
    number = 2 + list(Kind).index(kind) % step
    while plan.reached:
        plan = NthRequest(kind, number, times=times)
        yield plan
        number += step


def some_requests(kind: Kind, times: int) -> Iterator[NthRequest]:
    """The same for what is costly."""
    fewer = nightly.times(usually=6, nightly=1)
    return each_request(kind, times, step=fewer if kind in THOROUGH else 5 * fewer)
