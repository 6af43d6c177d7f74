"""Python in a dbt model is refused: dbt would run it in its own process, past every check of a statement.

Belongs here: refusing it, whatever asks for it: a model's file, or a materialization of a macro.
Does not belong here: what statements may do (`confinement.py`,
`data_products/dbt/on_snowflake/confinement.py`).
"""

from __future__ import annotations

from typing import Any, NoReturn

REFUSED = (
    "a dbt model is SQL, and this one would run Python in dbt's process; write the product's "
    "product.py, whose function reads what it declares"
)


def refuse_python(adapter: type[Any]) -> None:
    """Have the adapter's class run no Python from now on. Call it in dbt's process, before dbt."""
    from dbt_common.exceptions import DbtRuntimeError

    def refused(*_: object, **__: object) -> NoReturn:
        raise DbtRuntimeError(REFUSED)

    adapter.submit_python_job = refused
