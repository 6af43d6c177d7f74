"""A new product: its contract, and what makes it.

Belongs here: what its files say to begin with. One that reads another product begins as its copy.
Does not belong here: what a contract may say (`contracts/`), the text of it (`contract_text.py`), the
code of a source (`source.py`) and of a model (`machine_learning.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shared_resources.contracts.file_formats import all_formats
from shared_resources.contracts.model import Contract
from shared_resources.governance.catalogue import check_domain
from shared_resources.governance.policies.access.inputs_granted import NAME as GRANTED
from shared_resources.inference.inferred import Inferred
from shared_resources.mesh import Domain, Mesh, read_mesh
from shared_resources.mesh.model import CODE_FILE, CONTRACT_FILE, is_product_key, model_file
from shared_resources.mesh.read import Registry, nothing_registered
from shared_resources.scaffolding.beginnings import Beginning
from shared_resources.scaffolding.contract_text import LANDED, contract_text
from shared_resources.scaffolding.machine_learning import model_code
from shared_resources.scaffolding.new_domain import refuse_findings, safe_name
from shared_resources.scaffolding.new_files import NotMade, written
from shared_resources.scaffolding.source import source_code, variable_of, with_variable
from shared_resources.scaffolding.stream import of_messages

_FUNCTION = '''\
"""{title}, made of {reads}.

