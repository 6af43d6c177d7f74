"""The dbt project of one domain, put together from `dbt_project/` and the contracts.

Belongs here: what dbt sees of a domain (its models, tests and the shared macros), the sources and
descriptions that are derived from contracts and therefore written nowhere, the generated profile.
Does not belong here: running dbt (`process.py`), or reading what it made (`model.py`).

Each domain is composed by itself: other products, whoever makes them, are *sources* known by their
contracts alone. So one domain's broken model never keeps another domain from loading.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.dbt.messages import DbtModelFailed
from shared_resources.data_products.dbt.target import DbtTarget
from shared_resources.environment import Environment
from shared_resources.findings import InvalidFile
from shared_resources.mesh.code.model_text import inputs_of_model, pins_in
from shared_resources.mesh.domain_file import variables_named
from shared_resources.mesh.model import (
    CONTRACT_FILE,
    DBT_PROJECT,
    DBT_SETTINGS,
    SHARED_BY_MODELS,
    key_of_pin,
)

_OWN = ("models", "tests")  # these hold one folder a domain
_KNOWN = {DBT_SETTINGS, "README.md", ".gitignore", ".user.yml", "target", "logs", *_OWN} | {
    shared.split("/")[0] for shared in SHARED_BY_MODELS
}
_THIS_FILE = Path(__file__)
_NAMED_FILE = re.compile(rf"\b{DBT_PROJECT}/((?:models|tests|macros)/[\w./-]+)")
_HARMLESS = "select 1 as refused"


def _product_folders(environment: Environment, domain: str) -> list[Path]:
    """Every product's folder here, and those of registered domains that the domain's models read."""
    here = [one for one in environment.domains.glob("*/products/*") if one.is_dir()]
    models = environment.root / DBT_PROJECT / "models" / domain
    read = {
        one.key.split("/")[0]
        for file in sorted(models.rglob("*.sql"))
        for one in inputs_of_model(file, frozenset())
    }
    elsewhere = read - {one.parents[1].name for one in here}
    promises = environment.registry.promised(elsewhere).promises if elsewhere else {}
    there = [one for promise in promises.values() for one in (promise / "products").iterdir()]
    return sorted(here) + sorted(there)


def digest(environment: Environment, domain: str) -> str:
    """What the composed project depends on, hashed without parsing any of it."""
    project = environment.root / DBT_PROJECT
    target = environment.dbt_target
    hashed = hashlib.sha256(_dbt_versions(target.name).encode())
    hashed.update(json.dumps([target.module, target.profile(), target.settings()]).encode())
    # A variable may decide what a model reads, which parsing finds.
    seen = {name: os.environ.get(name) for name in variables_named(environment.domains / domain)}
    hashed.update(json.dumps(seen, sort_keys=True).encode())
    products = _product_folders(environment, domain)
    hashed.update(json.dumps([_key(folder) for folder in products]).encode())
    contracts = [file for one in products if (file := one / CONTRACT_FILE).is_file()]
    for file in (*_project_files(project, domain), *contracts, _THIS_FILE):
        inside = file.is_relative_to(environment.root)
        name = file.relative_to(environment.root).as_posix() if inside else file.name
        content = file.read_bytes()
        hashed.update(f"{name}\0{len(content)}\0".encode())
        hashed.update(content)
    return hashed.hexdigest()[:20]


@cache
def _dbt_versions(adapter: str) -> str:
    return " ".join(f"{name}={version(name)}" for name in ("dbt-core", f"dbt-{adapter}"))


def _project_files(project: Path, domain: str) -> Iterator[Path]:
    yield project / DBT_SETTINGS
    for shared in SHARED_BY_MODELS:
        yield from _files(project / shared)
    yield from _files_of(project, domain)


def _files_of(project: Path, domain: str) -> Iterator[Path]:
    for own in _OWN:
        yield from _files(project / own / domain)


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    elif place.is_dir():
        yield from sorted(file for file in place.rglob("*") if file.is_file())


def compose(environment: Environment, domain: str, into: Path) -> dict[str, str]:
    """Write the domain's dbt project to the folder `into`.

    Returns why models cannot be used, by name: the others can. A product without a valid contract is
    a source all the same, of whose columns nothing is known: whoever reads it is stopped, not its
    whole domain. Raises `DbtModelFailed` for files that would otherwise be left out in silence.
    """
    project = environment.root / DBT_PROJECT
    _refuse_strays(project)
    for file in _project_files(project, domain):
        copy = into / file.relative_to(project)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    target = environment.dbt_target
    settings = _project_settings(project / DBT_SETTINGS)
    _dump(into / DBT_SETTINGS, {**settings, **target.settings()})
    _dump(into / "profiles.yml", _profile(settings["profile"], target))
    contracts = _contracts(environment, domain)
    described, refused = _describe_models(into / "models" / domain, domain, contracts)
    derived = {
        "version": 2,
        "sources": _sources(contracts, target, pins_in(_files_of(project, domain))),
        "models": [
            _properties(contract)
            for contract in contracts.values()
            if contract is not None
            and contract.domain == domain
            and contract.name not in described
            and (into / "models" / domain / f"{contract.name}.sql").exists()
        ],
    }
    _dump(into / "models" / "_contracts.yml", derived)
    return refused


def take_out(composed: Path, domain: str, message: str) -> tuple[str, ...]:
    """Put something harmless in the place of each model that dbt's message is about; returns their
    names. None when it is about a test or a schema file: without a test, what it tests is unchecked.
    """
    named = {Path(found.rstrip(".")) for found in _NAMED_FILE.findall(message)}
    own = Path("models") / domain
    files = [composed / file for file in sorted(named) if own in file.parents]
    if not files or any(file.suffix != ".sql" or file.parts[0] == "tests" for file in named):
        return ()
    if any(not file.is_file() or file.read_text("utf-8") == _HARMLESS for file in files):
        return ()
    for file in files:
        file.write_text(_HARMLESS, "utf-8")
    return tuple(file.stem for file in files)


def _refuse_strays(project: Path) -> None:
    """Each file of the project belongs to a domain or to all of them; others would go unnoticed."""
    if not (project / DBT_SETTINGS).is_file():
        raise DbtModelFailed(f"{project} has no dbt_project.yml; restore it")
    for entry in sorted(project.iterdir()):
        if entry.name not in _KNOWN:
            raise DbtModelFailed(
                f"{DBT_PROJECT}/{entry.name}: the mesh runs models, tests and macros; "
                "publish seeds and snapshots as products of their own and remove it"
            )
    for own in _OWN:
        for entry in sorted((project / own).glob("*")):
            if entry.is_file() and entry.suffix in {".sql", ".py", ".yml", ".yaml"}:
                raise DbtModelFailed(
                    f"{DBT_PROJECT}/{own}/{entry.name} is in no domain's folder; "
                    f"move it to {DBT_PROJECT}/{own}/<domain>/"
                )


def _project_settings(file: Path) -> dict[str, Any]:
    settings = _load(file, f"{DBT_PROJECT}/{file.name}")
    settings.setdefault("profile", settings.get("name"))
    settings["flags"] = {**settings.get("flags", {}), "send_anonymous_usage_stats": False}
    return settings


def _profile(name: str, target: DbtTarget) -> dict[str, Any]:
    return {name: {"target": target.name, "outputs": {target.name: target.profile()}}}


def _key(folder: Path) -> str:
    return f"{folder.parents[1].name}/{folder.name}"


def _contracts(environment: Environment, domain: str) -> dict[str, Contract | None]:
    """The contract of every product by its key; None where it is missing, not valid or another's."""
    found: dict[str, Contract | None] = {}
    for folder in _product_folders(environment, domain):
        key, contract = _key(folder), None
        with contextlib.suppress(InvalidFile):
            contract = read_contract(folder / CONTRACT_FILE)
        found[key] = contract if contract is not None and contract.key == key else None
    return found


