"""Reading the whole mesh from its files.

Belongs here: which folders are domains and products, and how each product is made.
Does not belong here: the content of `domain.yaml` (`domain_file.py`), of a contract
(`contracts/odcs.py`), of code (`code/`).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.findings import Finding, InvalidFile
from shared_resources.mesh.central_file import read_central_file
from shared_resources.mesh.code.live_code import read_followed
from shared_resources.mesh.code.makers import added_makers, makers_in, read_added
from shared_resources.mesh.code.model_text import inputs_of_model
from shared_resources.mesh.code.platform_use import platform_findings
from shared_resources.mesh.code.product_code import missing_rule_functions, read_product_code
from shared_resources.mesh.domain_file import read_domain_file
from shared_resources.mesh.kept_contracts import KeptContracts, Read, read_contract_anew
from shared_resources.mesh.majors import resolved, with_pins
from shared_resources.mesh.model import (
    CENTRAL_FILE,
    CODE_FILE,
    CONTRACT_FILE,
    SOURCE_SYSTEMS,
    Central,
    Domain,
    Mesh,
    ProductFolder,
    ProductKind,
    ProductReference,
    model_file,
)
from shared_resources.mesh.promised import Registered, read_promised
from shared_resources.mesh.whereabouts import is_there

RULE = "product"
_ContractReader = Callable[[Path], Read]
# What the registry holds of the domains of these names, or of all for None.
Registry = Callable[[Collection[str] | None], Registered]


def nothing_registered(_: Collection[str] | None) -> Registered:
    """The registry of those who read one folder for itself."""
    return Registered()


def read_mesh(
    root: Path,
    kept: KeptContracts | None = None,
    *,
    anew: str | None = None,
    registered: Registry = nothing_registered,
) -> Mesh:
    """Everything that stands below `root / "domains"`, read without running any of it, and what
    domains that do not stand there have promised.

    Contracts are taken from `kept` where it is given, but for those of the domain `anew`, and of the
    domains that it reads: of others in the registry it wants none then, and what code of others imports
    is not looked at. Never raises for what stands in
    the files: that becomes `findings` of its domain, beside which the other domains are whole.
    """
    with _uncollected():
        folders = _domains(root)
        read = {
            folder.name: _read_domain(folder, root, read_contract_anew)
            for folder in folders
            if kept is None or folder.name == anew
        }
        judged = {key.split("/")[0] for own in read.values() for key in _read_by(own)}
        for folder in folders:
            if kept is not None and folder.name not in read:
                known = folder.name not in judged
                reader = kept.read if known else read_contract_anew
                # Whoever reads one domain anew judges it, and what it reads: of the others' code only
                # what their products read is asked.
                whole = anew is None or not known
                read[folder.name] = _read_domain(folder, root, reader, whole=whole)
        others = registered(None if anew is None else judged - {*read})
        for name, folder in others.promises.items():
            if name not in read:  # those whose files are here are what their files say
                read[name] = read_promised(folder, kept.read if kept else read_contract_anew)
    central = _central(root / "domains" / CENTRAL_FILE, others.central)
    domains = with_pins([replace(read[name], central=central) for name in sorted(read)])
    return Mesh(root, domains, central)


def read_central(environment: Environment) -> Central:
    """What is decided for every domain, as it is in force for the environment; no domain is read."""
    registered = environment.registry.promised(()).central
    return _central(environment.root / "domains" / CENTRAL_FILE, registered)


def _central(here: Path, registered: Path | None) -> Central:
    """What the governance team decided: what it registered, once it did; until then the file here."""
    if registered is None:
        return read_central_file(here)
    central = read_central_file(registered)
    if not here.is_file() or here.read_bytes() == registered.read_bytes():
        return central
    found = Finding(
        here,
        0,
        "central",
        "it is not what the governance team registered, which holds for every domain",
        "register it (`mesh registry govern`), or take it out",
    )
    return replace(central, findings=(*central.findings, found))


def read_whole_mesh(environment: Environment) -> Mesh:
    """The mesh of the environment, its registry included, every contract read anew: for those who
    judge it."""
    return read_mesh(environment.root, registered=environment.registry.promised)


def _read_by(domain: Domain) -> set[str]:
    return {key for product in domain.products for key in product.reads}


@contextmanager
def _uncollected() -> Iterator[None]:
    """What is read stays: Python's collector would look at all of it again with each contract more,
    which takes a third of the time of a thousand."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def look_at_mesh(environment: Environment, *, anew: str | None = None) -> Mesh:
    """`read_mesh` with the contracts that the mesh's state keeps, but for those of the domain `anew`:
    for those who look, rather than make or judge what they look at."""
    kept, registered = KeptContracts(environment.compiled), environment.registry.promised
    return read_mesh(environment.root, kept, anew=anew, registered=registered)


def read_product(environment: Environment, key: str, *, anew: bool = True) -> ProductFolder | None:
    """One product as `read_whole_mesh` finds it, without reading the others; None if there is none.

    Its contract is read `anew`, or, for those who look, as `look_at_mesh` reads it.
    """
    reader = read_contract_anew if anew else KeptContracts(environment.compiled).read
    root, name = environment.root, key.partition("/")[0]
    for domain in _domains(root):
        if domain.name == name:
            for folder in _subfolders(domain / "products"):
                if key == f"{name}/{folder.name}":
                    read = _read_product(folder, name, root, [], reader)
                    return resolved(read, partial(is_there, environment))
            return None
    for promise in environment.registry.promised({name}).promises.values():
        for product in read_promised(promise, reader).products:
            if product.key == key:
                return resolved(product, partial(is_there, environment))
    return None


