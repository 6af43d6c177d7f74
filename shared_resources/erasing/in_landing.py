"""A subject's rows in the landing zone.

Belongs here: which objects a product's contract means, putting each in its own place without the
rows, and telling the ledger that nothing new arrived.
Does not belong here: a file without the rows (`rewritten_objects.py`), the zone (`landing/zones/`).

Objects are replaced oldest first, so that the newest extract stays the newest where a bucket gives
the time. Who dies between an object and the ledger leaves an object that looks new: it is ingested
again, and gives what is published without the subject.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.environment import Environment
from shared_resources.erasing.rewritten_objects import NotRewritable, may_hold, rewrite
from shared_resources.erasing.subjects import Known, Subjects, columns_by_landed_name
from shared_resources.landing.errors import LandingError
from shared_resources.landing.zones.zone import PAGE_KEYS, LandingObject


@dataclass(frozen=True)
class InObject:
    """`rows` left the object `key`. `problem` says why the object could not be rewritten, if so."""

    key: str
    rows: int = 0
    problem: str = ""


def objects_of(environment: Environment, known: Known) -> list[LandingObject]:
    """Everything below the product's prefix, what its contract does not mean among it; oldest first."""
    landing = known.contract.landing
    if landing is None:
        return []
    found: list[LandingObject] = []
    after, more = "", True
    while more:
        page = environment.landing_zone.page(landing.prefix, after, PAGE_KEYS)
        found += page.objects
        after, more = (page.names[-1] if page.names else after), page.more and bool(page.names)
    return sorted(found, key=lambda obj: (obj.modified_at, obj.key))


def _nobody(_: InObject) -> None:
    """Nobody is told."""


def erase_in_landing(
    environment: Environment,
    known: Known,
    who: Subjects,
    *,
    dry_run: bool = False,
    about_to: Callable[[InObject], None] = _nobody,
) -> Iterator[InObject]:
    """Rewrite every object that holds their rows; one `InObject` for each, and for what resists.

    `about_to` is told of each before it is replaced: afterwards nothing shows that it was.
    """
    landing = known.contract.landing
    if landing is None:
        return
    columns = columns_by_landed_name(known)
    for obj in objects_of(environment, known):
        with tempfile.TemporaryDirectory(prefix="mesh-erase-") as folder:
            file, rest = Path(folder) / "object", Path(folder) / "rest"
            try:
                fetched = environment.landing_zone.fetch(obj, file)
                rows = rewrite(file, obj.key, landing, columns, who, rest)
            except NotRewritable as problem:
                if may_hold(file, obj.key, landing.encoding, who):
                    yield InObject(obj.key, problem=f"{problem}, and may hold them")
                continue
            except LandingError as problem:
                yield InObject(obj.key, problem=str(problem))
                continue
            try:
                if rows and not dry_run:
                    about_to(InObject(obj.key, rows))
                if rows and not dry_run and not _replace(environment, known, fetched, rest):
                    yield InObject(obj.key, problem="somebody replaced it meanwhile")
                elif rows:
                    yield InObject(obj.key, rows)
            except LandingError as problem:
                yield InObject(obj.key, problem=str(problem))
            except OSError as problem:  # a full disk, a zone that may only be read
                why = problem.strerror or type(problem).__name__
                yield InObject(obj.key, problem=f"it could not be written ({why})")


def _replace(environment: Environment, known: Known, obj: LandingObject, file: Path) -> bool:
    replaced = environment.landing_zone.replace(obj, file)
    if replaced is None:
        return False
    Ledger(environment.state, known.contract.key).took_the_place(obj, replaced)
    return True