def _sources(
    contracts: Mapping[str, Contract | None], target: DbtTarget, pins: Sequence[str]
) -> list[dict[str, Any]]:
    """Every product; one that a pin leads to is a second source of the pin's name."""
    domains: dict[str, list[dict[str, Any]]] = {}
    for key, contract in contracts.items():
        domain, name = key.split("/")
        words = {"name": name} if contract is None else _properties(contract)
        domains.setdefault(domain, []).append({**words, **target.table(key)})
    for pin in pins:
        key = key_of_pin(pin, contracts.__contains__)
        domain, name = pin.split("/")
        if key in contracts:
            words = {"name": name, "meta": {"product": key}, "identifier": key.split("/")[1]}
            domains[domain].append({**words, **target.table(key)})
    return [
        {"name": domain, **target.source(domain), "tables": tables}
        for domain, tables in domains.items()
    ]


def _describe_models(
    folder: Path, domain: str, contracts: Mapping[str, Contract | None]
) -> tuple[set[str], dict[str, str]]:
    """Put the contracts' words into the composed copies of the authors' schema files.

    Returns the models that are described now, and why some of them cannot be used.
    """
    described: set[str] = set()
    refused: dict[str, str] = {}
    there = {file.stem for file in folder.rglob("*") if file.suffix in (".sql", ".py")}
    for file in sorted([*folder.rglob("*.yml"), *folder.rglob("*.yaml")]):
        shown = f"{DBT_PROJECT}/models/{domain}/{file.relative_to(folder).as_posix()}"
        properties = _load(file, shown)
        if "sources" in properties:
            raise DbtModelFailed(
                f"{shown} declares sources; every product is one already, derived from its "
                "contract: remove `sources`"
            )
        models = properties.get("models") or []
        for position, model in enumerate(models):
            if not isinstance(model, dict):
                raise DbtModelFailed(f"{shown}: models[{position}] must be a mapping")
            name = str(model.get("name"))
            if name not in there:
                raise DbtModelFailed(
                    f"{shown}: models[{position}] is about {name!r}, and there is no {name}.sql "
                    "beside it: nothing of it would be tested; correct the name or take it out"
                )
            contract = contracts.get(f"{domain}/{name}")
            if contract is not None:
                try:
                    models[position] = _properties(contract, model, shown)
                except DbtModelFailed as problem:
                    refused[name] = str(problem)
                described.add(contract.name)
        _dump(file, properties)
    return described, refused


