"""The description of what a reader is served, as OpenAPI 3.1.

Belongs here: one path a product, with the columns that the reader's agreement shows.
Does not belong here: who reads what (`serving_ports/reading.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared_resources.contracts.types import ColumnType, Family
from shared_resources.serving_ports.reading import Served

HEADERS = {
    "Mesh-Version": ("integer", "The product's version that the row is of."),
    "Mesh-Generation": ("string", "The generation that served it."),
    "Mesh-Published-At": ("string", "When the version was published."),
    "Mesh-Age-Seconds": ("integer", "How long ago that was."),
    "Mesh-Agreement": ("string", "The agreement by which it was read; none for who sees it whole."),
    "Mesh-Position": ("integer", "Up to where a stream has changed rows since; none without one."),
    "Mesh-Position-Age-Seconds": (
        "number",
        "Since when it stands there: seconds without a message.",
    ),
}
_PROBLEMS = {
    "400": "The path is no key of the product.",
    "401": "No token, or one that is not in force.",
    "403": "No agreement shows the product, or its key.",
    "404": "No such row, or none that the agreement shows; or the product is not served.",
    "503": "What rows are served from does not answer.",
}


def description(
    served: Sequence[Served], title: str = "Data products by their keys"
) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "security": [{"token": []}],
        "paths": {
            f"/{one.generation.product}/"
            + "/".join(f"{{{name}}}" for name in one.generation.key): {"get": _operation(one)}
            for one in served
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM},
        },
    }


def _operation(served: Served) -> dict[str, Any]:
    generation = served.generation
    row = {
        "type": "object",
        "properties": {name: _schema(type_) for name, type_ in served.columns.items()},
        "required": list(served.columns),
        "additionalProperties": False,
    }
    headers = {
        name: {"description": says, "schema": {"type": type_}}
        for name, (type_, says) in HEADERS.items()
    }
    found = {
        "description": "The row.",
        "headers": headers,
        "content": {"application/json": {"schema": row}},
    }
    return {
        "operationId": generation.product.replace("/", "_"),
        "summary": f"One row of {generation.product} by its primary key",
        "description": served.refused,
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": {**_schema(generation.types[name]), "type": "string"},
            }
            for name in generation.key
        ],
        "responses": {
            "200": found,
            **{
                status: {
                    "description": says,
                    "content": {
                        "application/problem+json": {
                            "schema": {"$ref": "#/components/schemas/Problem"}
                        }
                    },
                }
                for status, says in _PROBLEMS.items()
            },
        },
    }


def _schema(type_: ColumnType) -> dict[str, Any]:
    """Any value may be null: what a contract requires of it, a mask need not."""
    match type_.family:
        case Family.INTEGER:
            return {"type": ["integer", "null"], "format": f"int{type_.width}"}
        case Family.FLOAT:
            # JSON has no word for what is no number.
            return {"type": ["number", "string", "null"]}
        case Family.BOOLEAN:
            return {"type": ["boolean", "null"]}
        case Family.DATE:
            return {"type": ["string", "null"], "format": "date"}
        case Family.TIMESTAMP_TZ:
            return {"type": ["string", "null"], "format": "date-time"}
        case _:
            return {"type": ["string", "null"]}


_PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
    },
}
