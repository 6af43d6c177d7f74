"""The JSON Schema of an access agreement: OAAS v0.9.0, narrowed to what this platform reads.

Belongs here: each field of the standard with its form. Does not belong here: what holds between files
(roles of the contract, purposes of the central file, owners): `mesh check` says that.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared_resources.mesh.agreements import oaas
from shared_resources.mesh.agreements.model import Status
from shared_resources.reference.described import Schema, described

_TEXT: Schema = {"type": "string", "minLength": 1}
_MOMENT: Schema = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$"}
_LIST: Schema = {"type": "array"}


def _object(fields: tuple[str, ...], said: Mapping[str, str], required: tuple[str, ...]) -> Schema:
    texts = {name: {**_TEXT, "description": text} for name, text in said.items()}
    return {
        "type": "object",
        "properties": described(fields, texts),
        "required": [*required],
        "additionalProperties": False,
    }


_DESCRIPTION = {
    "purpose": "One of the purposes in domains/governance.yaml.",
    "usage": "Why the consumer needs the data, in words.",
    "limitations": "What it may not do with them; for people.",
    "terms": "Commercial terms; for people.",
}
_PROVIDER = {
    "teamId": "The domain that owns the product.",
    "dataProductId": "The product.",
    "outputPortId": "The product again: it has one port, which all of its stores serve.",
    "dataContractId": "The id of its contract.",
    "dataContractVersion": "The version of the contract that it was agreed upon.",
}
_CONSUMER = {
    "teamId": "The domain that reads.",
    "dataProductId": "The one product of it that reads; without it all of them.",
    "userId": "A person, by e-mail, or `agent:name`; alone.",
}
_ROLE: Schema = {
    "type": "object",
    "properties": {"role": {**_TEXT, "description": "A role of the product's contract."}},
    "required": ["role"],
}
_FIELDS: Mapping[str, Schema] = {
    "apiVersion": {"const": oaas.VERSION, "description": "The version of the standard."},
    "kind": {"const": oaas.KIND},
    "id": {**_TEXT, "description": "Unique to the agreement; readings in the access log name it."},
    "name": {**_TEXT, "description": "What people call it."},
    "version": {**_TEXT, "description": "The version of this document."},
    "status": {"enum": [*Status], "description": "Only what is approved is in force."},
    "description": _object(oaas.DESCRIPTION, _DESCRIPTION, ("purpose",)),
    "startTimestamp": {**_MOMENT, "description": "From when on it is in force."},
    "endTimestamp": {**_MOMENT, "description": "Its last moment; without it, it does not end."},
    "nextReassessmentTimestamp": {**_MOMENT, "description": "By when it is to be looked at again."},
    "provider": _object(oaas.PROVIDER, _PROVIDER, oaas.PROVIDER[:3]),
    "consumer": {**_object(oaas.CONSUMER, _CONSUMER, ()), "minProperties": 1},
    "roles": {"type": "array", "items": _ROLE, "minItems": 1},
    "tags": _LIST,
    "authoritativeDefinitions": _LIST,
    "customProperties": {
        **_LIST,
        "description": f"Of the vendor `mesh`: `{oaas.DECIDED_BY}` and `{oaas.DECIDED_AT}`.",
    },
}


def agreement_schema() -> Schema:
    return {
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "title": "Access agreement (OAAS v0.9.0)",
        "type": "object",
        "properties": described(oaas.FIELDS, _FIELDS),
        "required": [*oaas.NEEDED],
        "additionalProperties": False,
    }
