"""How a product's processes ended last that were to go on, for whoever looks at the mesh.

Belongs here: reading it. Does not belong here: noting it (`endings.py`), which needs the state's engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared_resources.environment import Environment
from shared_resources.mesh import ProductFolder
from shared_resources.sql import quote_literal
from shared_resources.state.looking import look


@dataclass(frozen=True)
class Ending:
    """`process` is the command after `mesh stream`; nobody has started it since `at`."""

    process: str
    why: str
    somebody_acts: bool
    at: datetime

    def is_of(self, product: ProductFolder) -> bool:
        """Whether the product has such a process today. One that it has no more, or that somebody started
        by mistake, is never started again, and nobody waits for it."""
        what, contract = self.process.partition(" ")[0], product.contract
        if what == "live":
            return bool(product.followed)
        if contract is None:
            return True  # it may be what ended the process
        stream = contract.stream
        return stream is not None and (what == "run" or stream.gate is not None)


def last_endings(environment: Environment, product: str) -> tuple[Ending, ...]:
    """Those in trouble, by their names."""
    names = ", ".join(quote_literal(f"{what} {product}") for what in ("run", "gate", "live"))
    rows = look(
        environment,
        "mesh_stream_endings",
        "SELECT process, why, somebody_acts, at FROM mesh_stream_endings "
        f"WHERE process IN ({names}) ORDER BY process",
    )
    return tuple(
        Ending(str(process), str(why), bool(acts), datetime.fromisoformat(str(at)))
        for process, why, acts, at in rows
    )
