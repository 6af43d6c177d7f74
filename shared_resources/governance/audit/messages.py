"""What an audit says to people: one sentence a result.

Belongs here: wording.
Does not belong here: deciding anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_resources.contracts.model import Contract, Rule, RuleKind, Threshold, Unit
from shared_resources.contracts.numbers import Number, percent, shown
from shared_resources.wording import a


def rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def share(failed: int, of: int) -> str:
    """`12 of 3,000 rows (0.4 %)`."""
    part = f"{100.0 * failed / of if of else 0.0:.4f}".rstrip("0").rstrip(".")
    if failed and part == "0":
        part = "below 0.0001"
    return f"{failed:,} of {rows(of)} ({part} %)"


def row_level(rule: Rule, contract: Contract, failed: int, of: int, passed: bool) -> str:
    if not failed and passed:
        return f"all {rows(of)} pass" if of else "there is no row to check"
    said = f"{share(failed, of)} {_failing(rule, contract)}"
    if rule.threshold == Threshold():
        return said
    verdict = "as the contract allows" if passed else "the contract says"
    return f"{said}; {verdict}: {rule.threshold}" + (f" ({rule.reason})" if rule.reason else "")


def number(rule: Rule, value: Number | float, of: int, passed: bool) -> str:
    """The result of a rule that measures a number which is no count of failing rows."""
    subject = "the batch has" if rule.kind is RuleKind.ROW_COUNT else "the query answers"
    unit = " rows" if rule.kind is RuleKind.ROW_COUNT else ""
    said = f"{subject} {shown(value, thousands=True)}{unit}"
    if rule.threshold.unit is Unit.PERCENT:
        said += f", {float(percent(value, of)):.4g} % of {rows(of)}"
    verdict = "as the contract wants" if passed else "the contract says"
    return f"{said}; {verdict}: {limit(rule)}"


def limit(rule: Rule) -> str:
    """The threshold without the word `rows`, which a query's number does not count."""
    text = str(rule.threshold)
    return text.removesuffix(" rows") if rule.kind is RuleKind.SQL else text


def not_checked(reason: str) -> str:
    return f"not checked: {reason}"


def _failing(rule: Rule, contract: Contract) -> str:
    column = ", ".join(rule.columns)
    arguments = rule.arguments
    match rule.kind:
        case RuleKind.REQUIRED | RuleKind.NULL_VALUES:
            return f"have no {column}"
        case RuleKind.UNIQUE | RuleKind.DUPLICATE_VALUES:
            within = " in its partition" if contract.partitioning is not None else ""
            return f"share their {column} with another row{within}"
        case RuleKind.ENUMERATION:
            return f"have {a(column)} other than {_listed(arguments['values'])}"
        case RuleKind.PATTERN if "format" in arguments:
            return f"have {a(column)} that is not written as {arguments['format']}"
        case RuleKind.PATTERN:
            return f"have {a(column)} that does not match {arguments['pattern']}"
        case RuleKind.RANGE:
            return f"have {a(column)} outside {_range(arguments)}"
        case RuleKind.LENGTH:
            low, high = arguments.get("minLength"), arguments.get("maxLength")
            bounds = [f"at least {low}"] if low is not None else []
            bounds += [f"at most {high}"] if high is not None else []
            return f"have {a(column)} whose length is not {' and '.join(bounds)} characters"
        case RuleKind.MULTIPLE_OF:
            return f"have {a(column)} that is no multiple of {arguments['multipleOf']}"
        case RuleKind.MISSING_VALUES:
            return f"have {a(column)} that counts as missing: {_listed(arguments['missingValues'])}"
        case RuleKind.INVALID_VALUES:
            return f"have an invalid {column}"
        case RuleKind.RELATIONSHIP:
            return f"have {a(column)} that {arguments['product']} does not have"
        case RuleKind.PARTITION:
            partitioned = contract.partitioning
            return (
                f"have {a(partitioned.column if partitioned else column)} outside their partition"
            )
        case RuleKind.PARSE:
            return "could not be read as the contract's types"
        case RuleKind.PERSONAL_DATA:
            names = ", ".join(str(pattern["name"]) for pattern in arguments["predicate_patterns"])
            return f"have what looks like personal data ({names}) in {column}"
    return "fail"


def _range(arguments: Mapping[str, Any]) -> str:
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


def _listed(values: Any) -> str:
    given = [repr(value) if isinstance(value, str) else str(value) for value in values]
    return ", ".join(given[:8]) + (f" and {len(given) - 8} more" if len(given) > 8 else "")
