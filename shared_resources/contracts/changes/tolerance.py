"""Thresholds as sets of numbers: whether one lets through nothing that another does not.

Belongs here: comparing two thresholds.
Does not belong here: what a threshold is (`model.py`), rules (`rules.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from shared_resources.contracts.model import Operator, Threshold, Unit

_Bound = Fraction | float  # a float is an infinity


@dataclass(frozen=True)
class _Span:
    """The numbers between two; those of an open end are not in it."""

    low: _Bound
    high: _Bound
    low_open: bool = False
    high_open: bool = False

    @property
    def is_empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def within(self, other: _Span) -> bool:
        from_below = self.low > other.low or (
            self.low == other.low and (self.low_open or not other.low_open)
        )
        to_above = self.high < other.high or (
            self.high == other.high and (self.high_open or not other.high_open)
        )
        return from_below and to_above


def is_as_strict(now: Threshold, was: Threshold, *, counts: bool) -> bool:
    """Whether every number that `now` lets through, `was` let through, too.

    `counts`: the numbers count rows: whole ones from zero, or percent up to a hundred.
    """
    if not _comparable(now, was, counts):
        return False
    spans = _spans(was, counts)
    return all(any(one.within(span) for span in spans) for one in _spans(now, counts))


def is_as_strict_of_more(now: Threshold, was: Threshold) -> bool:
    """The same of rules of which the later one counts at least the rows that the earlier one did.

    Then a number that passes now says of the earlier one only that it is no larger.
    """
    last = max(_spans(now, True), key=lambda span: (span.high, not span.high_open), default=None)
    if last is None:
        return True  # nothing passes it
    below = _Span(Fraction(0), last.high, False, last.high_open)
    return _comparable(now, was, True) and any(below.within(span) for span in _spans(was, True))


def _comparable(now: Threshold, was: Threshold, counts: bool) -> bool:
    """Of the same unit; no rows are no percent of them, whatever the unit was."""
    none = _Span(Fraction(0), Fraction(0))
    return now.unit is was.unit or all(span == none for span in _spans(now, counts))


def _spans(threshold: Threshold, counts: bool) -> list[_Span]:
    low, high = Fraction(threshold.bounds[0]), Fraction(threshold.bounds[-1])
    match threshold.operator:
        case Operator.MUST_BE:
            found = [_Span(low, low)]
        case Operator.MUST_NOT_BE:
            found = [_below(low, open_=True), _above(low, open_=True)]
        case Operator.GREATER_THAN:
            found = [_above(low, open_=True)]
        case Operator.GREATER_OR_EQUAL:
            found = [_above(low)]
        case Operator.LESS_THAN:
            found = [_below(low, open_=True)]
        case Operator.LESS_OR_EQUAL:
            found = [_below(low)]
        case Operator.BETWEEN:
            found = [_Span(low, high)]
        case Operator.NOT_BETWEEN:
            found = [_below(low, open_=True), _above(high, open_=True)]
    if counts:
        in_rows = threshold.unit is Unit.ROWS
        found = [_whole(span) if in_rows else _share(span) for span in found]
    return [span for span in found if not span.is_empty]


def _below(high: Fraction, *, open_: bool = False) -> _Span:
    return _Span(-math.inf, high, True, open_)


def _above(low: Fraction, *, open_: bool = False) -> _Span:
    return _Span(low, math.inf, open_, True)


def _whole(span: _Span) -> _Span:
    """The whole numbers from zero in it, between two that are in it: rows are counted."""
    low, high = span.low, span.high
    if isinstance(low, Fraction):
        low = Fraction(math.floor(low) + 1 if span.low_open else math.ceil(low))
    if isinstance(high, Fraction):
        high = Fraction(math.ceil(high) - 1 if span.high_open else math.floor(high))
    return _Span(max(low, Fraction(0)), high, False, high == math.inf)


def _share(span: _Span) -> _Span:
    """What of it lies between none and all rows."""
    none, all_ = Fraction(0), Fraction(100)
    low = (span.low, span.low_open) if span.low >= none else (none, False)
    high = (span.high, span.high_open) if span.high <= all_ else (all_, False)
    return _Span(low[0], high[0], low[1], high[1])
