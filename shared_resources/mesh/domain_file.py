"""`domain.yaml`, read strictly: the team behind a domain, and its waivers.

Belongs here: which fields there are, of which form, and the line that each stands on.
Does not belong here: YAML itself (`contracts/source.py`); whether names and owners agree with the
contracts (`governance/policies/`), or whether a waiver holds (`governance/waivers.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from shared_resources.contracts.source import Place, Source, read_source
from shared_resources.findings import Finding, InvalidFile
from shared_resources.mesh.model import DOMAIN_FILE, Archetype, Domain, ProductFolder, Waiver

RULE = "domain"
_WAIVER_FIELDS = ("policy", "product", "reason", "approver", "expires")
_EXAMPLES: Mapping[str, str] = {
    "name": "name: order",
    "description": "description: what the team is responsible for",
    "archetype": "archetype: " + " | ".join(Archetype),
    "owner": "owner: orders@example.com",
    "owners": "owners: [orders@example.com]",
    "contact": 'contact: "#order-data"',
    "waivers": "waivers: [{policy: …, product: …, reason: …, approver: …, expires: 2030-12-31}]",
    "policy": "policy: described",
    "product": "product: transactions",
    "reason": "reason: why the policy cannot hold yet",
    "approver": "approver: governance@example.com",
    "expires": "expires: 2030-12-31",
}
_FIELDS = ("name", "description", "archetype", "owner", "owners", "contact", "waivers")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_domain_file(
    folder: Path, products: tuple[ProductFolder, ...], findings: list[Finding]
) -> Domain:
    """The domain of a folder; its findings are `findings` and what is wrong with `domain.yaml`."""
    file = folder / DOMAIN_FILE
    if not file.is_file():
        missing = Finding(
            file,
            0,
            RULE,
            "the domain's folder has no domain.yaml",
            f"add it, with {_list(_FIELDS)}",
        )
        return _domain(folder, products, [*findings, missing])
    try:
        source = read_source(file, RULE)
    except InvalidFile as invalid:
        return _domain(folder, products, [*findings, *invalid.findings])
    reader = _Reader(source, [*findings, *source.findings])
    reader.expect_fields((), source.data, _FIELDS, optional="waivers")
    given = {name: reader.text((name,)) for name in (*_FIELDS[:4], "contact")}
    owners = reader.texts(("owners",))
    reader.expect_owner_among(given["owner"], owners)
    archetype = reader.archetype(given["archetype"])
    waivers = tuple(reader.waivers())
    return _domain(
        folder,
        products,
        reader.findings,
        declared_name=given["name"],
        description=given["description"],
        owner=given["owner"],
        owners=owners,
        contact=given["contact"],
        archetype=archetype,
        waivers=waivers,
        lines=source.lines,
    )


def _domain(
    folder: Path, products: tuple[ProductFolder, ...], findings: list[Finding], **fields: Any
) -> Domain:
    return Domain(
        name=folder.name,
        folder=folder,
        products=products,
        findings=tuple(sorted(set(findings))),
        **fields,
    )


@dataclass
class _Reader:
    """Reads fields of one source and collects what is wrong with them."""

    source: Source
    findings: list[Finding] = field(default_factory=list)

    def add(self, place: Place, message: str, remedy: str) -> None:
        line = self.source.line(place)
        self.findings.append(Finding(self.source.path, line, RULE, message, remedy))

    def expect_fields(
        self, place: Place, given: Mapping[str, Any], fields: tuple[str, ...], optional: str = ""
    ) -> None:
        """Unknown and missing fields are findings."""
        what = "waiver: " if place else ""
        for name in given:
            if name not in fields:
                close = get_close_matches(name, fields, n=1)
                remedy = f"did you mean {close[0]!r}?" if close else f"there are {_list(fields)}"
                self.add((*place, name), f"{what}unknown field {name!r}", remedy)
        for name in fields:
            if name not in given and name != optional:
                self.add(place, f"{what}{name!r} is missing", f"add `{_EXAMPLES[name]}`")

    def text(self, place: Place) -> str:
        """A field that is text and not blank; ``""``, with a finding, when it is anything else."""
        value = self._value(place)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if place in self.source.places:
            name = str(place[-1])
            self.add(place, f"{name!r} is not text", f"write `{_EXAMPLES[name]}`")
        return ""

    def texts(self, place: Place) -> tuple[str, ...]:
        value = self._value(place)
        if isinstance(value, list) and value and all(isinstance(v, str) and v for v in value):
            return tuple(v.strip() for v in value)
        if place in self.source.places:
            name = str(place[-1])
            self.add(place, f"{name!r} is not a list of texts", f"write `{_EXAMPLES[name]}`")
        return ()

    def expect_owner_among(self, owner: str, owners: tuple[str, ...]) -> None:
        if owner and owners and owner.casefold() not in {o.casefold() for o in owners}:
            self.add(
                ("owner",),
                f"the owner {owner!r} is not among `owners`",
                "add it to `owners`: only they may own the domain's contracts",
            )

    def archetype(self, given: str) -> Archetype | None:
        if given and given not in list(Archetype):
            self.add(
                ("archetype",), f"unknown archetype {given!r}", f"use one of {_list(Archetype)}"
            )
            return None
        return Archetype(given) if given else None

    def waivers(self) -> Iterator[Waiver]:
        """The complete waivers; half a waiver is a finding and waives nothing."""
        items = self.source.data.get("waivers") or []
        if not isinstance(items, list):
            self.add(("waivers",), "'waivers' is not a list", f"write `{_EXAMPLES['waivers']}`")
            return
        for index, item in enumerate(items):
            place: Place = ("waivers", index)
            if not isinstance(item, dict):
                self.add(place, "a waiver without fields", f"write `{_EXAMPLES['waivers']}`")
                continue
            self.expect_fields(place, item, _WAIVER_FIELDS)
            policy, product, reason, approver = (
                self.text((*place, name)) for name in _WAIVER_FIELDS[:4]
            )
            expires = self._day((*place, "expires"))
            if policy and product and reason and approver and expires:
                file, line = self.source.path, self.source.line(place)
                yield Waiver(policy, product, reason, approver, expires, file, line)

    def _day(self, place: Place) -> date | None:
        value = self._value(place)
        if isinstance(value, str) and _DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:  # the 30th of February
                pass
        if place in self.source.places:
            self.add(place, f"'expires' is not a day: {value!r}", f"write `{_EXAMPLES['expires']}`")
        return None

    def _value(self, place: Place) -> Any:
        """The value at a place; None where there is none."""
        value: Any = self.source.data
        for step in place:
            if isinstance(value, dict):
                value = value.get(str(step))
            elif isinstance(value, list) and isinstance(step, int):
                value = value[step]
        return value


def _list(names: Any) -> str:
    return ", ".join(str(name) for name in names)
