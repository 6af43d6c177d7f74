"""A product ready to be made: its contract, its folder, its maker, and every rule that holds for it.

Belongs here: putting together what stands in a product's folder, its code imported.
Does not belong here: reading the folder (`mesh/`), Dagster (`locations/product_asset.py`), running
(`data_products/makers/making.py`).
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from shared_resources.confinement.guard import domain_code
from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.data_products.beam.importing import import_beam, uses_beam
from shared_resources.data_products.function import (
    LiveRows,
    ProductFunction,
    ProductInput,
    ProductProblem,
)
from shared_resources.environment import Environment
from shared_resources.mesh import Central, Domain, ProductFolder, ProductKind, Waiver
from shared_resources.mesh.code.maker_code import MakerCode, maker_code
from shared_resources.mesh.code.makers import Maker, makers_in
from shared_resources.mesh.model import CODE_FILE, UNDECIDED, pin_of


@dataclass(frozen=True)
class ProductDefinition:
    """`dbt_tests` are the rules that a dbt model's own tests amount to, checked by dbt itself.

    `code` is what stood in its files before they were imported: what was changed since is another.
    """

    contract: Contract
    folder: Path
    kind: ProductKind
    waivers: tuple[Waiver, ...] = ()
    central: Central = UNDECIDED
    environment: tuple[str, ...] = ()  # the variables that its domain's code sees beside the usual
    function: ProductFunction | None = None
    live: LiveRows | None = None  # what lets its served rows follow a stream
    maker: Maker | None = None  # of another distribution, which gave the function
    dbt_tests: tuple[Rule, ...] = ()
    code: MakerCode = field(default_factory=lambda: MakerCode(""))

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The contract's rules and the central policies', in the order of the checks.

        Not kept: a waiver may expire while a code server runs.
        """
        from shared_resources.governance.catalogue import data_time_rules

        return (*self.contract.rules, *data_time_rules(self.contract, self.waivers, self.central))

    @property
    def key(self) -> str:
        return self.contract.key

    @property
    def checks(self) -> tuple[Rule, ...]:
        """Every rule that is an asset check: the audit's, then dbt's own tests."""
        return (*self.rules, *self.dbt_tests)

    @cached_property
    def referenced_products(self) -> tuple[str, ...]:
        """Products that the rules look into: relationships to their published versions."""
        named = (kind_of(rule).product(rule) for rule in self.rules)
        return tuple(dict.fromkeys(product for product in named if product is not None))

    @cached_property
    def policies_digest(self) -> str:
        """SHA-256 over the rules that do not stand in the contract: which policies were checked."""
        from shared_resources.governance.catalogue import policies_digest

        return policies_digest(self.contract, self.waivers, self.central)


def define_product(
    environment: Environment, domain: Domain, product: ProductFolder
) -> ProductDefinition:
    """Import the product's code, if it has any, and add the central rules.

    Raises `ProductProblem` when `product.py` does not hold exactly one `@data_product` function,
    `DbtModelFailed` when its dbt model does not parse.
    """
    assert product.contract is not None and product.kind is not None, "check_domain refuses these"
    code = maker_code(environment.root, product)
    function = None
    live = None
    maker = None
    if product.kind is ProductKind.ADDED:
        maker = makers_in(product.folder)[0]
        function = _function_of(maker, product.folder / maker.file, domain, product)
    elif product.kind is ProductKind.FUNCTION:
        function, live = _load_function(product.folder, domain, product.name)
        function = _with_pins(function, product)
    elif product.kind is ProductKind.DERIVED:
        function = _derived(product.contract)
    dbt_tests: tuple[Rule, ...] = ()
    if product.kind is ProductKind.DBT:
        from shared_resources.data_products.dbt.model import DbtModels

        dbt_tests = tuple(test.rule for test in DbtModels(environment).tests(product.key))
    return ProductDefinition(
        contract=product.contract,
        folder=product.folder,
        kind=product.kind,
        waivers=domain.waivers,
        central=domain.central,
        environment=domain.environment,
        function=function,
        live=live,
        maker=maker,
        dbt_tests=dbt_tests,
        code=code,
    )


def _derived(contract: Contract) -> ProductFunction:
    """An earlier major version of a product, made from the current one by the SELECT in its contract.

    What it gives is audited and published as of every product: who reads it has its own promise.
    """
    import duckdb
    import pyarrow as pa

    previous = contract.previous_major
    assert previous is not None and previous.derived_by, "another kind of product"
    query, name = previous.derived_by, previous.of

    def derive(current: pa.Table) -> duckdb.DuckDBPyRelation:
        connection = duckdb.connect(config={"enable_external_access": False})
        connection.register(name, current)
        return connection.sql(query)

    given = ProductInput(f"{contract.domain}/{name}", previous.reads)
    return ProductFunction(derive, {"current": given}, {"current": pa.Table}, wants_context=False)


