"""`customProperties` of the mesh: what ODCS has no field for.

Belongs here: telling the mesh's own properties from other vendors', wherever they stand.
Does not belong here: what each one means (`platform_properties.py`, kinds of rule in `contracts/rules/`).

Other vendors' properties are kept in the file and not read. A property of vendor `mesh` that is
not known where it stands is an error, and so is one of ours that lacks its vendor.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from shared_resources.contracts.node import Node, suggest

VENDOR = "mesh"


def vendor_properties(node: Node, known: Sequence[str]) -> dict[str, Node]:
    """The values of the mesh's custom properties below `node`, by name; findings for the rest."""
    found: dict[str, Node] = {}
    for item in node.each("customProperties"):
        name, value = item.text("property"), item.get("value")
        if not _is_ours(item, known) or value is None:
            continue
        if name not in known:
            (item.get("property") or item).problem(
                f"is {name!r}, which the mesh does not know here", suggest(name, known)
            )
        elif name in found:
            item.problem(f"sets {name!r} a second time", "keep one of the two")
        else:
            found[name] = value
    return found


def texts(field: Node | None) -> tuple[str, ...]:
    """The value of a property that is one text or several; a finding for what is neither."""
    if field is None:
        return ()
    found = field.value if isinstance(field.value, list) else [field.value]
    if not found or not all(isinstance(one, str) and one.strip() for one in found):
        field.problem("is no text", "write a sentence, or a list of them, or remove it")
        return ()
    return tuple(found)


def _is_ours(item: Node, known: Sequence[str]) -> bool:
    vendor = item.get("vendor")
    name = item.text("property")
    if vendor is None:
        if difflib.get_close_matches(name, known, n=1, cutoff=0.8):
            item.problem(f"sets {name!r} without a vendor", f"add `vendor: {VENDOR}`")
        return False
    if vendor.value == "":
        vendor.problem("is empty", f"write {VENDOR!r}, or another vendor's name")
    if not isinstance(vendor.value, str) or vendor.value == VENDOR:
        return bool(vendor.value == VENDOR)
    if difflib.get_close_matches(vendor.value.lower(), (VENDOR,), n=1, cutoff=0.7):
        vendor.problem(f"is {vendor.value!r}", f"write {VENDOR!r}, or another vendor's name")
    return False


def check_elsewhere(node: Node, read: frozenset[tuple[str | int, ...]]) -> None:
    """Complain about the mesh's properties in places where it reads none. `read`: where it does."""
    for name, field in node.fields():
        if name == "customProperties" and node.place not in read:
            vendor_properties(node, ())
        elif name != "value":
            check_elsewhere(field, read)
    for item in _items(node):
        check_elsewhere(item, read)


def _items(node: Node) -> Iterator[Node]:
    return node.items()
