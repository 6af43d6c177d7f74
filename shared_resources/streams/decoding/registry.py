"""The schema registry behind a port: schemas by the ids that frames carry, and what a subject allows.

Belongs here: the port, the client of Confluent's protocol, its settings from the usual variables.
Does not belong here: what a schema means for a contract (`avro/`, `protobuf/`).

Confluent's own client does the rest: TLS, logins, retries, a cache. Its settings:

- `SCHEMA_REGISTRY_URL`: where it is; several, parted by commas.
- `SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO`: `user:password`, a secret.
- `SCHEMA_REGISTRY_SSL_CA_LOCATION`: the file of the authorities to trust, if not the system's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from shared_resources.problems import MeshProblem

URL = "SCHEMA_REGISTRY_URL"
_SETTINGS = {
    "SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO": "basic.auth.user.info",
    "SCHEMA_REGISTRY_SSL_CA_LOCATION": "ssl.ca.location",
}
VARIABLES = frozenset({URL, *_SETTINGS})
_SECONDS = 10
_RETRIES = 2
T = TypeVar("T")


class RegistryUnreachable(MeshProblem):
    """The registry does not answer, or refuses the login. No message is rejected for that."""


class UnknownSchema(ValueError):
    """The registry has no schema of that id."""


@dataclass(frozen=True)
class StoredSchema:
    """`kind` is AVRO, PROTOBUF or JSON. `refers` tells that the schema needs others to be whole."""

    kind: str
    text: str
    refers: bool = False


@dataclass(frozen=True)
class Subject:
    """`versions` are the schemas by their number, the first first; `level` is the compatibility that the
    registry holds new ones to."""

    versions: Mapping[int, StoredSchema]
    level: str


class SchemaRegistry(Protocol):
    def schema(self, id_: int) -> StoredSchema:
        """Raises `UnknownSchema`, `RegistryUnreachable`."""
        ...

    def subject(self, name: str) -> Subject:
        """Raises `UnknownSchema` for a subject without a schema, `RegistryUnreachable`."""
        ...


@dataclass
class ConfluentRegistry:
    """A registry that speaks Confluent's protocol: theirs, Karapace, Apicurio."""

    variables: Mapping[str, str] = field(repr=False)

    def __post_init__(self) -> None:
        from confluent_kafka.schema_registry import SchemaRegistryClient  # of the extra `streams`

        url = self.variables.get(URL)
        if not url:
            raise RegistryUnreachable(
                f"a stream of Avro or Protobuf needs the schema registry of its topic; set {URL}"
            )
        settings = {own: self.variables[name] for name, own in _SETTINGS.items()
                    if self.variables.get(name)}  # fmt: skip
        self._confluent: Any = SchemaRegistryClient(
            {"url": url, "timeout": _SECONDS, "max.retries": _RETRIES, **settings}
        )

    def schema(self, id_: int) -> StoredSchema:
        found = self._asked(lambda: self._confluent.get_schema(id_), f"schema id {id_}")
        return _stored(found)

    def subject(self, name: str) -> Subject:
        numbers = self._asked(lambda: self._confluent.get_versions(name), f"subject {name}")
        versions = {
            number: self._asked(
                partial(self._confluent.get_version, name, number),
                f"version {number} of subject {name}",
            )
            for number in numbers
        }
        config = self._asked(lambda: self._level(name), f"subject {name}")
        return Subject({n: _stored(found.schema) for n, found in versions.items()}, config)

    def _level(self, name: str) -> str:
        """The subject's own level, or the registry's."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            return str(self._confluent.get_compatibility(name))
        except SchemaRegistryError as problem:
            if problem.http_status_code != 404:
                raise
        return str(self._confluent.get_compatibility())

    def _asked(self, ask: Callable[[], T], what: str) -> T:
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            return ask()
        except SchemaRegistryError as problem:
            if problem.http_status_code == 404:
                raise UnknownSchema(f"{what} is not known to the schema registry") from None
            said = f"it answers {problem.http_status_code}"
        except Exception as problem:  # noqa: BLE001
            # What the client raises for a connection changes with the client below it.
            said = type(problem).__name__
        raise RegistryUnreachable(
            f"the schema registry cannot be asked for {what}: {said}; see that {URL} and its login are "
            "right and that it runs, then start the stream again: no message was passed over"
        )


def _stored(schema: Any) -> StoredSchema:
    return StoredSchema(schema.schema_type or "AVRO", schema.schema_str, bool(schema.references))
