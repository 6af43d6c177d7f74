"""`python -m domains.source_systems`: land the real data, as the operational systems would.

Belongs here: the command line. Does not belong here: what is sent (`systems.py`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from domains.source_systems.objects import LandingWriter
from domains.source_systems.source import SourceMissing
from domains.source_systems.systems import SYSTEMS
from shared_resources import wiring
from shared_resources.environment import EnvironmentProblem
from shared_resources.landing.errors import LandingError
from shared_resources.landing.zones.folder import FolderLandingZone
from shared_resources.landing.zones.zone import LandingZone


def land(
    zone: LandingZone, days: int | None = None, products: Collection[str] = SYSTEMS.keys()
) -> dict[str, int]:
    """Put every object of the `products` into `zone`; the rows that each was sent.

    With `days`, only the first so many of what the systems send by the day or week.
    """
    landing = LandingWriter(zone, days)
    started = time.monotonic()
    sent: dict[str, int] = {}
    for number, product in enumerate(products, start=1):
        _progress(f"landing {number}/{len(products)} {product}")
        sent[product] = SYSTEMS[product](landing)
    _progress("")
    print(
        f"landed {sum(sent.values()):,} rows of {len(sent)} products in {zone}: "
        f"{landing.written} objects written, {landing.kept} unchanged "
        f"({time.monotonic() - started:.1f} s)",
        file=sys.stderr,
    )
    return sent


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 landed, 1 the source or the disk is at fault, 2 wrong use."""
    parser = argparse.ArgumentParser(prog="python -m domains.source_systems", description=__doc__)
    parser.add_argument(
        "--to", type=Path, metavar="DIR", help="the landing zone (default: the environment's)"
    )
    parser.add_argument(
        "--days", type=int, metavar="N", help="only the first N days of tills and promotions"
    )
    options = parser.parse_args(arguments)
    try:
        to = FolderLandingZone(options.to) if options.to else wiring.current().landing_zone
        land(to, options.days, SYSTEMS.keys())
    except (SourceMissing, OSError, LandingError, EnvironmentProblem) as error:
        print(f"nothing more was landed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
