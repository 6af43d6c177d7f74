"""The adapter to the Open Access Agreement Standard: its files, read strictly, and written.

Belongs here: the fields of OAAS v0.9.0 (Bitol RFC 0056), which of them the mesh reads as what.
Does not belong here: where the files lie (`folder.py`), whether what they say may be (`access/`).

A product of the mesh has one output port, which all of its stores serve, called as the product is.
The standard has no field for who approved: it is a property of the vendor `mesh`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from shared_resources.contracts.source import Place, parse_source, read_source
from shared_resources.findings import InvalidFile
from shared_resources.mesh.agreements.model import Agreement, Consumer, Status
from shared_resources.mesh.field_reader import FieldReader, listed

RULE = "agreement"
VERSION = "v0.9.0"
KIND = "AccessAgreement"
SCHEMA_LINE = "# yaml-language-server: $schema={}\n"
FIELDS = (
    "apiVersion",
    "kind",
    "id",
    "name",
    "version",
    "status",
    "description",
    "startTimestamp",
    "endTimestamp",
    "nextReassessmentTimestamp",
    "provider",
    "consumer",
    "roles",
    "tags",
    "authoritativeDefinitions",
    "customProperties",
)
NEEDED = ("apiVersion", "kind", "id", "status", "description", "provider", "consumer", "roles")
DESCRIPTION = ("purpose", "usage", "limitations", "terms")
PROVIDER = ("teamId", "dataProductId", "outputPortId", "dataContractId", "dataContractVersion")
CONSUMER = ("teamId", "dataProductId", "userId")
DECIDED_BY, DECIDED_AT = "decidedBy", "decidedAt"
_EXAMPLES = {
    "apiVersion": f"apiVersion: {VERSION}",
    "kind": f"kind: {KIND}",
    "id": "id: marketing-contacts-campaigns",
    "status": "status: requested",
    "description": "description: {purpose: a central purpose}",
    "purpose": "purpose: a central purpose",
    "usage": "usage: why it is needed, in words",
    "startTimestamp": 'startTimestamp: "2026-01-01T00:00:00Z"',
    "endTimestamp": 'endTimestamp: "2026-12-31T23:59:59Z"',
    "nextReassessmentTimestamp": 'nextReassessmentTimestamp: "2026-12-31T23:59:59Z"',
    "provider": "provider: {teamId: a domain, dataProductId: its product, outputPortId: its product}",
    "teamId": "teamId: a domain",
    "dataProductId": "dataProductId: a product",
    "outputPortId": "outputPortId: the product",
    "userId": "userId: somebody@example.com",
    "consumer": "consumer: {teamId: a domain}",
    "roles": "roles: [{role: a role of the contract}]",
    "role": "role: a role of the contract",
    DECIDED_BY: "somebody@example.com",
    DECIDED_AT: '"2026-01-01T00:00:00Z"',
}


def read_agreement(file: Path) -> Agreement:
    """The agreement in a file. Raises `InvalidFile` with everything that is wrong with it."""
    source = read_source(file, RULE)
    reader = _Reader(source, RULE, _EXAMPLES, list(source.findings))
    agreement = reader.agreement()
    if reader.findings:
        raise InvalidFile(set(reader.findings))
    return agreement


def agreement_text(agreement: Agreement, contract_id: str, contract_version: str) -> str:
    """The agreement as a file of the standard."""
    domain, _, name = agreement.product.partition("/")
    consumer = agreement.consumer
    moments = {
        "startTimestamp": agreement.starts,
        "endTimestamp": agreement.ends,
        "nextReassessmentTimestamp": agreement.reassessment,
    }
    description = {"purpose": agreement.purpose, "usage": agreement.usage}
    given = {"teamId": consumer.team, "dataProductId": consumer.product, "userId": consumer.user}
    document: dict[str, Any] = {
        "apiVersion": VERSION,
        "kind": KIND,
        "id": agreement.id,
        "status": agreement.status.value,
        "description": {key: value for key, value in description.items() if value},
        **{key: written(moment) for key, moment in moments.items() if moment is not None},
        "provider": {
            "teamId": domain,
            "dataProductId": name,
            "outputPortId": name,
            "dataContractId": contract_id,
            "dataContractVersion": contract_version,
        },
        "consumer": {key: value for key, value in given.items() if value},
        "roles": [{"role": role} for role in agreement.roles],
    }
    if agreement.decided_by and agreement.decided_at is not None:
        document["customProperties"] = [
            {"property": DECIDED_BY, "value": agreement.decided_by, "vendor": "mesh"},
            {"property": DECIDED_AT, "value": written(agreement.decided_at), "vendor": "mesh"},
        ]
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    parse_source(text.encode(), agreement.file, RULE)  # what is written is what is read
    return text


def written(moment: datetime) -> str:
    """A moment as the standard wants it: RFC 3339 in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


