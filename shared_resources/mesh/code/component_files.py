"""`defs.yaml`: by which Dagster's `dg` knows a folder of a domain as one of the platform's components.

Belongs here: which components a domain's folder may hold, and where.
Does not belong here: the components themselves (`components/`), the code of a domain.

The file decides nothing: what a location holds is made of contracts. A component of another type would
make assets without one, and `post_processing` would change those that have one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shared_resources.contracts.source import read_source
from shared_resources.findings import Finding, InvalidFile

RULE = "location"
COMPONENT_FILE = "defs.yaml"
DOMAIN_COMPONENT = "shared_resources.components.Domain"
PRODUCT_COMPONENT = "shared_resources.components.DataProduct"
# Each of them is one to Dagster.
_FILES = (COMPONENT_FILE, "defs.yml", "component.yaml")
_INSTEAD = "assets come from products, each with its contract"


def component_findings(folder: Path) -> Iterator[Finding]:
    """What is wrong with the files in a domain's folder that `dg` takes for components."""
    for file in sorted(one for name in _FILES for one in folder.rglob(name)):
        yield from _of_file(folder, file)


def _of_file(folder: Path, file: Path) -> Iterator[Finding]:
    wanted = None
    if file.parent == folder:
        wanted = DOMAIN_COMPONENT
    elif file.parent.parent == folder / "products":
        wanted = PRODUCT_COMPONENT
    try:
        source = read_source(file, RULE)
    except InvalidFile as invalid:
        yield from invalid.findings
        return
    yield from source.findings
    if wanted is None or source.data.get("type") != wanted:
        message = f"a component of type {source.data.get('type')!r} has no place here"
        remedy = f"write `type: {wanted}`, or remove the file" if wanted else "remove the file"
        yield Finding(file, source.line(("type",)), RULE, message, f"{remedy}; {_INSTEAD}")
    for field in source.data:
        if field != "type" and not (field == "attributes" and not source.data[field]):
            message = f"{field!r} would say of the component what its contract says"
            yield Finding(file, source.line((field,)), RULE, message, f"remove it; {_INSTEAD}")
