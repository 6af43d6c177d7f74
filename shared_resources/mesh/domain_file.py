"""`domain.yaml`, read strictly: the team behind a domain, and its waivers.

Belongs here: which fields there are, of which form, and the line that each stands on.
Does not belong here: whether names and owners agree with the contracts, or whether a waiver holds:
that is for the policies and `governance/waivers.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from shared_resources.findings import Finding
from shared_resources.mesh.model import DOMAIN_FILE, Archetype, Domain, ProductFolder, Waiver

RULE = "domain"
_FIELDS = ("name", "description", "archetype", "owner", "owners", "contact", "waivers")
_WAIVER_FIELDS = ("policy", "product", "reason", "approver", "expires")
_EXAMPLES: Mapping[str, str] = {
    "name": "name: order",
    "description": "description: what the team is responsible for",
    "archetype": "archetype: " + " | ".join(Archetype),
    "owner": "owner: orders@example.com",
    "owners": "owners: [orders@example.com]",
    "contact": 'contact: "#order-data"',
    "policy": "policy: described",
    "product": "product: transactions",
    "reason": "reason: why the policy cannot hold yet",
    "approver": "approver: governance@example.com",
    "expires": "expires: 2030-12-31",
}


def read_domain_file(
    folder: Path, products: tuple[ProductFolder, ...], findings: list[Finding]
) -> Domain:
    """The domain of a folder, with `findings` and what is wrong with its `domain.yaml`."""
    reader = _Reader(folder / DOMAIN_FILE, findings)
    given = reader.mapping(reader.document(), "domain.yaml", _FIELDS, optional=("waivers",))
    owner = reader.text(given, "owner")
    owners = reader.texts(given, "owners")
    if owner and owners and owner.casefold() not in {o.casefold() for o in owners}:
        reader.add(
            given["owner"].start_mark.line + 1,
            f"the owner {owner!r} is not among `owners`",
            "add it to `owners`: only they may own the domain's contracts",
        )
    return Domain(
        name=folder.name,
        folder=folder,
        declared_name=reader.text(given, "name"),
        description=reader.text(given, "description"),
        owner=owner,
        owners=owners,
        contact=reader.text(given, "contact"),
        archetype=reader.archetype(given),
        waivers=reader.waivers(given),
        products=products,
        findings=tuple(sorted(set(reader.findings))),
        lines={name: node.start_mark.line + 1 for name, node in given.items()},
    )


@dataclass
class _Reader:
    """Reads YAML nodes rather than values, because nodes know their lines."""

    file: Path
    findings: list[Finding] = field(default_factory=list)

    def add(self, line: int, message: str, remedy: str) -> None:
        self.findings.append(Finding(self.file, line, RULE, message, remedy))

    def document(self) -> yaml.Node | None:
        """The file's only document; None, with a finding, when there is none to read."""
        try:
            text = self.file.read_text(encoding="utf-8")
            node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
        except FileNotFoundError:
            self.add(0, "the domain's folder has no domain.yaml", "add it: name, owner, contact, …")
            return None
        except UnicodeDecodeError as error:
            self.add(0, f"the file is not UTF-8: {error.reason}", "save it as UTF-8")
            return None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error)
            self.add(mark.line + 1 if mark else 0, f"no valid YAML: {problem}", "mend the syntax")
            return None
        if node is None:
            self.add(1, "the file is empty", f"fill in: {', '.join(_FIELDS)}")
        return node

    def mapping(
        self, node: yaml.Node | None, what: str, fields: tuple[str, ...], optional: tuple[str, ...]
    ) -> dict[str, yaml.Node]:
        """The fields of a mapping by name; unknown, double and missing ones are findings."""
        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.add(_line(node), f"{what} is no mapping", f"give the fields {', '.join(fields)}")
            return {}
        given: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name not in fields:
                self.add(_line(key), f"{what}: unknown field {name!r}", f"use {', '.join(fields)}")
            elif name in given:
                self.add(_line(key), f"{what}: {name!r} is given twice", "keep one of them")
            else:
                given[name] = value
        for name in fields:
            if name not in given and name not in optional:
                self.add(_line(node), f"{what}: {name!r} is missing", f"add `{_EXAMPLES[name]}`")
        return given

    def text(self, given: Mapping[str, yaml.Node], name: str) -> str:
        """A field that is text and not blank; ``""``, with a finding, when it is anything else."""
        node = given.get(name)
        if node is None:
            return ""
        value = _value(node)
        if isinstance(value, str) and value.strip():
            return value.strip()
        self.add(_line(node), f"{name!r} is no text", f"write `{_EXAMPLES[name]}`")
        return ""

    def texts(self, given: Mapping[str, yaml.Node], name: str) -> tuple[str, ...]:
        node = given.get(name)
        if node is None:
            return ()
        value = _value(node)
        if isinstance(value, list) and value and all(isinstance(v, str) and v for v in value):
            return tuple(v.strip() for v in value)
        self.add(_line(node), f"{name!r} is no list of texts", f"write `{_EXAMPLES[name]}`")
        return ()

    def archetype(self, given: Mapping[str, yaml.Node]) -> Archetype | None:
        value = self.text(given, "archetype")
        if value and value not in list(Archetype):
            self.add(
                _line(given["archetype"]),
                f"unknown archetype {value!r}",
                f"use one of {', '.join(Archetype)}",
            )
            return None
        return Archetype(value) if value else None

    def waivers(self, given: Mapping[str, yaml.Node]) -> tuple[Waiver, ...]:
        node = given.get("waivers")
        if node is None or _value(node) in (None, []):
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.add(_line(node), "'waivers' is no list", "write each waiver as one list item")
            return ()
        read = (self._waiver(item) for item in node.value)
        return tuple(waiver for waiver in read if waiver is not None)

    def _waiver(self, node: yaml.Node) -> Waiver | None:
        """One waiver; None, with findings, when it lacks anything: half a waiver waives nothing."""
        given = self.mapping(node, "waiver", _WAIVER_FIELDS, optional=())
        texts = {name: self.text(given, name) for name in _WAIVER_FIELDS[:-1]}
        expires = self._day(given.get("expires"))
        if expires is None or not all(texts.values()):
            return None
        return Waiver(**texts, expires=expires, file=self.file, line=_line(node))

    def _day(self, node: yaml.Node | None) -> date | None:
        if node is None:
            return None
        value = _value(node)
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                value = None
        if type(value) is date:
            return value
        self.add(_line(node), "'expires' is no day", f"write `{_EXAMPLES['expires']}`")
        return None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _value(node: yaml.Node) -> Any:
    """The plain value of a node; None where YAML promises a value that does not exist."""
    constructor = yaml.constructor.SafeConstructor()
    try:
        return constructor.construct_document(node)
    except (yaml.YAMLError, ValueError):  # `expires: 2030-02-31` is a date to YAML, and is none
        return None
