"""Which environment variables code of a domain sees: a list of what is allowed, and no other.

Belongs here: the names that every process needs, the names that no domain may ask for, and the
environment of a child process that runs a domain's code (dbt, rules).
Does not belong here: reading `domain.yaml`, where a domain asks for more (`mesh/domain_file.py`);
the guard around code that runs in the platform's own process (`guard.py`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

# What a process needs to find its programs, files and characters, or to share the machine's cores.
# None of them is a secret; addresses of proxies are not among them, since some hold a password.
PASSED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "TZ", "TERM"),
        *("LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES", "LC_NUMERIC"),
        *("LC_MONETARY", "LC_TIME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "VIRTUAL_ENV"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "COLUMNS", "LINES", "NO_COLOR"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONHASHSEED"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUNBUFFERED", "PYTHONWARNINGS"),
        *("PYTHONFAULTHANDLER", "PYTHONMALLOC", "PYARROW_IGNORE_TIMEZONE", "MALLOC_ARENA_MAX"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("POLARS_MAX_THREADS", "POLARS_TEMP_DIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        *("MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS", "NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR"),
        *("ARROW_DEFAULT_MEMORY_POOL", "ARROW_IO_THREADS", "LOKY_MAX_CPU_COUNT", "MPLCONFIGDIR"),
    }
)
# In the platform's own process libraries read these while domain code runs: where things are, never
# what proves who asks. A child process is not given them.
IN_THE_PLATFORM = frozenset(
    {
        *("MESH_ENV", "MESH_ROOT", "MESH_HOME", "MESH_DEBUG", "MESH_COPIES_BYTES"),
        "MESH_BRANCH",
        *("MESH_AUDIT_MEMORY", "MESH_AUDIT_SQL_SECONDS", "DAGSTER_HOME", "AWS_CA_BUNDLE"),
        *("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
        *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_STS_REGIONAL_ENDPOINTS"),
        *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        *("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED"),
        *("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
        *("AWS_ENDPOINT_URL_STS", "NO_PROXY", "no_proxy"),
    }
)
# Says in a process that it runs a domain's code, and in those that the code starts.
RUNS_DOMAIN_CODE = "RUNS_CODE_OF_DOMAIN"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A domain's own secrets it may name; these are the platform's, or would change how it is run.
_RESERVED = re.compile(
    r"(AWS|SNOWFLAKE|SF|MESH|DAGSTER|DBT|KAFKA|SCHEMA_REGISTRY|PYTHON|LD|DYLD)_?.*"
    r"|(PG|POSTGRES|POSTGRESQL|SQLALCHEMY)_?.*"
    r"|(.*_)?(DATABASE|DB|POSTGRES|POSTGRESQL|PG|SQLALCHEMY)_?(URL|URI|DSN|PASSWORD)"
    r"|(.*_)?PROXY",
    re.IGNORECASE,
)


def problem_with(name: str) -> str | None:
    """Why a domain may not ask for the variable; None if it may."""
    if not NAME.fullmatch(name):
        return "is no name of a variable"
    if name in PASSED:
        return "is passed to every domain"
    if _RESERVED.fullmatch(name):
        return "is the platform's own, or would change how it runs"
    return None


def is_platforms(name: str) -> bool:
    """Whether the variable says how the platform runs, so that no domain's code sets it."""
    return name in IN_THE_PLATFORM or _RESERVED.fullmatch(name) is not None


def names_seen(named: Iterable[str] = ()) -> set[str]:
    """The variables that a domain's code sees; `named` are those that its `domain.yaml` names.

    One that it may not name is left out: code may run although `mesh check` found that.
    """
    return {*PASSED, *(name for name in named if problem_with(name) is None)}


def seen_by_domain(
    named: Iterable[str] = (), variables: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of a child process that runs a domain's code, and says that it does."""
    given = os.environ if variables is None else variables
    names = names_seen(named)
    seen = {name: text for name, text in given.items() if name in names}
    return {**seen, RUNS_DOMAIN_CODE: given.get(RUNS_DOMAIN_CODE) or "code of a domain"}
