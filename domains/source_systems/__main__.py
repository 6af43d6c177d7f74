"""`python -m domains.source_systems`: land the real data, as the operational systems would, or with
`replay` send receipts to a topic, as tills would.

Belongs here: the command line. Does not belong here: what is sent (`systems.py`, `replay.py`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Collection, Sequence
from datetime import date
from pathlib import Path

from domains.source_systems.objects import LandingWriter
from domains.source_systems.source import SourceMissing
from domains.source_systems.systems import SYSTEMS
from shared_resources import wiring
from shared_resources.environment import EnvironmentProblem
from shared_resources.landing.errors import LandingError
from shared_resources.landing.zones.folder import FolderLandingZone
from shared_resources.landing.zones.zone import LandingZone
from shared_resources.problems import MeshProblem
from shared_resources.streams.log.port import LogProblem

PARTITIONS = 4


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


def send(options: argparse.Namespace) -> None:
    """Replay receipts to the topic, which is made if there is none."""
    from domains.source_systems.replay import Lines, Pace, replay

    log = wiring.without_branch().log
    topic = log.topic(options.topic)
    if topic is None:
        log.create(options.topic, options.partitions)
    there = sum(topic.ends.values()) if topic is not None and options.go_on else 0
    lines = Lines(options.first, options.days, options.limit, options.household, there).read()
    started, sent = time.monotonic(), 0
    try:
        for sent in replay(log, options.topic, lines, Pace(options.speed, options.rate)):
            _progress(f"sent {sent:,} of {lines.height:,} lines of receipts to {options.topic}")
    finally:
        _progress("")
        seconds = time.monotonic() - started
        print(
            f"sent {sent:,} lines of receipts to {options.topic} in {log} ({seconds:.1f} s)",
            file=sys.stderr,
        )


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 done, 1 the source, the disk or the log is at fault, 2 wrong use."""
    options = _parser().parse_args(arguments)
    if options.command == "replay":
        return _replay(options)
    try:
        to = FolderLandingZone(options.to) if options.to else wiring.current().landing_zone
        land(to, options.days, SYSTEMS.keys())
        if options.live is not None:
            send(_parser().parse_args(["replay", "--continue", "--limit", str(options.live)]))
    except (SourceMissing, OSError, LandingError, LogProblem, EnvironmentProblem) as error:
        print(f"nothing more was landed: {error}", file=sys.stderr)
        return 1
    return 0


def _replay(options: argparse.Namespace) -> int:
    try:
        send(options)
    except (SourceMissing, OSError, MeshProblem) as error:
        print(f"nothing more was sent: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, MeshProblem) else 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m domains.source_systems", description=__doc__)
    parser.add_argument(
        "--to", type=Path, metavar="DIR", help="the landing zone (default: the environment's)"
    )
    parser.add_argument(
        "--days", type=int, metavar="N", help="only the first N days of tills and promotions"
    )
    parser.add_argument(
        "--live",
        type=_positive(int),
        metavar="N",
        help="then send the next N lines of receipts, as `replay --continue --limit N` does",
    )
    commands = parser.add_subparsers(dest="command", metavar="replay")
    live = commands.add_parser(
        "replay",
        help="send receipts to a topic, as tills would",
        description="Send the lines of receipts to a topic in order of time, each with its own moment.",
        epilog="Example: python -m domains.source_systems replay --from 2017-12-01 --days 7 --speed 3600",
    )
    live.add_argument(
        "--topic", default="purchases", help="made if there is none (default: %(default)s)"
    )
    live.add_argument(
        "--partitions", type=_positive(int), default=PARTITIONS, help="of a topic that is made"
    )
    live.add_argument(
        "--from",
        dest="first",
        type=date.fromisoformat,
        metavar="DAY",
        help="the first day (2017-01-01)",
    )
    live.add_argument(
        "--continue",
        dest="go_on",
        action="store_true",
        help="begin after as many lines as the topic has ever had: a till sends none twice",
    )
    many = live.add_mutually_exclusive_group()
    many.add_argument("--days", type=_positive(int), metavar="N", help="so many days")
    many.add_argument("--limit", type=_positive(int), metavar="N", help="so many lines")
    live.add_argument("--household", type=int, metavar="ID", help="of this household alone")
    pace = live.add_mutually_exclusive_group()
    pace.add_argument(
        "--speed", type=_positive(float), metavar="FACTOR", help="so many times as fast as it was"
    )
    pace.add_argument(
        "--rate", type=_positive(float), metavar="PER_SECOND", help="so many lines a second"
    )
    return parser


def _positive(number: type[int] | type[float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = number(text)
        if not 0 < value < float("inf"):
            raise ValueError
        return value

    read.__name__ = "number above 0"  # as argparse says what was expected
    return read


if __name__ == "__main__":
    sys.exit(main())
