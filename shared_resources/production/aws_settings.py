"""Checking, without the network, that AWS's clients will find a region and credentials.

Belongs here: which of the ecosystem's variables and files say them. Does not belong here: reading the
values (boto3 does, and renews them), other settings (`checks.py`).
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shared_resources.production.quoting import holds_login, plain, quoted

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
# Each of them makes botocore take credentials from a profile, some with a request to AWS.
_SOURCES = (
    "aws_access_key_id",
    "credential_process",
    "login_session",
    "role_arn",
    "sso_account_id",
    "sso_session",
)
_OF_A_MACHINE = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
)
_MACHINE = Path("/sys/devices/virtual/dmi/id/sys_vendor")


def region_of(variables: Mapping[str, str]) -> str | None:
    """The region that boto3 would use, or AWS_REGION, which it alone of AWS's tools does not read."""
    named = variables.get("AWS_DEFAULT_REGION") or variables.get("AWS_REGION")
    if named:
        return named
    region = (_profile(variables) or {}).get("region")
    return str(region) if region else None


def check_aws(variables: Mapping[str, str], problems: list[str]) -> None:
    """Append what is missing or wrong."""
    broken = [file for file in _files(variables) if _parsed(file) is None]
    if broken:
        problems.append(
            f"AWS_CONFIG_FILE: {plain(broken[0])} cannot be read as AWS's configuration; mend it"
        )
        return
    named = variables.get("AWS_PROFILE") or variables.get("AWS_DEFAULT_PROFILE")
    if named and _profile(variables) is None:
        config, credentials = _files(variables)
        problems.append(
            f"AWS_PROFILE={quoted(named)} is in neither {plain(config)} nor {plain(credentials)}; run "
            f"`aws configure --profile {plain(named)}`, or unset it"
        )
        return
    _check_region(variables, problems)
    _check_credentials(variables, problems)
    _check_endpoints(variables, problems)


def _check_endpoints(variables: Mapping[str, str], problems: list[str]) -> None:
    """Of all services, and of single ones: AWS_ENDPOINT_URL_S3."""
    for name in sorted(name for name in variables if name.startswith("AWS_ENDPOINT_URL")):
        endpoint = variables[name]
        if not endpoint:
            continue
        if holds_login(endpoint):  # clients write the address into messages, with what it holds
            problems.append(f"{name} must hold no user or password; take them out of it")
        elif urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).netloc:
            problems.append(
                f"{name}={quoted(endpoint)} is no http(s):// address; unset it to use AWS itself"
            )


def _check_region(variables: Mapping[str, str], problems: list[str]) -> None:
    region = region_of(variables)
    if not region:
        problems.append(
            "AWS_DEFAULT_REGION is not set; set it to the buckets' region, or `region` in the profile"
        )
    elif not _REGION.fullmatch(region):
        problems.append(
            f"AWS_DEFAULT_REGION={quoted(region)} is no region of AWS; set one such as eu-central-1"
        )


def _check_credentials(variables: Mapping[str, str], problems: list[str]) -> None:
    pair = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    missing = [name for name in pair if not variables.get(name)]
    if len(missing) == 1:
        problems.append(f"{missing[0]} is not set, but its counterpart is; set both or neither")
    if len(missing) < 2:
        return
    identity = variables.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    if identity:
        if not variables.get("AWS_ROLE_ARN"):
            problems.append(
                "AWS_ROLE_ARN is not set, but AWS_WEB_IDENTITY_TOKEN_FILE is; set the role to assume"
            )
        if not os.access(identity, os.R_OK):
            problems.append(
                f"AWS_WEB_IDENTITY_TOKEN_FILE: cannot read {plain(identity)}; mount the service "
                "account's token"
            )
        return
    profile = _profile(variables) or {}
    if profile.get("aws_access_key_id") and not profile.get("aws_secret_access_key"):
        problems.append(
            "AWS_PROFILE: the profile has aws_access_key_id without aws_secret_access_key; add it"
        )
    elif not any(profile.get(name) for name in _SOURCES) and not _of_a_machine(variables):
        problems.append(
            "AWS_PROFILE is not set, nor another source of credentials; set it to a profile with "
            "credentials, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run with a role of AWS"
        )


def _of_a_machine(variables: Mapping[str, str]) -> bool:
    """Whether a container or an instance of AWS has a role to give, as far as the machine knows."""
    if any(variables.get(name) for name in _OF_A_MACHINE):
        return True
    if variables.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    try:
        return _MACHINE.read_text().startswith("Amazon")
    except OSError:
        return False


def _files(variables: Mapping[str, str]) -> tuple[Path, Path]:
    config = variables.get("AWS_CONFIG_FILE") or "~/.aws/config"
    credentials = variables.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    return Path(config).expanduser(), Path(credentials).expanduser()


def _profile(variables: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What the two files say of the profile; None if neither has it."""
    named = variables.get("AWS_PROFILE") or variables.get("AWS_DEFAULT_PROFILE") or "default"
    found: dict[str, Any] | None = None
    for file in _files(variables):
        parser = _parsed(file)
        for section in (f"profile {named}", named):
            if parser is not None and parser.has_section(section):
                found = {**(found or {}), **dict(parser.items(section))}
    return found


def _parsed(file: Path) -> configparser.RawConfigParser | None:
    """None for a file that is there and no configuration; what the parser says may quote a secret."""
    parser = configparser.RawConfigParser(default_section="")
    try:
        parser.read(file)
    except (configparser.Error, OSError, UnicodeDecodeError):
        return None
    return parser
