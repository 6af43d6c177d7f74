"""`domain.yaml`, read strictly: the team behind a domain, its waivers, the variables it sees.

Belongs here: which fields there are, of which form, and the line that each stands on.
Does not belong here: YAML itself (`contracts/source.py`); whether names and owners agree with the
contracts (`governance/policies/`), or whether a waiver holds (`governance/waivers.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared_resources.confinement.variables import problem_with
from shared_resources.contracts.source import Place, read_source
from shared_resources.findings import Finding, InvalidFile
from shared_resources.mesh.field_reader import FieldReader, listed
from shared_resources.mesh.model import DOMAIN_FILE, Archetype, Domain, ProductFolder, Waiver

RULE = "domain"
WAIVER_FIELDS = ("policy", "product", "reason", "approver", "expires")
_EXAMPLES: Mapping[str, str] = {
    "name": "name: order",
    "description": "description: what the team is responsible for",
    "archetype": "archetype: " + " | ".join(Archetype),
    "owner": "owner: orders@example.com",
    "owners": "owners: [orders@example.com]",
    "contact": 'contact: "#order-data"',
    "environment": "environment: [WEATHER_API_TOKEN]",
    "waivers": "waivers: [{policy: …, product: …, reason: …, approver: …, expires: 2030-12-31}]",
    "policy": "policy: described",
    "product": "product: transactions",
    "reason": "reason: why the policy cannot hold yet",
    "approver": "approver: governance@example.com",
    "expires": "expires: 2030-12-31",
}
OPTIONAL = ("waivers", "environment")
FIELDS = ("name", "description", "archetype", "owner", "owners", "contact", *OPTIONAL)


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
            f"add it, with {listed(FIELDS)}",
        )
        return _domain(folder, products, [*findings, missing])
    try:
        source = read_source(file, RULE)
    except InvalidFile as invalid:
        return _domain(folder, products, [*findings, *invalid.findings])
    reader = _Reader(source, RULE, _EXAMPLES, [*findings, *source.findings])
    reader.expect_fields((), source.data, FIELDS, optional=OPTIONAL)
    given = {name: reader.text((name,)) for name in (*FIELDS[:4], "contact")}
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
        environment=tuple(reader.variables()),
        lines=source.lines,
    )


def variables_named(folder: Path) -> tuple[str, ...]:
    """The variables that the domain in `folder` may see beside those that everybody sees."""
    return read_domain_file(folder, (), []).environment


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's: the case of ASCII letters says nothing, other letters that
    look or fold alike (`ß` and `ss`, the Kelvin sign and `k`) are others."""
    return one == other or (
        one.isascii() and other.isascii() and one.casefold() == other.casefold()
    )


def owners_named(folder: Path) -> tuple[str, ...]:
    """The people who own the domain in `folder`, and may decide for it."""
    return read_domain_file(folder, (), []).owners


def waivers_named(folder: Path) -> tuple[Waiver, ...]:
    """The waivers of the domain in `folder`, whether or not they hold."""
    return read_domain_file(folder, (), []).waivers


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


class _Reader(FieldReader):
    """What `domain.yaml` has beside plain fields."""

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
                ("archetype",), f"unknown archetype {given!r}", f"use one of {listed(Archetype)}"
            )
            return None
        return Archetype(given) if given else None

    def variables(self) -> Iterator[str]:
        """The variables that the domain may see; one that it may not is a finding and left out."""
        if self.value(("environment",)) == []:
            return
        for index, name in enumerate(self.texts(("environment",))):
            problem = problem_with(name)
            if problem is None:
                yield name
                continue
            remedy = "take it out; name only what the domain's own code needs, its own secrets"
            self.add(("environment", index), f"{name!r} {problem}", remedy)

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
            self.expect_fields(place, item, WAIVER_FIELDS, of="waiver: ")
            policy, product, reason, approver = (
                self.text((*place, name)) for name in WAIVER_FIELDS[:4]
            )
            expires = self.day((*place, "expires"))
            if policy and product and reason and approver and expires:
                file, line = self.source.path, self.source.line(place)
                yield Waiver(policy, product, reason, approver, expires, file, line)
