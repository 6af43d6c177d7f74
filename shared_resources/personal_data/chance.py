"""Whether so many values that pass a check can be chance.

Belongs here: the one test, of how many passed beside how many would.
Does not belong here: the checks (`validating.py`) and how often each is passed by chance (`numbers.py`).
"""

from __future__ import annotations

from math import exp, lgamma, log

# How rarely chance may do it before something is said: of all columns of a large mesh, asked daily, none.
SELDOM = 1e-9
# Where a layout tells most of what is none before the check does: and where the column's other values
# say that it is about something else.
ONCE, RARE = 0.11, 1e-3  # one match of one that a tenth would pass is no chance yet


def by_chance(passed: int, among: int, each: float) -> float:
    """How probable it is that at least `passed` of `among` values pass a check that each of them passes
    by chance with the probability `each`."""
    if passed <= 0 or each >= 1:
        return 1.0
    # By logarithms: the numbers of ways are larger than a float.
    ways = (lgamma(among + 1) - lgamma(n + 1) - lgamma(among - n + 1) for n in range(among + 1))
    each_log, other_log = log(each), log(1 - each)
    terms = (
        exp(way + n * each_log + (among - n) * other_log)
        for n, way in enumerate(ways)
        if n >= passed
    )
    return min(1.0, sum(terms))