Belongs here: how it is made. What it promises is in the contract.
"""

from __future__ import annotations

import polars as pl

from shared_resources import data_product


@data_product({inputs})
def {name}({parameters}) -> pl.LazyFrame:
    """{description}"""
    return {first}.select(
{columns}
    )
'''
_MODEL = """\
select
{columns}
from {{{{ source('{domain}', '{product}') }}}}
"""


@dataclass(frozen=True)
class NewProduct:
    """`key` is its `domain/name`. `reads` are the keys of what it is made of; of an ingest, none.
    `format` is that of an ingest's files; `inferred` is what was found out of data that is there;
    `table` is what a source asks for, its own name where nothing else is said; `topic` has the
    messages that a stream is made of."""

    key: str
    kind: Beginning
    description: str
    reads: tuple[str, ...] = ()
    format: str = "csv"
    inferred: Inferred | None = None
    table: str = ""
    topic: str = ""

    @property
    def domain(self) -> str:
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        return self.key.partition("/")[2]


def make_product(
    root: Path, product: NewProduct, *, registered: Registry = nothing_registered
) -> tuple[Path, ...]:
    """Write the product into its domain's folder; returns the files.

    What it reads may be of a domain that only the registry knows.
    Raises `NotMade`, and leaves nothing behind, when the mesh's checks have anything against it.
    """
    if not is_product_key(product.key):
        raise NotMade(
            f"{product.key!r} is no product: write its domain and its name, e.g. order/returns"
        )
    if product.format not in all_formats():
        raise NotMade(
            f"{product.format!r} is no format of files; choose one of {', '.join(all_formats())}"
        )
    mesh = read_mesh(root, registered=registered)
    domain = _domain(mesh, product.domain)
    inputs = [_contract(mesh, key) for key in product.reads]
    product = _made_of_what_fits(product)
    folder = domain.folder / "products" / safe_name(product.name)
    files = {
        CONTRACT_FILE: contract_text(product, domain.owner, inputs),
        **_code(product, inputs),
    }
    beside = _beside(root, domain, product, inputs)
    with written(folder, files, beside) as made:
        after = read_mesh(root, registered=registered)
        findings = check_domain(after.domain(product.domain), after).findings
        before = check_domain(domain, mesh).findings
        # An agreement about what it reads is for others to give, once it is there to ask for one.
        asked = {finding for finding in findings if finding.rule == GRANTED}
        refuse_findings(product.key, {*findings} - {*before} - asked)
    return made


def _made_of_what_fits(product: NewProduct) -> NewProduct:
    """With what was inferred as its kind can use it. Raises `NotMade` for what does not go together."""
    key, kind = product.key, product.kind
    if kind.reads != bool(product.reads):
        raise NotMade(
            f"{key} is made of what lies outside of the mesh alone; take --reads out"
            if product.reads
            else f"{key} needs something to be made of: --reads DOMAIN/PRODUCT"
        )
    if bool(product.topic) != (kind is Beginning.STREAM):
        raise NotMade(
            f"{key} is of the kind {kind}, which is made of no topic; take --topic or --kind out"
            if product.topic
            else f"{key} needs a topic to be made of: --topic TOPIC"
        )
    if product.inferred is None:
        return product
    match kind:
        case Beginning.MACHINE_LEARNING:
            raise NotMade(f"{key} predicts columns of its own; write --reads instead of --from")
        case Beginning.STREAM:
            return replace(product, inferred=of_messages(product.inferred))
        case Beginning.SOURCE:
            return replace(product, inferred=replace(product.inferred, landing=None))
        case _:
            return product


def _code(product: NewProduct, inputs: Sequence[Contract]) -> dict[str, str]:
    """The files that make it, in its folder, by name."""
    match product.kind:
        case Beginning.FUNCTION:
            return {CODE_FILE: _function(product, inputs)}
        case Beginning.MACHINE_LEARNING:
            named = [*zip(_parameters(product, inputs), inputs, strict=True)]
            return model_code(product.key, product.description, named)
        case Beginning.SOURCE:
            found = product.inferred.columns if product.inferred is not None else ()
            columns = [(one.name, one.landed_as, one.type) for one in found]
            columns = columns or [(one.name, one.name, one.type) for one in LANDED]
            table = product.table or product.name
            return {CODE_FILE: source_code(product.key, product.description, table, columns)}
        case _:
            return {}


def _beside(
    root: Path, domain: Domain, product: NewProduct, inputs: Sequence[Contract]
) -> dict[Path, str]:
    """The files elsewhere, with all that they then say."""
    if product.kind is Beginning.SOURCE:
        return {domain.file: with_variable(domain.file, variable_of(domain.name, product.name))}
    if product.kind is not Beginning.DBT:
        return {}
    model = model_file(root, product.domain, product.name)
    if model.exists():
        raise NotMade(f"{model} is there already; choose another name, or remove it")
    return {model: _model(inputs)}


def _domain(mesh: Mesh, name: str) -> Domain:
    if name not in mesh.domain_names:
        known = ", ".join(mesh.domain_names) or "none yet"
        raise NotMade(
            f"there is no domain {name!r}; there are: {known}. `mesh new domain {name}` makes one"
        )
    return mesh.domain(name)


def _contract(mesh: Mesh, key: str) -> Contract:
    found = {one.key: one.contract for one in mesh.products}
    if key not in found:
        raise NotMade(f"there is no product {key!r} to read; `mesh status` lists them")
    contract = found[key]
    if contract is None:
        raise NotMade(f"the contract of {key} is not valid: `mesh check {key}` says why")
    return contract


def _parameters(product: NewProduct, inputs: Sequence[Contract]) -> list[str]:
    """What the function calls its inputs; two of one name are told apart by their domains."""
    names = [one.name for one in inputs]
    return [
        one.name
        if names.count(one.name) == 1 and one.name != product.name
        else f"{one.domain}_{one.name}"
        for one in inputs
    ]


def _function(product: NewProduct, inputs: Sequence[Contract]) -> str:
    parameters = _parameters(product, inputs)
    return _FUNCTION.format(
        title=product.name.replace("_", " ").capitalize(),
        description=product.description,
        reads=" and ".join(one.key for one in inputs),
        name=product.name,
        first=parameters[0],
        inputs=", ".join(
            f'{parameter}="{one.key}"' for parameter, one in zip(parameters, inputs, strict=True)
        ),
        parameters=", ".join(f"{parameter}: pl.LazyFrame" for parameter in parameters),
        columns="\n".join(f'        "{column.name}",' for column in inputs[0].columns),
    )


def _model(inputs: Sequence[Contract]) -> str:
    first = inputs[0]
    columns = ",\n".join(f"    {column.name}" for column in first.columns)
    return _MODEL.format(columns=columns, domain=first.domain, product=first.name)
