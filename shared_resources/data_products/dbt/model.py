"""dbt models as products: what each reads, which checks it has, and how its next batch is built.

Belongs here: the platform's view of `dbt_project/`, and a build from pinned inputs to staged files.
Does not belong here: composing the project (`composition.py`), starting dbt (`process.py`),
the engines (`target.py`), the audit and publishing, which know no dbt at all.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from shared_resources.contracts.model import Contract
from shared_resources.data_products.dbt import composition
from shared_resources.data_products.dbt import messages as dbt_messages
from shared_resources.data_products.dbt import process as dbt_process
from shared_resources.data_products.dbt.checks import (
    DbtTest,
    DbtTestResult,
    as_rule_results,
    results_of,
    tests_of,
)
from shared_resources.data_products.dbt.forking.asking import ServerEnded
from shared_resources.data_products.dbt.messages import DbtModelFailed
from shared_resources.environment import Environment
from shared_resources.governance.audit.report import RuleResult
from shared_resources.mesh.domain_file import variables_named
from shared_resources.stores.protocol import UNPARTITIONED, Snapshot, StagedFile

__all__ = ["DbtModelFailed", "DbtModels", "DbtOutcome", "DbtTest"]

_MATERIALIZED = frozenset({"table", "view", "incremental"})
_REFUSED = "refused.json"  # why models of a composed project cannot be used, by name
_KEPT_COMPOSITIONS = 4  # a domain: others may still be starting on the one before


@dataclass(frozen=True)
class DbtOutcome:
    """What a build staged. `column_lineage`: column -> [(product key, its column)].

    `results` are the tests in the audit's terms: a blocking one that failed keeps all from readers.
    """

    files: tuple[StagedFile, ...]
    tests: tuple[DbtTestResult, ...]
    column_lineage: Mapping[str, Sequence[tuple[str, str]]]
    results: tuple[RuleResult, ...] = ()


@dataclass
class DbtModels:
    """The dbt models of all domains. One domain is compiled without looking at another's models."""

    environment: Environment
    _projects: dict[str, Path] = field(default_factory=dict, repr=False)
    _manifests: dict[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def manifest(self, domain: str) -> Mapping[str, Any]:
        """dbt's manifest of the domain, parsed anew only when models, tests or contracts changed.

        A model that does not compile is not in it as it is; `_model` says why. Raises
        `DbtModelFailed` when the domain's project does not compile without it either.
        """
        if domain not in self._manifests:
            project = self._project(domain)
            self._manifests[domain] = _json(project / "target" / "manifest.json")
        return self._manifests[domain]

    def inputs(self, product: str) -> tuple[str, ...]:
        """The products that the model and its tests read, by key, sorted."""
        manifest, model = self._model(product)
        tests = [manifest["nodes"][test.unique_id] for test in tests_of(manifest, model)]
        read = {key for node in (model, *tests) for key in _upstream(manifest, node)}
        return tuple(sorted({_product_of(manifest, key) for key in read} - {product}))

    def tests(self, product: str) -> tuple[DbtTest, ...]:
        """The model's dbt tests, by check name."""
        return tests_of(*self._model(product))

    def build(
        self, contract: Contract, inputs: Mapping[str, Snapshot], folder: Path, run_id: str
    ) -> DbtOutcome:
        """Run the model and its tests on the pinned `inputs`, and stage its table in `folder`.

        Tests that fail are results, not exceptions: the table is staged either way, for the audit
        and the quarantine. Raises `DbtModelFailed` when dbt cannot compile or run the model.
        """
        if contract.partitioning is not None:
            raise DbtModelFailed(
                f"{contract.path}: {contract.key} is a dbt model, and those are published whole; "
                "remove `partitions` from the contract"
            )
        manifest, model = self._model(contract.key)
        if model["config"]["materialized"] not in _MATERIALIZED:
            raise DbtModelFailed(
                f"dbt_project/{model['original_file_path']}: a product is materialized as a table, "
                f"not as {model['config']['materialized']}; only steps on the way may be ephemeral"
            )
        tests = tests_of(manifest, model)
        missing = set(self.inputs(contract.key)) - set(inputs)
        if missing:
            raise DbtModelFailed(
                f"dbt_project/{model['original_file_path']}: no published version was given of "
                f"{', '.join(sorted(missing))}; publish it first, with `mesh run`"
            )
        try:
            return self._built(contract, inputs, folder, run_id, model, tests)
        except (
            ServerEnded
        ):  # what it left is half built; an incremental model would go on from there
            return self._built(contract, inputs, folder, run_id, model, tests)

    def _built(
        self,
        contract: Contract,
        inputs: Mapping[str, Snapshot],
        folder: Path,
        run_id: str,
        model: Mapping[str, Any],
        tests: Sequence[DbtTest],
    ) -> DbtOutcome:
        from shared_resources.contracts.values.lossless import InvalidFrame, conform
        from shared_resources.data_products.dbt.lineage import column_lineage
        from shared_resources.stores.staging.staging import write_staged

        target = self.environment.dbt_target
        # Without its method, a name that ends in `.sql` is one of a file.
        nodes = [".".join(model["fqn"]), *(test.fqn for test in tests)]
        selected = [f"fqn:{node}" for node in nodes]
        with self._run_folder(contract, run_id) as run, target.scratch(run, inputs) as scratch:
            named = variables_named(self.environment.domains / contract.domain)
            dbt_process.build(run, target, scratch.variables, selected, named)
            outcome = _json(run / "target" / "run_results.json")
            _refuse_failed_model(model, outcome, run)
            manifest = _json(run / "target" / "manifest.json")  # relations are named anew each run
            model = manifest["nodes"][model["unique_id"]]
            parents = _upstream(manifest, model)
            with scratch.opened() as built:
                names = tuple(column.name for column in contract.columns)
                reader = built.read(model["relation_name"], names)
                try:
                    conformed = conform(reader, contract)
                    files = write_staged(conformed, folder, contract, (UNPARTITIONED,))
                except InvalidFrame as problem:
                    raise DbtModelFailed(
                        f"dbt_project/{model['original_file_path']}: {problem}"
                    ) from problem
                relations = (_node(manifest, key)["relation_name"] for key in parents)
                known = {
                    name: built.columns_of(name) for name in (*relations, model["relation_name"])
                }
            lineage = column_lineage(manifest, model, parents, known, run)
        results = results_of(tests, outcome)
        rows = sum(file.rows for file in files)
        return DbtOutcome(files, results, lineage, as_rule_results(tests, results, rows))

    def _model(self, product: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        domain, name = product.split("/")
        manifest = self.manifest(domain)
        refused: Mapping[str, str] = _json(self._project(domain) / _REFUSED)
        for node in manifest["nodes"].values():
            if node["resource_type"] == "model" and node["name"] == name:
                for used in _models_used(manifest, node):
                    if used in refused:
                        raise DbtModelFailed(refused[used])
                return manifest, node
        raise DbtModelFailed(
            f"dbt_project/models/{domain}/{name}.sql is not a model that dbt knows; "
            "is it there, and not disabled?"
        )

    def _project(self, domain: str) -> Path:
        """The composed and parsed project of the domain's present content."""
        if domain not in self._projects:
            home = self.environment.dbt / "projects"
            name = f"{domain}-{composition.digest(self.environment, domain)}"
            if not (home / name).exists():
                home.mkdir(parents=True, exist_ok=True)
                with FileLock(home / f"{domain}.lock"):
                    if not (home / name).exists():
                        self._compose(domain, home, name)
            self._projects[domain] = home / name
        return self._projects[domain]

    def _compose(self, domain: str, home: Path, name: str) -> None:
        draft = home / f".draft-{domain}"  # only the lock's holder touches it
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        refused = composition.compose(self.environment, domain, draft)
        while found := self._parsed(domain, draft):
            refused.update(found)
        (draft / _REFUSED).write_text(json.dumps(refused), encoding="utf-8")
        draft.rename(home / name)
        dated = [(p.stat().st_mtime, p) for p in home.glob(f"{domain}-*") if p.name != name]
        for _, old in sorted(dated, reverse=True)[_KEPT_COMPOSITIONS - 1 :]:
            shutil.rmtree(old, ignore_errors=True)

    def _parsed(self, domain: str, draft: Path) -> dict[str, str]:
        """Parse the project; why models had to be taken out of it, after which it is to be parsed
        again. Raises `DbtModelFailed` when it is no model's fault alone."""
        named = variables_named(self.environment.domains / domain)
        try:
            dbt_process.parse(draft, self.environment.dbt_target, named)
        except DbtModelFailed as failed:
            if out := composition.take_out(draft, domain, str(failed)):
                return dict.fromkeys(out, str(failed))
            raise
        return {}

    @contextlib.contextmanager
    def _run_folder(self, contract: Contract, run_id: str) -> Iterator[Path]:
        """A private copy of the project for one run; it and what killed runs left is removed."""
        home = self.environment.dbt / "runs"
        home.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned(home)
        label = re.sub(r"[^\w.-]", "_", f"{contract.domain}.{contract.name}-{run_id}")
        folder = home / f"{label[:120]}-{uuid.uuid4().hex[:8]}"
        with FileLock(f"{folder}.lock"):
            try:
                shutil.copytree(self._project(contract.domain), folder)
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        Path(f"{folder}.lock").unlink(missing_ok=True)

    def _remove_abandoned(self, home: Path) -> None:
        for file in home.glob("*.lock"):
            folder = file.with_suffix("")
            try:
                with FileLock(file, timeout=0):
                    self.environment.dbt_target.remove_abandoned(folder)
                    shutil.rmtree(folder, ignore_errors=True)
                    file.unlink(missing_ok=True)
            except Timeout:
                continue  # its run is alive


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _upstream(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> tuple[str, ...]:
    """The sources and models that hold what `node` reads; an ephemeral model is seen through."""
    found: list[str] = []
    for key in node["depends_on"]["nodes"]:
        parent = manifest["nodes"].get(key)
        if parent is not None and parent["config"]["materialized"] == "ephemeral":
            found += _upstream(manifest, parent)
        else:
            found.append(key)
    return tuple(dict.fromkeys(found))


def _models_used(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> Iterator[str]:
    """The names of the model and of those that it ref()s, through the steps on the way."""
    yield node["name"]
    for key in node["depends_on"]["nodes"]:
        parent = manifest["nodes"].get(key)
        if parent is not None and parent["resource_type"] == "model":
            if parent["config"]["materialized"] == "ephemeral":
                yield from _models_used(manifest, parent)
            else:
                yield parent["name"]


def _product_of(manifest: Mapping[str, Any], key: str) -> str:
    """The product that a source or a model is. Every product is among the sources."""
    node = _node(manifest, key)
    if node["resource_type"] == "source":
        # A source of a pinned major version says which product has that.
        return str(node["meta"].get("product") or f"{node['source_name']}/{node['name']}")
    domain, name = node["fqn"][1], node["name"]
    if not any(
        (s["source_name"], s["name"]) == (domain, name) for s in manifest["sources"].values()
    ):
        raise DbtModelFailed(
            f"dbt_project/{node['original_file_path']}: other models read it, but it has no "
            f"contract at domains/{domain}/products/{name}; write one, or make it a step on the way "
            "with {{ config(materialized='ephemeral') }}"
        )
    return f"{domain}/{name}"


def _node(manifest: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = manifest["sources"].get(key) or manifest["nodes"][key]
    return found


def _refuse_failed_model(
    model: Mapping[str, Any], run_results: Mapping[str, Any], run: Path
) -> None:
    for result in run_results["results"]:
        if result["unique_id"] == model["unique_id"] and result["status"] == "success":
            return
        if result["unique_id"] == model["unique_id"]:
            raise dbt_messages.failure(model, result["message"] or result["status"], run)
    raise DbtModelFailed(f"dbt_project/{model['original_file_path']}: dbt did not run the model")
