"""What a dbt model is refused, whichever engine runs it.

Belongs here: what a refused statement raises; refusing Python, whatever asks for it: a model's file, or
a materialization of a macro. dbt would run it in its own process, past every check of a statement.
Does not belong here: what statements may do (`confinement.py`,
`data_products/dbt/on_snowflake/confinement.py`).
"""

from __future__ import annotations

from typing import Any, NoReturn

from shared_resources.problems import MeshProblem

REFUSED = (
    "a dbt model is SQL, and this one would run Python in dbt's process; write the product's "
    "product.py, whose function reads what it declares"
)


class NotAllowed(MeshProblem):
    """A statement would change what the model reads, or reach beyond it; the message says how."""


def refuse_python(adapter: type[Any]) -> None:
    """Have the adapter's class run no Python from now on. Call it in dbt's process, before dbt."""
    from dbt_common.exceptions import DbtRuntimeError

    def refused(*_: object, **__: object) -> NoReturn:
        raise DbtRuntimeError(REFUSED)

    adapter.submit_python_job = refused
