"""`mesh audit`: a contract's rules on a file, without Dagster: for a producer's own CI.

Belongs here: staging the file privately, auditing it, and showing the report.
Does not belong here: the audit itself (`governance/audit/audit.py`), reading files (`landing/`).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.contracts.file_formats import all_endings, format_of
from shared_resources.contracts.model import Contract, Landing, Rule
from shared_resources.contracts.rules.batch.parse import KIND as PARSE
from shared_resources.contracts.rules.kind import OwnKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.governance.audit.report import AuditReport
from shared_resources.landing.errors import UnreadableObject

if TYPE_CHECKING:
    from shared_resources.stores.protocol import StagedBatch

_PARSE = Rule(
    "parse", PARSE.name, (), clause="schema", dimension="conformity",
    description="every cell of the file is a value of its column's type",
)  # fmt: skip


@click.command(epilog="Example: mesh audit contract.odcs.yaml --data extract.csv --json")
@click.argument("contract", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="CSV, JSON lines (also .gz and .zst) or Parquet.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def audit(contract: Path, data: Path, as_json: bool) -> None:
    """Check FILE against CONTRACT and the central policies; exit 1 when a blocking rule fails."""
    from shared_resources.contracts.odcs import read_contract

    read = _with_landing(read_contract(contract), data)
    try:
        judged = _audit_file(read, contract.resolve().parent, data)
    except UnreadableObject as problem:
        if as_json:
            print_json({"product": read.key, "publishable": False, "unreadable": str(problem)})
        say(f"mesh: {problem}", err=True)
        sys.exit(1)
    if as_json:
        print_json(judged.as_json())
    else:
        _show(judged)
    sys.exit(0 if judged.publishable else 1)


@dataclass(frozen=True)
class _Judged:
    """`rows_lost` are rows that would go to quarantine within the contract's loss budget."""

    report: AuditReport
    unchecked: tuple[Rule, ...]
    rows_lost: int | None = None

    @property
    def publishable(self) -> bool:
        return self.report.passed or self.rows_lost is not None

    @property
    def verdict(self) -> str:
        if self.rows_lost is not None:
            return f"would be published without {self.rows_lost:,} rows, which go to quarantine"
        return "would be published" if self.report.passed else "would be refused"

    def as_json(self) -> dict[str, object]:
        return {
            **self.report.as_json(),
            "publishable": self.publishable,
            "rows_lost": self.rows_lost or 0,
            "not_checked": [rule.name for rule in self.unchecked],
        }


def _with_landing(contract: Contract, data: Path) -> Contract:
    """The contract reading `data` as its landing says; by its name where that says another format.

    A producer may try an extract as Parquet that lands as CSV. What no format is known by (`.txt`,
    `.tsv`, nothing) is what the contract lands.
    """
    form = format_of(data)
    landing = contract.landing
    if landing is None and form is None:
        raise click.BadParameter(
            f"{data} ends in none of {', '.join(all_endings())}, and {contract.path} has no landing that "
            "names a format",
            param_hint="--data",
        )
    if form is not None and (landing is None or landing.format != form):
        landing = Landing(prefix=contract.key, format=form, object_name=data.name)
    rules = contract.rules
    if not any(rule.kind == PARSE.name for rule in rules):
        # What is made by code is not parsed; this file is, and what cannot be read of it counts.
        rules = (*rules, _PARSE)
    return replace(contract, landing=landing, rules=rules)