def _domains(root: Path) -> list[Path]:
    return [folder for folder in _subfolders(root / "domains") if folder.name != SOURCE_SYSTEMS]


def _read_domain(
    folder: Path, root: Path, reader: _ContractReader, *, whole: bool = True
) -> Domain:
    """The domain; without what is wrong with the imports of its code where it need not be `whole`."""
    findings = list(platform_findings(folder)) if whole else []
    products = tuple(
        _read_product(product, folder.name, root, findings, reader)
        for product in _subfolders(folder / "products")
    )
    return read_domain_file(folder, products, findings)


def _subfolders(folder: Path) -> list[Path]:
    """The folders that people made: a cache left behind by a deleted domain is none."""
    if not folder.is_dir():
        return []
    return [
        inner
        for inner in sorted(folder.iterdir())
        if inner.is_dir()
        and not inner.name.startswith((".", "_"))
        and any(item.name != "__pycache__" for item in inner.iterdir())
    ]


def _read_product(
    folder: Path, domain: str, root: Path, findings: list[Finding], reader: _ContractReader
) -> ProductFolder:
    contract, lines = _read_contract(folder, findings, reader)
    model = model_file(root, domain, folder.name)
    inputs: tuple[ProductReference, ...] = ()
    followed: tuple[ProductReference, ...] = ()
    if (folder / CODE_FILE).is_file():
        code = read_product_code(folder / CODE_FILE)
        inputs, followed = code.inputs, read_followed(folder / CODE_FILE)
        findings += code.findings
    elif added := makers_in(folder):
        code = read_added(added[0], folder / added[0].file)
        inputs = code.inputs
        findings += code.findings
    elif model.is_file():
        inputs = inputs_of_model(model, frozenset(one.name for one in folder.parent.iterdir()))
    elif contract is not None and (previous := contract.previous_major) and previous.derived_by:
        file = folder / CONTRACT_FILE
        key = f"{domain}/{previous.of}"
        inputs = (ProductReference(key, previous.reads, file, previous.line),)
    return ProductFolder(
        domain=domain,
        name=folder.name,
        folder=folder,
        contract=contract,
        kind=_kind(folder, model, contract, findings),
        inputs=inputs,
        followed=followed,
        lines=lines,
    )


def _read_contract(
    folder: Path, findings: list[Finding], reader: _ContractReader
) -> tuple[Contract | None, Mapping[str, int]]:
    """The folder's contract, and the line of each of its nodes."""
    file = folder / CONTRACT_FILE
    if not file.is_file():
        findings.append(
            Finding(
                file,
                0,
                RULE,
                "the product's folder has no contract",
                f"add {CONTRACT_FILE}, or remove the folder",
            )
        )
        return None, {}
    try:
        contract, lines = reader(file)
    except InvalidFile as invalid:
        findings += invalid.findings
        return None, {}
    findings += missing_rule_functions(contract, folder)
    return contract, lines


def _kind(
    folder: Path, model: Path, contract: Contract | None, findings: list[Finding]
) -> ProductKind | None:
    """How the product is made. Without a valid contract an ingest cannot be told from nothing."""
    makers: list[tuple[ProductKind, str, Path, int]] = []
    if (folder / CODE_FILE).is_file():
        makers.append((ProductKind.FUNCTION, CODE_FILE, folder / CODE_FILE, 0))
    for added in makers_in(folder):
        makers.append((ProductKind.ADDED, added.file, folder / added.file, 0))
    if model.is_file():
        makers.append((ProductKind.DBT, f"the dbt model {model.name}", model, 0))
    if contract is not None and contract.landing is not None:
        place = (folder / CONTRACT_FILE, contract.landing.line)
        makers.append((ProductKind.INGEST, "`landing` in its contract", *place))
    if contract is not None and contract.stream is not None:
        place = (folder / CONTRACT_FILE, contract.stream.line)
        makers.append((ProductKind.STREAM, "`stream` in its contract", *place))
    if contract is not None and (previous := contract.previous_major) and previous.derived_by:
        place = (folder / CONTRACT_FILE, previous.line)
        makers.append((ProductKind.DERIVED, "`derivedBy` in its contract", *place))
    if len(makers) == 1:
        return makers[0][0]
    if makers:
        names = [name for _, name, _, _ in makers]
        _, _, file, line = makers[-1]
        findings.append(
            Finding(
                file,
                line,
                RULE,
                f"{folder.parent.parent.name}/{folder.name} is made in {len(makers)} ways: "
                + " and ".join(names),
                "keep one of them",
            )
        )
    elif contract is not None:
        findings.append(
            Finding(
                folder / CONTRACT_FILE,
                1,
                RULE,
                f"nothing makes {folder.parent.parent.name}/{folder.name}",
                f"add {CODE_FILE} with a @data_product function, or the dbt model "
                f"{model.relative_to(folder.parents[3])}, or `landing` or `stream` to the contract's "
                "customProperties" + _for_added(),
            )
        )
    return None


def _for_added() -> str:
    """What other distributions offer, or keep from being offered, to a product that nothing makes."""
    added = added_makers()
    files = "".join(f", or {maker.file} ({maker.name})" for maker in added.makers)
    return files + (f"; {added.problem}" if added.problem else "")
