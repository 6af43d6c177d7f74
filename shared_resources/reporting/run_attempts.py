"""Writing down what becomes of a run's attempt at a product, however it ends.

Belongs here: the row that a run leaves when it begins, refuses, raises or is interrupted; the words
for an exception; the check that shows the product's health in the UI.
Does not belong here: the table (`state/last_attempts.py`), what its rows mean (`observing/`).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from shared_resources.contracts.model import HEALTH_CHECK, Contract
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.data_products.batch import AuditedBatch, Run
from shared_resources.data_products.makers.choice_of_objects import NothingToIngest
from shared_resources.data_products.makers.errors import text_of
from shared_resources.environment import Environment
from shared_resources.observing.health import NAMED
from shared_resources.observing.product_health import Observed, Observer
from shared_resources.state.attempt import Outcome
from shared_resources.state.last_attempts import LastAttempts
from shared_resources.state.leases import lease
from shared_resources.stores.protocol import UNPARTITIONED

_INTERRUPTED = "the run was interrupted"


def note_end(
    environment: Environment,
    contract: Contract,
    run: Run,
    problem: BaseException,
    instance: dg.DagsterInstance,
) -> None:
    """Note why the run failed where the product's op is not told: before it begins, or when its
    output is handled. So the check is recorded beside the run."""
    attempts = LastAttempts(environment.state, contract.key)
    attempts.begin(run.run_id, run.partitions, "")
    note_failure(attempts, run, problem)
    instance.report_runless_asset_event(evaluation(health_result(environment, contract)))


@contextmanager
def followed(environment: Environment, contract: Contract, run: Run) -> Iterator[None]:
    """Note that the run has begun, and what became of it when the block ends."""
    attempts = LastAttempts(environment.state, contract.key)
    with lease(environment) as name:
        attempts.begin(run.run_id, run.partitions, name)
        try:
            yield
        except GeneratorExit:
            # Dagster does not go on: the output was not handled, which its IO manager has noted if
            # it could. It is the collector that closes the block, at any moment, perhaps within a
            # transaction of this very thread, for whose end a write would wait. What is unsaid, such
            # as an interruption of the IO manager, is a crash: its lease is free now.
            raise
        except Exception as problem:
            note_failure(attempts, run, problem)
            raise
        except BaseException:
            attempts.ended(run.run_id, _INTERRUPTED)
            raise
        attempts.ended(run.run_id, _INTERRUPTED)


def note_failure(attempts: LastAttempts, run: Run, problem: BaseException) -> None:
    """Note why the run failed, for the parts that nothing else was said about."""
    cause = problem.__cause__ if isinstance(problem, dg.Failure) else None
    why = in_words(problem)
    if isinstance(cause, NothingToIngest):
        missing = cause.missing or run.partitions
        attempts.failed(run.run_id, dict.fromkeys(missing, why), Outcome.MISSING)
    attempts.ended(run.run_id, why)


def note_refusal(audited: AuditedBatch) -> None:
    """Note which parts were refused and why, before anyone can die of it."""
    attempt = audited.attempt
    kept = {
        key: entry
        for entry in audited.quarantined
        if entry.kind != "rows"
        for key in entry.partitions
    }
    parts = audited.refused or (UNPARTITIONED,)
    why = "; ".join(f"{one.rule.name}: {one.message}" for one in audited.report.refusals)
    LastAttempts(attempt.environment.state, attempt.contract.key).refused(
        attempt.run.run_id,
        {
            key: "; ".join(f"{rule}: {message}" for rule, _, _, message in kept[key].reasons)
            if key in kept
            else why
            for key in parts
        },
        {key: entry.id for key, entry in kept.items()},
    )


def in_words(problem: BaseException) -> str:
    """An exception for people: a refusal says everything itself; of others the class is half of it,
    and the line of the domain's own code where it happened."""
    if isinstance(problem, dg.Failure):
        return str(problem.description)
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if "/domains/" in frame.filename]
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{type(problem).__name__}: {text_of(problem)}{place}"


def health_result(environment: Environment, contract: Contract) -> dg.AssetCheckResult:
    """The product's health as the result of its check: failed while something stands."""
    return result_of(contract, Observer(environment).observe_contract(contract))


def evaluation(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    """A result as it is recorded outside the op that the check belongs to."""
    assert result.asset_key is not None
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key,
        check_name=result.check_name or "",
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )


def result_of(contract: Contract, observed: Observed) -> dg.AssetCheckResult:
    health, failing = observed.health, observed.health.failing
    return dg.AssetCheckResult(
        asset_key=asset_key(contract.key),
        check_name=HEALTH_CHECK,
        passed=not failing,
        severity=dg.AssetCheckSeverity.ERROR,
        description=_told([str(one) for one in failing])
        or "nothing was refused, failed or is missing",
        metadata={
            "state": health.state,
            **{f"reason {n}": str(one) for n, one in enumerate(health.reasons[:NAMED], 1)},
            **({"two majors": str(observed.earlier)} if observed.earlier else {}),
        },
    )


def _told(lines: Sequence[str]) -> str:
    more = len(lines) - NAMED
    return "\n".join([*lines[:NAMED], *([f"and {more} more"] if more > 0 else [])])