def _properties(
    contract: Contract, written: Mapping[str, Any] | None = None, shown: str = ""
) -> dict[str, Any]:
    """dbt's properties of a product: `written` (its tests, mostly) under the contract's words."""
    written = written or {}
    own = {column["name"]: column for column in written.get("columns") or []}
    columns = [
        {
            **own.pop(column.name, {}),
            "name": column.name,
            "description": _plain(column.description),
            "data_type": column.type.duckdb,
        }
        for column in contract.columns
    ]
    if own:
        raise DbtModelFailed(
            f"{shown}: {contract.name} has columns that {contract.path} does not have: "
            f"{', '.join(map(str, own))}; declare them in the contract or remove their tests"
        )
    return {
        **written,
        "name": contract.name,
        "description": _plain(contract.description),
        "columns": columns,
    }


def _plain(text: str) -> str:
    """`text` as dbt shows it: its descriptions are Jinja, a contract's are not."""
    for opening in ("{{", "{%", "{#"):
        text = text.replace(opening, opening[0] + " " + opening[1])
    return text


def _load(file: Path, shown: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise DbtModelFailed(f"{shown} is not valid YAML: {problem}") from problem
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise DbtModelFailed(f"{shown} must hold a mapping, as dbt's schema files do")
    return content


def _dump(file: Path, content: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    file.write_text(text, encoding="utf-8")
