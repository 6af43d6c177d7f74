"""What an example of a policy is: a small mesh, and whether the policy has something against it.

Belongs here: the type, and the two ways to write one.
Does not belong here: the minimal mesh that an example changes, trying it (`examples/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared_resources.governance.published import PublishedTable

# By path in a file, as clauses are named (`schema.orders.properties.order_id.classification`): what
# stands there instead; None takes it out.
Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """`says` is its name. `finds` are words of the finding that must come; without, none may.

    The minimal mesh is one domain, `shop`, with one product, `shop/orders`, that a function makes of
    nothing: (order_id BIGINT, note VARCHAR). `contract`, `domain` and `central` change its contract,
    `domain.yaml` and the mesh's `governance.yaml`. `others` are further products by key, each the same
    contract with changes. `files` are texts by path in the product's folder, or from the mesh's root
    where the path begins with `domains/`; None takes a file out.

    For policies that look at data, `rows` are those of the batch that is audited, and `history` how many
    the batches before it had, the last first; for those that look at
    what is published, `published` says what that is (`published.py`).
    """

    says: str
    finds: str = ""
    contract: Changes = field(default_factory=dict)
    domain: Changes = field(default_factory=dict)
    central: Changes = field(default_factory=dict)
    others: Mapping[str, Changes] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    rows: Sequence[Mapping[str, Any]] = ()
    history: Sequence[int] = ()
    # Put together when it is tried: it needs Arrow, which is slow to import.
    published: Callable[[], Sequence[PublishedTable]] = tuple

    @property
    def must_pass(self) -> bool:
        return not self.finds


def passes(says: str, **of: Any) -> Example:
    """An example in which the policy finds nothing."""
    return Example(says, **of)


def fails(says: str, finds: str, **of: Any) -> Example:
    """An example in which the policy finds something; `finds` are words of what it says of it."""
    return replace(Example(says, **of), finds=finds)
