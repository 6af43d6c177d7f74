"""A product as one Dagster asset: one op that makes, audits and hands over, its checks included.

Belongs here: the op's body and its wiring to inputs and IO manager.
Does not belong here: the spec (`asset_spec.py`), the steps themselves
(`data_products/makers/making.py`, `data_products/auditing.py`, `data_products/publishing.py`).

The checks are outputs of the op itself. They cannot be deselected, and they are decided before the
IO manager publishes. When only checks are selected, the published version is audited again.

No postponed annotations here: Dagster looks at the op's own.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from shared_resources import wiring
from shared_resources.confinement.guard import NotDeclared
from shared_resources.contracts.model import HEALTH_CHECK
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.data_products.batch import Attempt, AuditedBatch, PublishedBefore, Run
from shared_resources.data_products.batch import attempt as new_attempt
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.data_products.function import ProductProblem
from shared_resources.data_products.makers.choice_of_objects import NothingToIngest
from shared_resources.data_products.pinned_inputs import PinnedInput, open_at
from shared_resources.data_products.publishing import (
    already_published,
    make_ready,
    note_objects,
    publish,
)
from shared_resources.environment import Environment
from shared_resources.evidence.record import NoEvidence
from shared_resources.governance.audit.report import AuditReport
from shared_resources.governance.earlier_majors import why_over
from shared_resources.landing.errors import LandingError
from shared_resources.locations.asset_spec import asset_spec, check_specs, pool_of
from shared_resources.locations.sensing.run_requests import OBJECT_TAG
from shared_resources.mesh import ProductKind
from shared_resources.reporting.metadata import (
    PARTITION_ROWS,
    batch_metadata,
    refusal_message,
    rows_of_days,
    stream_metadata,
    version_metadata,
)
from shared_resources.reporting.run_attempts import followed, note_refusal
from shared_resources.reporting.standing_checks import results_now
from shared_resources.stores.pins import Pin
from shared_resources.stores.protocol import MovedOn, NotPublished, PublishError, Unreadable
from shared_resources.stores.reading.frames import UnsupportedFrame

# What a run fails with that needs no stack: its message says where and what to do.
_SAY_ALL = (NothingToIngest, ProductProblem, LandingError, UnsupportedFrame, NotDeclared)
_RETRY_TAG = "dagster/retry_number"
_Event = dg.Output[Any] | dg.AssetCheckResult | dg.AssetMaterialization


def build_asset(definition: ProductDefinition, inputs: tuple[str, ...]) -> dg.AssetsDefinition:
    """The asset of a product; `inputs` are the keys of all products that it reads or refers to."""
    contract = definition.contract
    parameters = {product.replace("/", "__"): product for product in inputs}
    spec = asset_spec(definition)

    @dg.multi_asset(
        name=f"{contract.domain}__{contract.name}",
        outs={
            contract.name: dg.AssetOut.from_spec(
                spec,
                dagster_type=dg.Any,
                is_required=False,
                io_manager_key=contract.servers[0].value,
            )
        },
        ins={
            parameter: dg.AssetIn(
                key=asset_key(product), input_manager_key="lake", dagster_type=_PINNED
            )
            for parameter, product in parameters.items()
        },
        check_specs=check_specs(contract, definition.checks),
        can_subset=True,
        partitions_def=spec.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run() if contract.partitioning else None,
        pool=pool_of(contract.key),
    )
    def product(context: dg.AssetExecutionContext, **pins: Pin) -> Iterator[_Event]:
        environment = wiring.current()
        opened = {pin.product: open_at(environment, pin) for pin in pins.values()}
        op = _Op(environment, definition, context, opened)
        if context.op_execution_context.selected_asset_keys:
            yield from op.materialize()
        else:
            yield from op.audit_published()

    return product


_PINNED = dg.PythonObjectDagsterType(Pin, name="PinnedProduct")


class _Op:
    """One execution of the op."""

    def __init__(
        self,
        environment: Environment,
        definition: ProductDefinition,
        context: dg.AssetExecutionContext,
        inputs: Mapping[str, PinnedInput],
    ) -> None:
        self._environment = environment
        self._definition = definition
        self._context = context
        self._inputs = inputs
        self._report: AuditReport | None = None

    def _run(self) -> Run:
        run = self._context.run
        # An automatic retry is the same attempt; a person's re-execution is a new one.
        run_id = (run.root_run_id or run.run_id) if _RETRY_TAG in run.tags else run.run_id
        if self._definition.contract.partitioning is None:
            return Run(run_id)
        return Run(run_id, tuple(self._context.partition_keys))

    def materialize(self) -> Iterator[_Event]:
        """Make the product, and write down what became of it whatever does."""
        contract, run = self._definition.contract, self._run()
        try:
            with followed(self._environment, contract, run):
                yield from self._make(run)
        except Exception:
            yield from results_now(self._environment, contract, self._report)
            raise
        # After the output, so that the results belong to the version that they let through.
        yield from results_now(self._environment, contract, self._report)

    def _make(self, run: Run) -> Iterator[_Event]:
        """Make, audit, and either hand over to the IO manager or refuse."""
        contract = self._definition.contract
        if why := why_over(self._environment, contract):
            self._context.log.info(why)
            return
        try:
            make_ready(self._environment, contract)
        except PublishError as problem:
            raise dg.Failure(str(problem), allow_retries=False) from problem
        if self._definition.kind is ProductKind.STREAM:
            yield from self._take_what_is_there(run)
            return
        attempt = new_attempt(self._environment, self._definition, run, self._inputs)
        done = already_published(self._environment, contract, attempt.batch_id)
        if done is not None:
            self._context.log.info(f"{contract.key}: this run's batch is version {done[0].number}")
            yield dg.Output(PublishedBefore(done), output_name=contract.name)
            self._report = self._audit_again()
            return
        audited = self._audited(attempt)
        self._report = audited.report
        if not audited.passed:
            yield from self._publish_the_good_partitions(audited)
            raise dg.Failure(refusal_message(audited), allow_retries=False)
        self._note_rows_of_days(audited)
        yield dg.Output(audited, output_name=contract.name)

    def _take_what_is_there(self, run: Run) -> Iterator[_Event]:
        """Of a stream: windows up to where its topic ends now. The last of them is handed over."""
        from shared_resources.streams.draining import drain

        contract = self._definition.contract
        drained = drain(self._environment, self._definition, run.run_id)
        self._report = drained.report
        if drained.versions:
            metadata = stream_metadata(drained.versions[0])
            windows = {"windows in this run": drained.windows}
            yield dg.Output(
                PublishedBefore(drained.versions, {**metadata, **windows}),
                output_name=contract.name,
            )
        else:
            self._context.log.info(f"{contract.key}: {drained.told}")
        if drained.refused is not None:
            self._report = drained.refused
            raise dg.Failure(
                f"{contract.key}: a window was refused whole, and is in quarantine: "
                + "; ".join(f"{one.rule.name}: {one.message}" for one in drained.refused.refusals),
                allow_retries=False,
            )

    def _audited(self, attempt: Attempt) -> AuditedBatch:
        # Here: a location makes nothing, and each code server would import the engines.
        from shared_resources.data_products.auditing import audit_batch
        from shared_resources.data_products.makers.making import make

        try:
            made = make(attempt, self._context.run.tags.get(OBJECT_TAG))
        except _SAY_ALL as problem:
            raise dg.Failure(str(problem), allow_retries=False) from problem
        return audit_batch(attempt, made)

    def _publish_the_good_partitions(self, audited: AuditedBatch) -> Iterator[_Event]:
        """One bad day does not keep the others of a range from their readers."""
        attempt = audited.attempt
        note_refusal(audited)
        if audited.staged is None:
            note_objects(audited)
            store = self._environment.stores_of(attempt.contract)[0]
            store.discard(attempt.contract, attempt.batch_id)
            return
        batch = batch_metadata(audited)
        try:
            versions = publish(audited)
        except PublishError as problem:
            raise dg.Failure(str(problem), allow_retries=False) from problem
        except MovedOn as problem:
            raise dg.Failure(str(problem)) from problem
        metadata = version_metadata(batch, versions)
        rows = rows_of_days(audited)
        for partition in audited.staged.partitions:
            own = {PARTITION_ROWS: rows[partition]} if partition else {}
            yield dg.AssetMaterialization(
                asset_key=asset_key(self._definition.key),
                partition=partition,
                metadata={**metadata, **own},
            )

    def _note_rows_of_days(self, audited: AuditedBatch) -> None:
        """Of a run over several days each day's materialization says its own rows."""
        if self._definition.contract.partitioning is not None:
            for day, rows in rows_of_days(audited).items():
                self._context.add_asset_metadata({PARTITION_ROWS: rows}, partition_key=day)

    def audit_published(self) -> Iterator[_Event]:
        """Audit what readers see now, against the contract as it is now."""
        selected = {
            key.name for key in self._context.op_execution_context.selected_asset_check_keys
        }
        report = self._audit_again() if selected - {HEALTH_CHECK} else None
        results = results_now(self._environment, self._definition.contract, report)
        yield from (result for result in results if result.check_name in selected)

    def _audit_again(self) -> AuditReport:
        from shared_resources.data_products.auditing import audit_published

        snapshots = {key: item.snapshot for key, item in self._inputs.items()}
        try:
            return audit_published(self._environment, self._definition, snapshots)
        except (NotPublished, NoEvidence, Unreadable) as problem:
            raise dg.Failure(str(problem), allow_retries=False) from problem
