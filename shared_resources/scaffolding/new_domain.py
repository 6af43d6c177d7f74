"""A new domain: its folder, its code location, its place in the workspace.

Belongs here: what its files say.
Does not belong here: what `domain.yaml` may say (`mesh/domain_file.py`), products (`new_product.py`).
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from shared_resources.environment import WORKSPACE_FILE
from shared_resources.findings import Finding
from shared_resources.governance.catalogue import check_domain
from shared_resources.mesh import Archetype, read_mesh
from shared_resources.mesh.locations import location_findings
from shared_resources.mesh.model import DEFINITIONS_FILE, DOMAIN_FILE, SOURCE_SYSTEMS
from shared_resources.scaffolding.new_files import NotMade, written
from shared_resources.scaffolding.workspace import with_location

_SCHEMA = "# yaml-language-server: $schema=../../docs/reference/schemas/domain.schema.json\n"
_DEFINITIONS = '''\
"""The code location of the {name} domain; everything in it comes from its products' folders."""

from shared_resources import build_domain

defs = build_domain(__file__)
'''


@dataclass(frozen=True)
class NewDomain:
    """What people say of a domain when they begin it."""

    name: str
    owner: str
    contact: str
    archetype: Archetype
    description: str


def make_domain(root: Path, domain: NewDomain) -> tuple[Path, ...]:
    """Write the domain below `root / "domains"`; returns the files, the workspace's among them.

    Raises `NotMade`, and leaves nothing behind, when the mesh's checks have anything against it.
    """
    if domain.name == SOURCE_SYSTEMS:
        raise NotMade(f"{domain.name!r} names what stands beside the domains; choose another name")
    described = {
        "name": domain.name,
        "description": domain.description,
        "archetype": domain.archetype.value,
        "owner": domain.owner,
        "owners": [domain.owner],
        "contact": domain.contact,
        "waivers": [],
    }
    files = {
        DOMAIN_FILE: _SCHEMA + yaml.safe_dump(described, sort_keys=False, allow_unicode=True),
        DEFINITIONS_FILE: _DEFINITIONS.format(name=domain.name),
    }
    folder, workspace = root / "domains" / safe_name(domain.name), root / WORKSPACE_FILE
    with written(folder, files, {workspace: with_location(workspace, domain.name)}) as made:
        mesh = read_mesh(root)
        own = [*check_domain(mesh.domain(domain.name), mesh).findings]
        own += [found for found in location_findings(mesh) if f"{domain.name!r}" in found.message]
        refuse_findings(f"the domain {domain.name!r}", own)
    return made


def safe_name(name: str) -> str:
    """The name, if it can name a folder of the mesh; the policies say more. Raises `NotMade`."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise NotMade(
            f"{name!r} cannot name a domain or product, since Python cannot import it: use lower-case "
            "letters and digits, words joined by single underscores"
        )
    return name


def refuse_findings(what: str, findings: Iterable[Finding]) -> None:
    """Raises `NotMade` for what the mesh's checks find."""
    found = sorted(findings)
    if found:
        lines = "".join(f"\n  {finding}" for finding in found)
        raise NotMade(f"{what} was not made, since `mesh check` would find:{lines}")
