"""What a verification finds: one thing that is not as it was attested, and where.

Belongs here: the finding. Does not belong here: finding it (the other modules), printing it (`cli/`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """`kind` is a word for scripts, `where` the file, table or property, `message` what differs.

    `version` is None for what concerns the whole chain.
    """

    product: str
    store: str
    version: int | None
    kind: str
    where: str
    message: str

    def __str__(self) -> str:
        of = f"{self.product} version {self.version}" if self.version else self.product
        return f"{of} in the {self.store}: {self.message} [{self.kind}: {self.where}]"
