"""Reading the settings of production: everything that is missing or wrong, in one message.

Belongs here: what makes a variable wrong, found without the network. Does not belong here: what the
settings are for (`settings.py`), and how Snowflake is logged in to (`snowflake_settings.py`).

A problem is one line: the variable, what is wrong with it, what to set. It never holds a secret.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Iterator, Mapping
from itertools import permutations
from urllib.parse import urlsplit

from shared_resources.environment import EnvironmentProblem
from shared_resources.production.aws_settings import check_aws, region_of
from shared_resources.production.kafka.settings import is_embedded, read_log
from shared_resources.production.quoting import quoted
from shared_resources.production.settings import ProductionSettings, S3Location
from shared_resources.production.snowflake_settings import read_login

LOCATIONS = ("MESH_LAKE", "MESH_LANDING", "MESH_QUARANTINE")
# Every variable of the mesh; another MESH_ variable is a misspelling. A test compares it to the code.
KNOWN = frozenset(
    {
        *LOCATIONS,
        "MESH_AUDIT_MEMORY",
        "MESH_AUDIT_SQL_SECONDS",
        "MESH_BEAM_OPTIONS",
        "MESH_BEAM_RUNNER",
        "MESH_BRANCH",
        "MESH_COPIES_BYTES",
        "MESH_DATABASE_URL",
        "MESH_DEBUG",
        "MESH_ENV",
        "MESH_FLINK",
        "MESH_FLINK_STAGING",
        "MESH_GLUE_PREFIX",
        "MESH_HOME",
        "MESH_KAFKA_PLAINTEXT",
        "MESH_KMS_KEY",
        "MESH_LANDING_EVENTS",
        "MESH_LANDING_QUEUE",
        "MESH_LOG",
        "MESH_MASKING_KEY",
        "MESH_PRINCIPAL",
        "MESH_ROOT",
        "MESH_SERVER_MEMORY",
        "MESH_SERVING",
        "MESH_SERVING_CA",
        "MESH_SERVING_PASSWORD",
        "MESH_SERVING_PLAINTEXT",
        "MESH_SERVING_USER",
        "MESH_SIGNING_KEY",
        "MESH_VERIFY_KEYS",
    }
)
# Kubernetes sets these for a service whose name begins with "mesh".
_OF_A_SERVICE = re.compile(r"MESH_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT(_\d+_\w+)?)")
_PACKAGES = (
    "boto3",
    "cryptography",
    "dagster_aws",
    "dagster_snowflake",
    "dbt.adapters.snowflake",
    "snowflake.connector",
)
_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?!.*\.\.)[a-z0-9.-]{1,61}[a-z0-9]")
_KEY_PART = re.compile(r"[A-Za-z0-9!_.*'()=+@ -]+")
_KMS_KEY = re.compile(
    r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/.+|alias/.+|(mrk-)?[0-9a-f-]{32,36}"
)
_GLUE_PREFIX = re.compile(r"[a-z0-9_]{1,100}")
_QUEUE = re.compile(r"[A-Za-z0-9_-]{1,80}")
_WHOLE_NUMBER = re.compile(r"[0-9]+")
_MEMORY = re.compile(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B", re.IGNORECASE)  # of what DuckDB takes
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?|\.[0-9]+")


def read_settings(variables: Mapping[str, str]) -> ProductionSettings:
    """The settings. Raises `EnvironmentProblem` with all that is missing or wrong."""
    problems = list(_missing_packages(variables))
    lake, landing, quarantine = (_location(variables, name, problems) for name in LOCATIONS)
    problems.extend(_overlaps(variables))
    check_aws(variables, problems)
    region = region_of(variables)
    snowflake = read_login(variables, problems)
    problems.extend(_odd_names(variables))
    problems.extend(_wrong_database(variables))
    queue = _queue(variables, problems)
    kafka = read_log(variables, region, problems, is_production=True)
    problems.extend(_wrong_limits(variables))
    problems.extend(_misspelt(variables))
    if problems or not (lake and landing and quarantine and snowflake and region):
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise EnvironmentProblem(
            f"MESH_ENV=production cannot be used as it is set up; docs/production.md explains:{lines}"
        )
    return ProductionSettings(
        lake=lake,
        landing=landing,
        quarantine=quarantine,
        snowflake=snowflake,
        region=region,
        glue_prefix=variables.get("MESH_GLUE_PREFIX", ""),
        kms_key=variables.get("MESH_KMS_KEY") or None,
        landing_queue=queue,
        database_url=variables.get("MESH_DATABASE_URL") or None,
        kafka=kafka,
        embedded_log=is_embedded(variables, is_production=True),
    )


def _missing_packages(variables: Mapping[str, str]) -> Iterator[str]:
    wanted = [*_PACKAGES, *(["dagster_postgres"] if variables.get("MESH_DATABASE_URL") else [])]
    missing = [name for name in wanted if not _installed(name)]
    if missing:
        yield (
            f"the packages of production are not installed ({', '.join(missing)}); run "
            "`pip install 'dagster-data-mesh[production]'`, or `make setup`"
        )


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # what the package is in is not there either
        return False


def _location(variables: Mapping[str, str], name: str, problems: list[str]) -> S3Location | None:
    url = variables.get(name, "")
    if not url:
        problems.append(f"{name} is not set; set it to s3://bucket/prefix")
        return None
    wrong = _wrong_url(url)
    if wrong:
        problems.append(f"{name}={quoted(url)} {wrong}; set it to s3://bucket/prefix")
        return None
    return S3Location.parse(url)


def _wrong_url(url: str) -> str | None:
    if not url.startswith("s3://"):
        return "is no s3:// address"
    location = S3Location.parse(url)
    if not _BUCKET.fullmatch(location.bucket) or location.bucket.endswith("--x-s3"):
        return f"names no bucket that there can be ({quoted(location.bucket, url)})"
    for part in location.prefix.split("/") if location.prefix else []:
        if not _KEY_PART.fullmatch(part) or part in (".", ".."):
            return f"has a prefix that not every reader can handle (at {quoted(part, url)})"
    return None


def _overlaps(variables: Mapping[str, str]) -> Iterator[str]:
    """One of them inside another would have its objects listed, expired or cleaned up with it."""
    usable = [name for name in LOCATIONS if variables.get(name) and not _wrong_url(variables[name])]
    said = set()
    for outer, inner in permutations(usable, 2):
        if S3Location.parse(variables[outer]).contains(S3Location.parse(variables[inner])):
            if frozenset((outer, inner)) not in said:
                yield (
                    f"{inner}={quoted(variables[inner])} lies within {outer}={quoted(variables[outer])}; "
                    "give each a prefix or a bucket of its own"
                )
            said.add(frozenset((outer, inner)))


def _odd_names(variables: Mapping[str, str]) -> Iterator[str]:
    prefix, key = variables.get("MESH_GLUE_PREFIX"), variables.get("MESH_KMS_KEY")
    if prefix and not _GLUE_PREFIX.fullmatch(prefix):
        yield (
            f"MESH_GLUE_PREFIX={quoted(prefix)} cannot begin a Glue database's name in every engine; use "
            "lower-case letters, digits and _"
        )
    if key and not _KMS_KEY.fullmatch(key):
        yield f"MESH_KMS_KEY={quoted(key)} is no KMS key; set its ARN, its id, or alias/its-name"


def _wrong_database(variables: Mapping[str, str]) -> Iterator[str]:
    """The URL is never quoted: it may hold a password in any place, if it is malformed."""
    url = variables.get("MESH_DATABASE_URL")
    if not url:
        return
    wanted = "set it to postgresql://user:password@host:port/database"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        yield f"MESH_DATABASE_URL cannot be parsed; {wanted}, with special characters as %XX"
        return
    if parts.scheme not in ("postgresql", "postgresql+psycopg2"):
        yield f"MESH_DATABASE_URL is no postgresql:// address; {wanted}"
    elif not parts.path.strip("/"):
        yield f"MESH_DATABASE_URL names no database; {wanted}"


def _queue(variables: Mapping[str, str], problems: list[str]) -> str | None:
    events, queue = variables.get("MESH_LANDING_EVENTS"), variables.get("MESH_LANDING_QUEUE")
    example = "such as mesh-landing-{domain}-{product}"
    if events not in (None, "", "listing", "sqs"):
        problems.append(
            f"MESH_LANDING_EVENTS={quoted(events)} is no way to find new objects; set listing or sqs"
        )
    elif events == "sqs" and not queue:
        problems.append(
            f"MESH_LANDING_QUEUE is not set, but MESH_LANDING_EVENTS=sqs needs it; set a name {example}"
        )
    elif queue and not events:
        problems.append(
            "MESH_LANDING_QUEUE is set without MESH_LANDING_EVENTS; set that to sqs, or unset the queue"
        )
    if queue:
        plain = queue.replace("{domain}", "d").replace("{product}", "p")
        if not _QUEUE.fullmatch(plain) or "{domain}" not in queue or "{product}" not in queue:
            problems.append(
                f"MESH_LANDING_QUEUE={quoted(queue)} does not name a standard queue for each product; "
                f"set a name with {{domain}} and {{product}}, {example}"
            )
    return queue if events == "sqs" else None


def _wrong_limits(variables: Mapping[str, str]) -> Iterator[str]:
    copies, seconds = variables.get("MESH_COPIES_BYTES"), variables.get("MESH_AUDIT_SQL_SECONDS")
    if copies and not _WHOLE_NUMBER.fullmatch(copies):
        yield f"MESH_COPIES_BYTES={quoted(copies)} is no number of bytes; write e.g. 21474836480"
    if seconds and not _NUMBER.fullmatch(seconds):
        yield f"MESH_AUDIT_SQL_SECONDS={quoted(seconds)} is no number of seconds; write e.g. 60"
    memory = variables.get("MESH_AUDIT_MEMORY")
    if memory and not _MEMORY.fullmatch(memory):
        yield f"MESH_AUDIT_MEMORY={quoted(memory)} is no amount of memory; write e.g. 512MB or 2GB"


def _misspelt(variables: Mapping[str, str]) -> Iterator[str]:
    prefix = "MESH_"
    ours = [known.removeprefix(prefix) for known in sorted(KNOWN)]
    for name in sorted(variables):
        if name.startswith(prefix) and name not in KNOWN and not _OF_A_SERVICE.fullmatch(name):
            close = difflib.get_close_matches(name.removeprefix(prefix), ours, n=1)
            hint = f"did you mean {prefix}{close[0]}?" if close else "unset it"
            yield f"{name} is no variable of the mesh; {hint}"
