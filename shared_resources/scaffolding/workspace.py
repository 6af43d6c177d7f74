"""The entry of a new code location in `workspace.yaml`.

Belongs here: adding it to what people wrote, whose words and comments stay.
Does not belong here: whether an entry is missing (`mesh/locations.py`).
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from shared_resources.scaffolding.new_files import NotMade

LIST = "load_from"
_ENTRY = """\
{indent}- python_module:
{indent}    module_name: {module}
{indent}    location_name: {name}
"""
_EMPTY = re.compile(rf"(?m)^{LIST}:[ ]*\[[ ]*\][ ]*$")
_ITEM = re.compile(r"(?m)^( *)- ")


def with_location(file: Path, name: str) -> str:
    """The text of the workspace file with the domain's location at its end.

    Raises `NotMade` for a file to which nothing can be added by writing behind it.
    """
    text = file.read_text(encoding="utf-8") if file.exists() else f"{LIST}:\n"
    module = f"domains.{name}.definitions"
    text = _EMPTY.sub(f"{LIST}:", text)
    indents = [found[1] for found in _ITEM.finditer(text)]
    entry = _ENTRY.format(indent=indents[0] if indents else "  ", module=module, name=name)
    added = f"{text.rstrip()}\n{entry}" if text.strip() else f"{LIST}:\n{entry}"
    wanted = {"python_module": {"module_name": module, "location_name": name}}
    try:
        before, after = yaml.safe_load(text) or {}, yaml.safe_load(added)
        sound = after == {**before, LIST: [*(before.get(LIST) or []), wanted]}
    except (yaml.YAMLError, AttributeError, TypeError):
        sound = False
    if not sound:
        raise NotMade(
            f"{file}: the location cannot be added behind what stands there; make `{LIST}` a list, an "
            f"entry a line, at the end of the file, or add {wanted} to it yourself"
        )
    return added