def _audit_file(contract: Contract, folder: Path, data: Path) -> _Judged:
    from shared_resources.cli.arrow_alone import import_arrow_alone

    _prepare_queries(contract.rules)
    landing = contract.landing
    # A Parquet file's footer is proven with them.
    import_arrow_alone(functions=landing is not None and landing.format.name == "parquet")

    from shared_resources.governance.audit.audit import audit as run_audit
    from shared_resources.governance.audit.engine.connection import UnreadableBatch
    from shared_resources.governance.audit.engine.staged_data import StagedData
    from shared_resources.governance.catalogue import data_time_rules
    from shared_resources.landing.reader import stage_object
    from shared_resources.stores.protocol import StagedBatch

    rules = (*contract.rules, *data_time_rules(contract))
    unchecked = tuple(rule for rule in rules if not kind_of(rule).of_one_file)
    checked = [rule for rule in rules if rule not in unchecked]
    _use_memory_again()
    with unchanged(data), tempfile.TemporaryDirectory(prefix="mesh-audit-") as temporary:
        into = Path(temporary)
        staged = stage_object(contract, data, str(data), into, audit_follows=True, in_place=True)
        batch = StagedBatch(
            product=contract.key,
            batch_id="audit",
            folder=into,
            files=staged.files,
            rejects=staged.rejects,
            rejected_rows=staged.rejected_rows,
        )
        try:
            report = run_audit(StagedData(batch), contract, rules=checked, folder=folder)
        except UnreadableBatch as problem:
            from shared_resources.landing.formats.parquet.pages import refused_by_audit

            raise refused_by_audit(str(data), problem.said) from problem
        return _Judged(report, unchecked, _rows_lost(contract, batch, report, checked, folder))


def _prepare_queries(rules: Sequence[Rule]) -> None:
    """The process for a domain's own queries, forked before anything starts a thread."""
    own = [kind for kind in map(kind_of, rules) if isinstance(kind, OwnKind)]
    if own and not any(kind.python for kind in own):
        from shared_resources.governance.audit.domain_rules.process.client import prepare_at_once

        prepare_at_once()


def _use_memory_again() -> None:
    """Where Arrow has it, what keeps freed memory for the next batch, instead of giving it back.

    By default it is given back, and had anew page by page: a tenth of an audit's time, and a third
    more memory at its peak.
    """
    import pyarrow as pa

    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())


@contextmanager
def unchanged(data: Path) -> Iterator[None]:
    """What is said of the file is said of one file, which it still is: it was read in place."""
    before = _identity(data)
    try:
        yield
    except UnreadableObject as problem:
        if _identity(data) == before:
            raise
        raise _changed(data) from problem
    if _identity(data) != before:
        raise _changed(data)


def _identity(data: Path) -> tuple[int, ...]:
    try:
        found = data.stat()
    except FileNotFoundError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _changed(data: Path) -> UnreadableObject:
    return UnreadableObject(
        str(data), "was changed while it was audited", "audit it again when nobody writes it"
    )


def _rows_lost(
    contract: Contract,
    batch: StagedBatch,
    report: AuditReport,
    rules: Sequence[Rule],
    folder: Path,
) -> int | None:
    """How many rows the batch would lose to quarantine; None when that would not make it good."""
    from shared_resources.governance.audit.audit import audit as run_audit
    from shared_resources.governance.audit.engine.staged_data import StagedData
    from shared_resources.governance.audit.sifting import sift

    budget = contract.loss_budget_percent
    if report.passed or not budget:
        return None

    def again(good: StagedBatch) -> AuditReport:
        return run_audit(StagedData(good), contract, rules=rules, folder=folder)

    sifted = sift(batch, contract, report, again, aside=batch.folder / "split")
    within = sifted is not None and sifted.lost_percent <= budget
    return sifted.lost.rejected_rows if sifted is not None and within else None


def _show(judged: _Judged) -> None:
    report = judged.report
    rows = [
        {
            "rule": result.rule.name,
            "result": "passed" if result.passed else ("FAILED" if result.refuses else "warning"),
            "threshold": str(result.rule.threshold),
            "rows failed": result.rows_failed,
            "found": "" if result.passed else result.message,
        }
        for result in report.results
    ]
    print_table(rows, rows[0])
    for result in report.refusals:
        if result.sample:
            say(f"\n{result.rule.name}: failing rows")
            print_table(result.sample, result.sample[0], data=True)
    for rule in judged.unchecked:
        say(f"not checked here, it needs the mesh: {rule.name}")
    say(f"\n{report.rows:,} rows of {report.product}: {judged.verdict}")