def _with_pins(function: ProductFunction, product: ProductFolder) -> ProductFunction:
    """The function with each pinned major version led to the product that has it."""
    led = {one.pin: one.key for one in product.inputs if one.pin}
    inputs = {
        name: replace(given, key=led.get(given.key, given.key))
        for name, given in function.inputs.items()
    }
    if hidden := [given.key for given in inputs.values() if pin_of(given.key)]:
        raise ProductProblem(
            f"{product.folder / CODE_FILE}: {hidden[0]!r} pins a major version, and is not written out "
            "in @data_product; write it there"
        )
    return replace(function, inputs=inputs)


def _load_function(
    folder: Path, domain: Domain, product: str
) -> tuple[ProductFunction, LiveRows | None]:
    """What is in `product.py`, loaded by its path: a second mesh in one process stays apart."""
    file = folder / CODE_FILE
    name = f"domains.{domain.name}.products.{product}.product"
    module = sys.modules.get(name)
    if module is None or module.__file__ != str(file):
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses and pickles of the module look themselves up there
        try:
            if uses_beam(file):
                import_beam(f"{domain.name}/{product}")
            with domain_code(f"{domain.name}/{product}", named=domain.environment):
                spec.loader.exec_module(module)
        except BaseException as problem:
            del sys.modules[name]  # half a module would be taken for one without a function
            # SystemExit, too: code that ends its process when it is imported ends no location.
            if isinstance(problem, ProductProblem | KeyboardInterrupt):
                raise
            raise ProductProblem(_import_problem(file, problem)) from problem
    found = [value for value in vars(module).values() if isinstance(value, ProductFunction)]
    if len(found) != 1:
        raise ProductProblem(
            f"{file} holds {len(found)} functions with @data_product; one makes the product"
        )
    return found[0], _live_in(module, file, found[0])


def _live_in(module: ModuleType, file: Path, function: ProductFunction) -> LiveRows | None:
    found = [value for value in vars(module).values() if isinstance(value, LiveRows)]
    if len(found) > 1:
        raise ProductProblem(f"{file} holds {len(found)} classes with @live; one lets rows follow")
    for live in found:
        if unknown := [name for name in live.reads if name not in function.inputs]:
            raise ProductProblem(
                f"{file}: {live.made_by.__name__} takes {', '.join(unknown)}, which @data_product does "
                "not name; name it there, with its product"
            )
    return found[0] if found else None


def _function_of(
    maker: Maker, file: Path, domain: Domain, product: ProductFolder
) -> ProductFunction:
    """What another distribution's maker makes of the file."""
    try:
        with domain_code(product.key, named=domain.environment):
            function = maker.function(file)
    except Exception as problem:
        message = f"{file}: {maker.name} cannot use it: {type(problem).__name__}: {problem}"
        raise ProductProblem(message) from problem
    if not isinstance(function, ProductFunction):
        raise ProductProblem(
            f"{file}: the maker {maker.name} gives a {type(function).__name__}, not a "
            "ProductFunction; correct or uninstall what adds it"
        )
    takes = {given.key for given in function.inputs.values()}
    if takes != (said := {reference.key for reference in product.inputs}):
        raise ProductProblem(
            f"{file}: the maker {maker.name} reads in it {_list(said)}, and its function takes "
            f"{_list(takes)}; correct or uninstall what adds it"
        )
    return function


def _list(keys: set[str]) -> str:
    return ", ".join(sorted(keys)) or "nothing"


def _import_problem(file: Path, problem: BaseException) -> str:
    """What is wrong with the code and in which of its lines, for people."""
    lines = [
        frame.lineno for frame in extract_tb(problem.__traceback__) if frame.filename == str(file)
    ]
    place = f"{file}:{lines[-1]}" if lines else str(file)
    return f"{place}: the product's code cannot be imported: {type(problem).__name__}: {problem}"


def product_inputs(environment: Environment, definition: ProductDefinition) -> tuple[str, ...]:
    """Every product that this one reads: its inputs, and what its relationships refer to."""
    read: list[str] = []
    if definition.function is not None:
        read.extend(given.key for given in definition.function.inputs.values())
    if definition.kind is ProductKind.DBT:
        from shared_resources.data_products.dbt.model import DbtModels

        read.extend(DbtModels(environment).inputs(definition.key))
    read.extend(definition.referenced_products)
    return tuple(dict.fromkeys(key for key in read if key != definition.key))
