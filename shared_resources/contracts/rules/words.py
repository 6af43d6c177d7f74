"""What is said of a rule's result to people: one sentence.

Belongs here: wording that kinds share, and the sentence around what a kind says of failing rows.
Does not belong here: deciding anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_resources.contracts.model import Rule, Threshold, Unit
from shared_resources.contracts.numbers import Number, percent, shown


def rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def share(failed: int, of: int) -> str:
    """`12 of 3,000 rows (0.4 %)`."""
    part = f"{100.0 * failed / of if of else 0.0:.4f}".rstrip("0").rstrip(".")
    if failed and part == "0":
        part = "below 0.0001"
    return f"{failed:,} of {rows(of)} ({part} %)"


def row_level(rule: Rule, failing: str, failed: int, of: int, passed: bool) -> str:
    """`failing` is what the failing rows do: `have no price`."""
    if not failed and passed:
        return f"all {rows(of)} pass" if of else "there is no row to check"
    said = f"{share(failed, of)} {failing}"
    if rule.threshold == Threshold():
        return said
    verdict = "as the contract allows" if passed else "the contract says"
    return f"{said}; {verdict}: {rule.threshold}" + (f" ({rule.reason})" if rule.reason else "")


def number(
    rule: Rule, subject: str, limit: str, value: Number | float, of: int, passed: bool
) -> str:
    """The result of a rule that measures a number which is no count of failing rows."""
    said = subject
    if rule.threshold.unit is Unit.PERCENT:
        said += f", {float(percent(value, of)):.4g} % of {rows(of)}"
    verdict = "as the contract wants" if passed else "the contract says"
    return f"{said}; {verdict}: {limit}"


def amount(value: Number | float) -> str:
    return shown(value, thousands=True)


def not_checked(reason: str) -> str:
    return f"not checked: {reason}"


def range_of(arguments: Mapping[str, Any]) -> str:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    said = [
        f"{word} {arguments[key]}" for key, word in words.items() if arguments.get(key) is not None
    ]
    return " and ".join(said)


def listed(values: Any) -> str:
    given = [repr(value) if isinstance(value, str) else str(value) for value in values]
    return ", ".join(given[:8]) + (f" and {len(given) - 8} more" if len(given) > 8 else "")
