"""Reading and checking how to log in to Snowflake, without the network.

Belongs here: `SNOWFLAKE_*` and `connections.toml`, and that exactly one way to authenticate is set.
Does not belong here: using the login (`snowflake_login.py`), other settings (`checks.py`).

A problem is one line: the variable, what is wrong with it, what to set. It never holds a secret.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared_resources.production.quoting import holds_login, plain, quoted
from shared_resources.production.snowflake_login import SnowflakeLogin

_PREFIX = "SNOWFLAKE_"
_NAMED = ("account", "user", "database", "warehouse", "role", "host", "port", "protocol")
_WAYS = ("password", "private_key_file", "token", "token_file_path")
_KNOWN = (*_NAMED, *_WAYS, "private_key_file_pwd", "authenticator")
VARIABLES = frozenset(
    _PREFIX + name.upper() for name in (*_KNOWN, "default_connection_name", "home")
)

# What each authenticator needs beside the user: https://docs.snowflake.com/en/user-guide/authentication
_NEEDS: Mapping[str, frozenset[str]] = {
    "snowflake": frozenset({"password", "private_key_file"}),
    "snowflake_jwt": frozenset({"private_key_file"}),
    "username_password_mfa": frozenset({"password"}),
    "oauth": frozenset({"token", "token_file_path"}),
    "programmatic_access_token": frozenset({"token", "token_file_path"}),
    "workload_identity": frozenset(),
    "externalbrowser": frozenset(),
}
_ACCOUNT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,254}")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_SET = {
    "account": "set it to the account identifier, as in SNOWFLAKE_ACCOUNT=myorg-myaccount",
    "user": "set it to the user that the mesh logs in as",
    "database": "set it to the database that the mesh's schemas are in",
    "warehouse": "set it to the virtual warehouse that runs the mesh's statements",
}


def read_login(variables: Mapping[str, str], problems: list[str]) -> SnowflakeLogin | None:
    """The login that the variables and their profile say; or None, and `problems` say why."""
    before = len(problems)
    given = _given(variables, problems)
    # A profile that cannot be read may hold whatever is missing: it alone is reported.
    if len(problems) == before:
        for name in ("account", "user", "database", "warehouse"):
            if not given.get(name):
                problems.append(f"{_shown(name)} is not set; {_SET[name]}")
        _check_authentication(given, problems)
    _check_names(given, problems)
    _check_address(given, problems)
    if len(problems) > before:
        return None
    key, token = given.get("private_key_file"), given.get("token_file_path")
    return SnowflakeLogin(
        account=str(given["account"]),
        user=str(given["user"]),
        database=str(given["database"]).upper(),
        warehouse=str(given["warehouse"]).upper(),
        role=str(given["role"]).upper() if given.get("role") else None,
        host=given.get("host"),
        port=int(given["port"]) if given.get("port") else None,
        protocol=str(given.get("protocol") or "https").lower(),
        authenticator=given.get("authenticator"),
        private_key_file=Path(key).expanduser() if key else None,
        password=given.get("password"),
        private_key_passphrase=given.get("private_key_file_pwd"),
        token=given.get("token"),
        token_file=Path(token).expanduser() if token else None,
        further={name: value for name, value in given.items() if name not in _KNOWN},
    )


def _shown(name: str) -> str:
    return _PREFIX + name.upper()


def _given(variables: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    """What is set: a variable goes before the same field of the profile, as the connector has it."""
    profile = _profile(variables, problems)
    own = {
        name: variables[_shown(name)] for name in _KNOWN if variables.get(_shown(name), "").strip()
    }
    return {**profile, **own}


def _profile(variables: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    name = variables.get("SNOWFLAKE_DEFAULT_CONNECTION_NAME")
    if not name:
        return {}
    folder = _snowflake_home(variables)
    try:
        connections = _read_toml(folder / "connections.toml")
        if connections is None:
            connections = (_read_toml(folder / "config.toml") or {}).get("connections")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # What the parser says may quote a line of the file.
        problems.append(
            f"SNOWFLAKE_DEFAULT_CONNECTION_NAME: connections.toml in {folder} is no valid TOML; mend it"
        )
        return {}
    except OSError as problem:
        problems.append(
            f"SNOWFLAKE_DEFAULT_CONNECTION_NAME: cannot read {problem.filename}: {problem.strerror}"
        )
        return {}
    if not isinstance(connections, dict) or not isinstance(connections.get(name), dict):
        there = ", ".join(sorted(connections or {})) or "there are none"
        problems.append(
            f"SNOWFLAKE_DEFAULT_CONNECTION_NAME={quoted(name)} is no connection of connections.toml in "
            f"{folder} ({there}); add [{plain(name)}] there, or unset the variable"
        )
        return {}
    # The parameter's two names, as in Snowflake's own command line.
    aliases = {
        "private_key_path": "private_key_file",
        "private_key_passphrase": "private_key_file_pwd",
    }
    return {aliases.get(key, key): value for key, value in connections[name].items()}


def _snowflake_home(variables: Mapping[str, str]) -> Path:
    """The connector's folder: SNOWFLAKE_HOME, else ~/.snowflake, else the user's configuration."""
    home = Path(variables.get("SNOWFLAKE_HOME") or "~/.snowflake").expanduser()
    if home.exists() or variables.get("SNOWFLAKE_HOME"):
        return home
    return Path(variables.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "snowflake"


def _read_toml(file: Path) -> dict[str, Any] | None:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _check_names(given: Mapping[str, Any], problems: list[str]) -> None:
    account = str(given.get("account") or "")
    if account and ("snowflakecomputing." in account or not _ACCOUNT.fullmatch(account)):
        problems.append(
            f"SNOWFLAKE_ACCOUNT={quoted(account)} is no account identifier; give the part before "
            ".snowflakecomputing.com alone, such as myorg-myaccount"
        )
    for name in ("database", "warehouse", "role"):
        value = str(given.get(name) or "")
        if value and not _IDENTIFIER.fullmatch(value):
            problems.append(
                f"{_shown(name)}={quoted(value)} is no unquoted identifier of Snowflake; use letters, "
                "digits and _, beginning with a letter"
            )


def _check_authentication(given: Mapping[str, Any], problems: list[str]) -> None:
    """There is exactly one way to prove who logs in, and it can be used."""
    ways = [name for name in _WAYS if given.get(name)]
    said = given.get("authenticator")
    authenticator = str(said or "snowflake").lower()
    if len(ways) > 1:
        problems.append(
            f"{' and '.join(_shown(name) for name in ways)} are both set (in the environment or the "
            "profile); keep one way to authenticate"
        )
    elif authenticator in _NEEDS or authenticator.startswith("https://"):
        problems.extend(_unfit(authenticator, ways, said=bool(said)))
    elif authenticator not in ("oauth_client_credentials", "oauth_authorization_code"):
        problems.append(
            f"SNOWFLAKE_AUTHENTICATOR={quoted(said)} is not known; use one of "
            f"{', '.join(sorted(_NEEDS))}, or your Okta's https:// address"
        )
    if given.get("private_key_file"):
        _check_key(str(given["private_key_file"]), given.get("private_key_file_pwd"), problems)
    elif given.get("private_key_file_pwd"):
        problems.append(
            "SNOWFLAKE_PRIVATE_KEY_FILE_PWD is set without SNOWFLAKE_PRIVATE_KEY_FILE; set that too"
        )
    _check_token_file(given.get("token_file_path"), problems)


def _unfit(authenticator: str, ways: list[str], *, said: bool) -> Iterator[str]:
    """What the authenticator lacks, or has no use for."""
    needs = _NEEDS.get(authenticator, frozenset({"password"}))
    if not said and ways and ways[0].startswith("token"):
        yield (
            f"{_shown(ways[0])} is set without SNOWFLAKE_AUTHENTICATOR; set that to oauth or "
            "programmatic_access_token"
        )
    elif not said and not ways:
        yield (
            "SNOWFLAKE_PRIVATE_KEY_FILE is not set, nor another way to authenticate; set it to a "
            "private key in PEM (best), or set SNOWFLAKE_PASSWORD, or SNOWFLAKE_AUTHENTICATOR with "
            "SNOWFLAKE_TOKEN, or SNOWFLAKE_DEFAULT_CONNECTION_NAME to a profile"
        )
    elif needs and not ways:
        which = " or ".join(_shown(name) for name in sorted(needs))
        yield f"SNOWFLAKE_AUTHENTICATOR={plain(authenticator)} needs {which}; set it"
    elif ways and ways[0] not in needs:
        yield (
            f"{_shown(ways[0])} is set, but SNOWFLAKE_AUTHENTICATOR={plain(authenticator)} does not use "
            "it; unset one of them"
        )


def _check_key(path: str, passphrase: object, problems: list[str]) -> None:
    file = Path(path).expanduser()
    name = "SNOWFLAKE_PRIVATE_KEY_FILE"
    try:
        content = file.read_bytes()
    except OSError as problem:
        problems.append(
            f"{name}: cannot read {plain(file)}: {problem.strerror}; name the private key's file"
        )
        return
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ModuleNotFoundError:
        return  # that the packages of production are not installed is a problem of its own

    password = str(passphrase).encode() if passphrase else None
    encrypted = b"ENCRYPTED" in content
    try:
        load_pem_private_key(content, password)
    except TypeError:
        said = "is encrypted" if encrypted else "is not encrypted"
        mend = "set" if encrypted else "unset"
        problems.append(f"{name}: {file} {said}; {mend} SNOWFLAKE_PRIVATE_KEY_FILE_PWD")
    except (ValueError, UnsupportedAlgorithm):
        # The library's own words may quote the file.
        if encrypted and password:
            problems.append(
                f"SNOWFLAKE_PRIVATE_KEY_FILE_PWD does not open {file}; set it to that key's passphrase"
            )
        else:
            problems.append(
                f"{name}: {file} holds no private key in PEM; make one as docs/production.md shows"
            )


def _check_token_file(path: object, problems: list[str]) -> None:
    if not path:
        return
    file = Path(str(path)).expanduser()
    try:
        file.open("rb").close()
    except OSError as problem:
        problems.append(f"SNOWFLAKE_TOKEN_FILE_PATH: cannot read {plain(file)}: {problem.strerror}")


def _check_address(given: Mapping[str, Any], problems: list[str]) -> None:
    host, okta = str(given.get("host") or ""), str(given.get("authenticator") or "")
    # Both are shown: by the connector's errors, and by the resource's page in Dagster.
    for name, wrong in (
        ("host", "@" in host),  # a colon is one of IPv6
        ("authenticator", okta.lower().startswith("https://") and holds_login(okta)),
    ):
        if wrong:
            problems.append(f"{_shown(name)} must hold no user or password; take them out of it")
    port = str(given.get("port") or "443")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        problems.append(
            f"SNOWFLAKE_PORT={quoted(port)} is no port; set a number from 1 to 65535, or unset it"
        )
    protocol = str(given.get("protocol") or "https").lower()
    if protocol not in ("http", "https"):
        problems.append(
            f"SNOWFLAKE_PROTOCOL={quoted(protocol)} is no protocol; unset it, or set https"
        )
    elif protocol == "http" and given.get("host") not in _LOOPBACK:
        problems.append(
            "SNOWFLAKE_PROTOCOL=http would send the credentials unencrypted; unset it (http is for a "
            "SNOWFLAKE_HOST on this machine)"
        )
