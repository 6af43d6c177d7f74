"""Whether each domain is a code location that Dagster finds.

Belongs here: what `workspace.yaml` and `definitions.py` must have for a domain to be loaded at all.
Does not belong here: what a location holds, which loading it tells (`locations/location.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shared_resources.contracts.source import Source, read_source
from shared_resources.environment import WORKSPACE_FILE
from shared_resources.findings import Finding, InvalidFile
from shared_resources.mesh.code.definitions_file import definitions_findings
from shared_resources.mesh.model import DEFINITIONS_FILE, Mesh

RULE = "location"


def location_findings(mesh: Mesh) -> Iterator[Finding]:
    """Domains without a location that loads, and locations without a domain."""
    for domain in mesh.own_domains:
        file = domain.folder / DEFINITIONS_FILE
        if not file.is_file():
            yield Finding(
                file,
                0,
                RULE,
                f"domain {domain.name!r} has no {DEFINITIONS_FILE}",
                "add it: `defs = build_domain(__file__)`",
            )
            continue
        yield from definitions_findings(domain.folder)
    workspace = mesh.root / WORKSPACE_FILE
    if workspace.is_file():  # a team's own image has none: its command line names the module
        yield from _workspace_findings(mesh, workspace)


def _workspace_findings(mesh: Mesh, file: Path) -> Iterator[Finding]:
    try:
        source = read_source(file, RULE)
    except InvalidFile as invalid:
        yield from invalid.findings
        return
    yield from source.findings
    listed = dict(_modules(source))
    last = max(listed.values(), default=1)
    for domain in mesh.own_domains:
        module = f"domains.{domain.name}.definitions"
        if module not in listed:
            yield Finding(
                file,
                last,
                RULE,
                f"domain {domain.name!r} is not listed, so Dagster does not load it",
                f"add a python_module with module_name: {module}",
            )
    for module, line in listed.items():
        package, _, rest = module.partition(".")
        name = rest.partition(".")[0]
        if package == "domains" and name not in {one.name for one in mesh.own_domains}:
            yield Finding(
                file, line, RULE, f"there is no domain {name!r}", "remove the location, or add it"
            )


def _modules(source: Source) -> Iterator[tuple[str, int]]:
    """(module, line) of every location that is given as a Python module."""
    locations = source.data.get("load_from")
    for index, location in enumerate(locations if isinstance(locations, list) else ()):
        module = location.get("python_module") if isinstance(location, dict) else None
        name = module.get("module_name") if isinstance(module, dict) else module
        if isinstance(name, str):
            yield name, source.line(("load_from", index))
