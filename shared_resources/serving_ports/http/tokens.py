"""Bearer tokens: who a request is of.

Belongs here: making, finding, listing and revoking them. Does not belong here: what a principal may see.

A token is 256 random bits and is shown once, when it is made; what is kept is its SHA-256, which nobody
can send. It ends by itself. Whoever has it is its principal: it belongs into a secret store, and into no
log, which is why none is ever part of a message here.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from shared_resources.access.door import Reader
from shared_resources.access.principal import principal_named
from shared_resources.problems import MeshProblem
from shared_resources.state.database import TABLES, StateDatabase, Words

PREFIX = "mesh_"
BY = "mesh serve products"
LONGEST = timedelta(days=366)
_WRITTEN = re.compile(PREFIX + "[A-Za-z0-9_-]{43}")

_TOKENS = sa.Table(
    "mesh_tokens",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("principal", Words, nullable=False),
    sa.Column("purpose", Words, nullable=False, default=""),
    sa.Column("made_by", Words, nullable=False),
    sa.Column("made_at", sa.Text, nullable=False),
    sa.Column("ends", sa.Text, nullable=False),
    sa.Column("revoked_at", sa.Text),
)


class NoToken(MeshProblem):
    """There is no such token, or it has no such length of life."""

    exit_code = 2


@dataclass(frozen=True)
class Token:
    """What is known of a token; never the token itself."""

    id: str
    principal: str
    purpose: str
    made_by: str
    made_at: datetime
    ends: datetime
    revoked_at: datetime | None = None

    @property
    def state(self) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "ended" if self.ends <= datetime.now(UTC) else "in force"

    @property
    def reader(self) -> Reader:
        return Reader(principal_named(self.principal), self.purpose or None, by=BY)


class Tokens:
    """The tokens of one mesh."""

    def __init__(self, state: StateDatabase) -> None:
        self._state = state

    def make(
        self, principal: str, purpose: str | None, life: timedelta, by: str
    ) -> tuple[str, Token]:
        """A new token and what is kept of it. Raises `NoPrincipal`, and `NoToken` for a life that is
        none or too long."""
        principal_named(principal)
        if not timedelta(0) < life <= LONGEST:
            raise NoToken(f"a token lives for 1 to {LONGEST.days} days; give --days such a number")
        secret, now = PREFIX + secrets.token_urlsafe(32), datetime.now(UTC)
        token = Token(secrets.token_hex(4), principal, purpose or "", by, now, now + life)
        with self._state.begin() as connection:
            connection.execute(
                sa.insert(_TOKENS).values(
                    id=token.id,
                    digest=_digest(secret),
                    principal=token.principal,
                    purpose=token.purpose,
                    made_by=by,
                    made_at=now.isoformat(),
                    ends=token.ends.isoformat(),
                )
            )
        return secret, token

    def find(self, secret: str) -> Token | None:
        """The token in force that this is; None for none."""
        query = _QUERY.where(_TOKENS.c.digest == _digest(secret))
        with self._state.begin() as connection:
            row = connection.execute(query).first()
        token = _token(row) if row is not None else None
        return token if token is not None and token.state == "in force" else None

    def all(self) -> list[Token]:
        with self._state.begin() as connection:
            rows = connection.execute(_QUERY.order_by(_TOKENS.c.made_at)).all()
        return [_token(row) for row in rows]

    def revoke(self, id_: str) -> None:
        """End it now. Raises `NoToken` when there is none of that id."""
        now = datetime.now(UTC).isoformat()
        statement = sa.update(_TOKENS).where(_TOKENS.c.id == id_)
        with self._state.begin() as connection:
            done = connection.execute(
                statement.values(revoked_at=sa.func.coalesce(_TOKENS.c.revoked_at, now))
            )
        if not done.rowcount:
            raise NoToken(f"there is no token {id_!r}; `mesh access token list` shows their ids")


_QUERY = sa.select(
    *(
        _TOKENS.c[name]
        for name in ("id", "principal", "purpose", "made_by", "made_at", "ends", "revoked_at")
    )
)


def is_written_as_one(secret: str) -> bool:
    """Whether a token is written so, whatever became of it."""
    return _WRITTEN.fullmatch(secret) is not None


def _token(row: Any) -> Token:
    id_, principal, purpose, made_by, made_at, ends, revoked = row
    when = None if revoked is None else datetime.fromisoformat(revoked)
    made, end = datetime.fromisoformat(made_at), datetime.fromisoformat(ends)
    return Token(id_, principal, purpose, made_by, made, end, when)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
