"""How dbt's process learns to log in to Snowflake without a model being able to render it.

Belongs here: the one variable that carries the login to the process, and taking it out again.
Does not belong here: what a login is (`production/snowflake_login.py`), or using it
(`data_products/dbt/confinement.py`).

dbt renders its environment, its profile (`target`) and its flags into SQL wherever a model asks for
it. So the login is in none of them: it arrives in a variable that is gone before dbt is imported,
and is put in where the connector opens a connection.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VARIABLE = "DBT_SEALED_LOGIN"
# How the connector gets out of the network; the address of a proxy may hold a password.
_WAYS_OUT = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_OF_THE_CONNECTOR = "SF_OCSP_"


@dataclass(frozen=True)
class Login:
    """The connector's parameters, and the variables that it reads while it connects."""

    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


def sealed(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The variable for dbt's process that `unsealed` finds there."""
    ways_out = {
        name: text
        for name, text in os.environ.items()
        if name.upper() in _WAYS_OUT or name.startswith(_OF_THE_CONNECTOR)
    }
    return {VARIABLE: json.dumps({"parameters": dict(parameters), "variables": ways_out})}


def unsealed() -> Login:
    """The login, which is nowhere in the environment afterwards. Parsing is given none."""
    return Login(**json.loads(os.environ.pop(VARIABLE, "{}")))
