"""Numbers of persons: told by a column of them, whole values with check digits.

Belongs here: the decision over a column's distinct values.
Does not belong here: the kinds (`number_kinds.py`), their checks (`validating.py`), reading the values
(`searching.py`).

One random number of nine digits in eleven passes the check of a Dutch BSN, so one value tells nothing. A
column counts when nearly all of its distinct values in a layout pass, and so many that chance does not do
it; where its name says what it holds, when half of them do. Numbers without check digits, and those whose
check other numbers pass as well (an ISBN passes the NHS number's), count by the column's name alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice

from shared_resources.personal_data.chance import SELDOM, by_chance
from shared_resources.personal_data.number_kinds import KINDS, NATIONAL, NumberKind
from shared_resources.personal_data.validating import is_valid

# Of the distinct values in the layout: by the values alone, and where the column's name says it.
NEARLY_ALL = 0.9
HALF = 0.5
# As integers, those of nine digits that began with two zeros; a shorter number is nobody's.
SHORTEST_OF_A_PERSON = 10**6
# So many may have been lost.
_LEADING_ZEROS = 2
# So many are tried before the others: of ten of which nine in ten would pass, fewer than half never do.
TRIED_FIRST = 10
TRIED_AT_ALL = 4


def kinds_in(values: Sequence[str], column: str, *, integers: bool) -> Iterator[NumberKind]:
    """The kinds that a column of these distinct values holds. Of integers, `values` are their digits."""
    found = {kind.validator: (kind, hinted) for kind, hinted in _held(values, column, integers)}
    for kind, hinted in found.values():
        # What passes the narrower check as well is called by that, unless the name says otherwise.
        if hinted or not any(narrower in found for narrower in kind.unless):
            yield kind


def _held(values: Sequence[str], column: str, integers: bool) -> Iterator[tuple[NumberKind, bool]]:
    """The kinds whose check so many values pass, each with whether the column's name says it."""
    # Most columns of numbers have digits alone, and no kind of another width is asked then.
    widths = {len(value) for value in values if value.isdigit()}
    digits_alone = all(value.isdigit() for value in values)
    for kind, hinted in _asked(column, integers=integers):
        if digits_alone and not _has_width(kind, widths, integers=integers):
            continue
        wanted = HALF if hinted else NEARLY_ALL
        # What is none is told by few: of most columns no more than these are looked at.
        first = list(islice(_candidates(kind, values, integers=integers), TRIED_FIRST))
        if not _passing(kind, first[:TRIED_AT_ALL]) and not 0 < len(first) <= TRIED_AT_ALL:
            continue
        if _passing(kind, first) < HALF * wanted * len(first):
            continue
        candidates = list(_candidates(kind, values, integers=integers))
        passed = _passing(kind, candidates)
        if passed < wanted * len(candidates):
            continue
        if hinted or by_chance(passed, len(candidates), kind.chance) <= SELDOM:
            yield kind, hinted


def _has_width(kind: NumberKind, widths: Iterable[int], *, integers: bool) -> bool:
    lost = _LEADING_ZEROS if integers else 0
    return any(own - lost <= width <= own for own in kind.digits for width in widths)


@cache
def _asked(column: str, *, integers: bool) -> tuple[tuple[NumberKind, bool], ...]:
    """The kinds that a column of the name may hold, each with whether its name says so."""
    named = [(kind, bool(re.search(kind.called, column, re.IGNORECASE))) for kind in KINDS]
    national = bool(re.search(NATIONAL, column, re.IGNORECASE))
    return tuple(
        (kind, called or national)
        for kind, called in named
        if (called or not kind.by_name_only) and (kind.digits or not integers)
    )


def _passing(kind: NumberKind, values: Iterable[str]) -> int:
    return sum(is_valid(kind.validator, value) for value in values)


def _candidates(kind: NumberKind, values: Iterable[str], *, integers: bool) -> Iterator[str]:
    if integers:
        return (padded for value in values for padded in _padded(value, kind))
    layout = re.compile(kind.pattern)
    return (value for value in values if layout.fullmatch(value))


def _padded(value: str, kind: NumberKind) -> Iterator[str]:
    """As it was before it became an integer: up to two leading zeros are put back."""
    for width in kind.digits:
        if width - _LEADING_ZEROS <= len(value) <= width:
            padded = value.zfill(width)
            if re.fullmatch(kind.pattern, padded):
                yield padded
                return
