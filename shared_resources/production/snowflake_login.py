"""A login to Snowflake: what the connector is given, and the connection.

Belongs here: the connector's parameters, opening a connection.
Does not belong here: reading and checking the settings (`snowflake_settings.py`), what is done over a
connection (`stores/`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_resources.production.wire_logs import keep_wire_logs_off

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

LOGIN_SECONDS = 60
# How long a request is tried again. A statement may take longer: the connector asks for its result.
NETWORK_SECONDS = 300


class Parameters(dict[str, Any]):
    """Parameters of the connector. Its repr shows their names only: some values are secret."""

    def __repr__(self) -> str:
        return f"Parameters({', '.join(sorted(self))})"

    __str__ = __repr__


@dataclass(frozen=True)
class SnowflakeLogin:
    """Who logs in where. `database`, `warehouse` and `role` are in Snowflake's own upper case."""

    account: str
    user: str
    database: str
    warehouse: str
    role: str | None = None
    host: str | None = None
    port: int | None = None
    protocol: str = "https"
    authenticator: str | None = None
    private_key_file: Path | None = None
    password: str | None = field(default=None, repr=False)
    private_key_passphrase: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    # What else a profile in connections.toml gives the connector: a proxy, a client id.
    further: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def parameters(self, further: Mapping[str, Any] | None = None) -> Parameters:
        """Of `snowflake.connector.connect`; `further` ones go first."""
        chosen = {
            **self.further,
            "account": self.account,
            "user": self.user,
            "database": self.database,
            "warehouse": self.warehouse,
            "role": self.role,
            "host": self.host,
            "port": self.port,
            "protocol": self.protocol,
            "authenticator": self.authenticator,
            "password": self.password,
            "private_key_file": str(self.private_key_file) if self.private_key_file else None,
            "private_key_file_pwd": self.private_key_passphrase,
            "token": self.token,
            "token_file_path": str(self.token_file) if self.token_file else None,
            "login_timeout": LOGIN_SECONDS,
            "network_timeout": NETWORK_SECONDS,
            # Otherwise a login asks the machine's metadata services which cloud it runs in.
            "platform_detection_timeout_seconds": 0.0,
            **(further or {}),
        }
        return Parameters({name: value for name, value in chosen.items() if value is not None})

    @contextlib.contextmanager
    def connection(self, **parameters: Any) -> Iterator[SnowflakeConnection]:
        """An open connection, closed at the end; `parameters` are further ones of the connector.

        What `resource_of(login).get_connection()` opens, without dagster-snowflake's import of
        Snowpark: that takes 5 s and 160 MB of each step's process. Besides, this one is closed
        after an error too.
        """
        import snowflake.connector

        keep_wire_logs_off()
        with snowflake.connector.connect(**self.parameters(parameters)) as opened:
            yield opened
