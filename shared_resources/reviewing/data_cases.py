"""What a change does to the data of a domain, told as cases.

Belongs here: words and places for what a trial found.
Does not belong here: making the products (`trials.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict

from shared_resources.findings import Finding
from shared_resources.mesh import Mesh, ProductFolder
from shared_resources.mesh.inputs_first import inputs_first
from shared_resources.reviewing.cases import Case, Kind, Outcome
from shared_resources.reviewing.trials import Became, Changed, Trial, Tried

RULE = "trial"


def of_domains(mesh: Mesh, names: Collection[str], trial: Trial) -> dict[str, list[Case]]:
    """By domain a case for each of their products that has a valid contract; and, where what is made
    can be read, for each that reads one, and so on, whose files are here.
    """
    there = {one.key: one for domain in mesh.own_domains for one, _ in domain.contracts}
    chosen = {key for key, one in there.items() if one.domain in names}
    if trial.makes_consumers:
        waiting = list(chosen)
        while waiting:
            reading = {one.key for one in mesh.consumers(waiting.pop())} & there.keys() - chosen
            chosen |= reading
            waiting += reading
    reads = {one.key: one.reads for one in mesh.products}
    ordered = inputs_first(chosen, reads) if trial.makes_consumers else sorted(chosen)
    found: dict[str, list[Case]] = {}
    for tried in trial.of(ordered):
        product = there[tried.product]
        found.setdefault(product.domain, []).append(_case(product, tried))
    return found


def _case(product: ProductFolder, tried: Tried) -> Case:
    facts: dict[str, object] = {
        "became": tried.became.value,
        "partitions": list(tried.partitions),
        "sampled": tried.sampled,
        "branch": tried.branch or None,
        "publishable": tried.publishable,
        "quarantined": tried.quarantined,
        "broken": [asdict(one) for one in tried.broken],
        "changes": None if tried.changed is None else asdict(tried.changed),
    }
    outcome, said = _outcome(tried), _said(tried)
    findings = tuple(_findings(product, tried, said))
    return Case(Kind.DATA, tried.product, outcome, said, findings, facts, tried.seconds)


def _outcome(tried: Tried) -> Outcome:
    match tried.became:
        case Became.LEFT_OUT:
            return Outcome.SKIPPED
        case Became.MADE:
            return Outcome.WARNING if tried.broken or tried.quarantined else Outcome.PASSED
        case _:
            return Outcome.FAILED


def _said(tried: Tried) -> str:
    of = f" of {', '.join(tried.partitions)}" if tried.partitions else ""
    match tried.became:
        case Became.LEFT_OUT:
            return f"{tried.product} was not made: {tried.why}"
        case Became.FAILED:
            return f"{tried.product} fails: {tried.why}"
        case Became.REFUSED:
            return f"{tried.product}{of} would be refused: {tried.why}"
        case Became.MADE:
            said = f"{tried.product}{of}: {tried.publishable:,} rows would be published"
            if tried.quarantined:
                said += f", {tried.quarantined:,} would go to quarantine"
            if tried.branch:
                said += f", and are in branch {tried.branch}"
            if tried.sampled:
                said += ", made from a sample"
            return said + (f"; {in_words(tried.changed)}" if tried.changed else "; none are yet")


def in_words(changed: Changed) -> str:
    """What readers would see changed, in a sentence."""
    against = f"against version {changed.version}"
    if not (changed.added or changed.gone or changed.changed):
        said = f"no row differs {against}"
    else:
        said = (
            f"{changed.added:,} rows added, {changed.gone:,} gone, {changed.changed:,} changed "
            f"{against}"
        )
    if changed.columns:
        said += " (" + ", ".join(f"{c}: {rows:,}" for c, rows in changed.columns.items()) + ")"
    for what, names in (
        ("new columns", changed.new_columns),
        ("columns gone", changed.gone_columns),
        ("columns of another type", changed.retyped_columns),
    ):
        if names:
            said += f"; {what}: {', '.join(names)}"
    return said


def _findings(product: ProductFolder, tried: Tried, said: str) -> Iterator[Finding]:
    file, key = product.contract_file, tried.product
    for one in tried.broken:
        rows = f" ({one.rows:,} rows)" if one.rows else ""
        message = f"{key}: {one.message}{rows}"
        remedy = f"`mesh test {key}` shows the rows; mend the product, or the contract"
        yield Finding(file, one.line, one.rule, message, remedy)
    if tried.became is Became.FAILED:
        yield Finding(file, 0, RULE, said, f"`mesh test {key}` makes it again, and says it whole")
