"""Which file has which text: the list of everything that is made from the code.

Belongs here: the files, and putting a made part between its marks in a page that somebody writes.
Does not belong here: what stands in them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from shared_resources.reference.described import Schema
from shared_resources.reference.pages.commands import commands_page
from shared_resources.reference.pages.contract import contract_page
from shared_resources.reference.pages.policies import policies_page
from shared_resources.reference.pages.rooms import rooms
from shared_resources.reference.pages.settings import settings_page
from shared_resources.reference.schemas.agreement import agreement_schema
from shared_resources.reference.schemas.contract import contract_schema
from shared_resources.reference.schemas.domain import central_schema, domain_schema

REFERENCE = Path("docs/reference")
SCHEMAS = REFERENCE / "schemas"
ARCHITECTURE = Path("docs/architecture.md")


def made_files(root: Path) -> Mapping[Path, str]:
    """Each file below `root` with the text that it ought to have now."""
    return {
        REFERENCE / "contract.md": contract_page(),
        REFERENCE / "commands.md": commands_page(),
        REFERENCE / "policies.md": policies_page(),
        REFERENCE / "settings.md": settings_page(),
        SCHEMAS / "agreement.schema.json": _json(agreement_schema()),
        SCHEMAS / "contract.schema.json": _json(contract_schema()),
        SCHEMAS / "domain.schema.json": _json(domain_schema()),
        SCHEMAS / "governance.schema.json": _json(central_schema()),
        ARCHITECTURE: _with(root / ARCHITECTURE, "rooms", rooms(root)),
    }


def _with(page: Path, name: str, part: str) -> str:
    """The page with `part` between `<!-- made: name -->` and `<!-- end -->`."""
    text = page.read_text(encoding="utf-8")
    marks = re.compile(rf"(<!-- made: {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
    return marks.sub(lambda found: f"{found[1]}{part}{found[2]}", text)


def _json(schema: Schema) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False, default=str) + "\n"