class _Reader(FieldReader):
    def agreement(self) -> Agreement:
        data = self.source.data
        self.expect_fields((), data, FIELDS, optional=[f for f in FIELDS if f not in NEEDED])
        for name, only in (("apiVersion", VERSION), ("kind", KIND)):
            if name in data and data[name] != only:
                self.add((name,), f"{name} is {data[name]!r}", f"write `{_EXAMPLES[name]}`")
        provider = self._part("provider", PROVIDER, PROVIDER[:3])
        consumer = self._part("consumer", CONSUMER, ())
        described = self._part("description", DESCRIPTION, ("purpose",))
        status = self._status()
        decided = self._decided()
        return Agreement(
            id=self.text(("id",)) if "id" in data else "",
            product=self._provided(provider),
            consumer=self._consumer(consumer),
            purpose=self.text(("description", "purpose")) if "purpose" in described else "",
            usage=str(described.get("usage", "")).strip(),
            status=status,
            roles=self._roles(),
            file=self.source.path,
            starts=self._moment(("startTimestamp",)),
            ends=self._moment(("endTimestamp",)),
            reassessment=self._moment(("nextReassessmentTimestamp",)),
            decided_by=str(decided.get(DECIDED_BY, "")),
            decided_at=self._read_moment(decided.get(DECIDED_AT)),
            line=self.source.line(("status",)),
        )

    def _part(
        self, name: str, fields: tuple[str, ...], needed: tuple[str, ...]
    ) -> Mapping[str, Any]:
        part = self.source.data.get(name)
        if not isinstance(part, dict):
            if part is not None:
                self.add((name,), f"{name!r} has no fields", f"write `{_EXAMPLES[name]}`")
            return {}
        optional = [field for field in fields if field not in needed]
        self.expect_fields((name,), part, fields, optional, of=f"{name}: ")
        return {key: value for key, value in part.items() if key in fields}

    def _provided(self, provider: Mapping[str, Any]) -> str:
        names = [self.text(("provider", field)) for field in PROVIDER[:3] if field in provider]
        if len(names) < 3:
            return ""
        if names[2] and names[2] != names[1]:
            self.add(
                ("provider", "outputPortId"),
                f"{names[2]!r} is no output port of {names[1]!r}",
                f"write {names[1]!r}: a product has one port, which all of its stores serve",
            )
        return f"{names[0]}/{names[1]}"

    def _consumer(self, given: Mapping[str, Any]) -> Consumer:
        names = {field: self.text(("consumer", field)) for field in given}
        if not names and isinstance(self.source.data.get("consumer"), dict):
            self.add(("consumer",), "it serves nobody", f"write `{_EXAMPLES['consumer']}`")
        if "dataProductId" in names and "teamId" not in names:
            self.add(("consumer",), "a product without its team", f"add `{_EXAMPLES['teamId']}`")
        if "userId" in names and len(names) > 1:
            self.add(("consumer",), "a person and a team", "make it two agreements")
        user = names.get("userId", "")
        if user and "@" not in user and ":" not in user:
            self.add(
                ("consumer", "userId"),
                f"{user!r} may be a person or a domain",
                "write somebody@example.com, or agent:name",
            )
        return Consumer(names.get("teamId", ""), names.get("dataProductId", ""), user)

    def _status(self) -> Status:
        given = self.source.data.get("status")
        if given in list(Status):
            return Status(given)
        if given is not None:
            self.add(("status",), f"status is {given!r}", f"use one of {listed(Status)}")
        return Status.REQUESTED

    def _roles(self) -> tuple[str, ...]:
        items = self.source.data.get("roles")
        if not isinstance(items, list) or not items:
            if items is not None:
                self.add(("roles",), "it grants no role", f"write `{_EXAMPLES['roles']}`")
            return ()
        names = []
        for index, item in enumerate(items):
            place: Place = ("roles", index)
            if not isinstance(item, dict):
                self.add(place, "a role without a name", f"write `{{{_EXAMPLES['role']}}}`")
                continue
            known = ("role", "id", "description", "customProperties")
            self.expect_fields(place, item, known, known[1:], of="role: ")
            if name := self.text((*place, "role")) if "role" in item else "":
                names.append(name)
        return tuple(dict.fromkeys(names))

    def _decided(self) -> Mapping[str, Any]:
        """The mesh's own properties; those of other vendors are theirs."""
        items = self.source.data.get("customProperties") or []
        found: dict[str, Any] = {}
        if not isinstance(items, list):
            self.add(("customProperties",), "it is no list", "write a list of properties")
            return found
        for index, item in enumerate(items):
            if not isinstance(item, dict) or item.get("vendor") != "mesh":
                continue
            name, place = item.get("property"), ("customProperties", index)
            if name not in (DECIDED_BY, DECIDED_AT):
                remedy = f"there are {DECIDED_BY}, {DECIDED_AT}"
                self.add(place, f"{name!r} is no property of an agreement", remedy)
            elif not isinstance(item.get("value"), str) or not item["value"].strip():
                self.add(place, f"{name!r} is not text", f"write `{_EXAMPLES[name]}`")
            elif name == DECIDED_AT and self._read_moment(item["value"]) is None:
                self.add(place, f"{name!r} is no moment in UTC", f"write `{_EXAMPLES[name]}`")
            else:
                found[name] = item["value"].strip()
        return found

    def _moment(self, place: Place) -> datetime | None:
        value = self.value(place)
        moment = self._read_moment(value)
        if value is not None and moment is None:
            name = str(place[-1])
            self.add(
                place, f"{name!r} is no moment in UTC: {value!r}", f"write `{_EXAMPLES[name]}`"
            )
        return moment

    @staticmethod
    def _read_moment(value: object) -> datetime | None:
        if not isinstance(value, str) or not value.endswith("Z"):
            return None
        try:
            return datetime.fromisoformat(value[:-1]).replace(tzinfo=UTC)
        except ValueError:
            return None
