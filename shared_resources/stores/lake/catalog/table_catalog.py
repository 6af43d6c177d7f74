"""What the lake asks of a catalog: which table is where.

Belongs here: the port, and loading a table while others commit.
Does not belong here: the catalogs (`sqlite.py`, `glue.py`), what a commit contains
(`stores/lake/committing/commit.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from pyiceberg.exceptions import NoSuchTableError, ValidationError

from shared_resources.stores.lake.catalog.described import BrokenMetadata
from shared_resources.stores.protocol import Unreadable

if TYPE_CHECKING:
    from pyiceberg.partitioning import PartitionSpec
    from pyiceberg.schema import Schema
    from pyiceberg.table import CreateTableTransaction, Table

    from shared_resources.stores.lake.table_facts import AnyTable

LOADS = 20
_Loaded = TypeVar("_Loaded")


class BrokenCatalog(Unreadable):
    """The catalog itself is no catalog any more."""


class TableCatalog(Protocol):
    """Which table is where. Every method is safe to call from many processes.

    `name` is what messages call it.
    """

    @property
    def name(self) -> str: ...

    def load(self, product: str) -> Table | None:
        """The table as it is now, to change it; None when the product was never published."""
        ...

    def described(self, product: str) -> AnyTable | None:
        """The same for who only reads it."""
        ...

    def products(self) -> list[str]:
        """The keys of all published products, sorted."""
        ...

    def begin_table(
        self,
        product: str,
        schema: Schema,
        location: str,
        partition_spec: PartitionSpec,
        properties: Mapping[str, str],
    ) -> CreateTableTransaction:
        """A transaction that creates the product's table when it is committed."""
        ...

    def owns_files(self, product: str) -> bool:
        """Whether what lies where the product's files are can be of no other catalog.

        Changes nothing. Raises `PublishError` when the place is another's.
        """
        ...

    def claim(self, product: str) -> None:
        """Raise `PublishError` unless what lies where the product's files are is this catalog's."""
        ...

    def outcome_is_unknown(self, problem: Exception) -> bool:
        """Whether a commit that failed so may have been made all the same."""
        ...

    def at(self, product: str, metadata: str) -> Table:
        """The table as this metadata file describes it, whatever the catalog says."""
        ...

    def point(self, product: str, metadata: str) -> None:
        """Make the table the one of this metadata file, whatever it was."""
        ...

    def begin(self, product: str, metadata: str) -> bool:
        """Make the table that of this metadata file, unless there is one: then False."""
        ...

    def drop(self, product: str) -> None:
        """Know nothing of the table any more, nor of its domain if it was its last.

        Its files stay where they are. No error where there is none.
        """
        ...


def load_patiently(product: str, load: Callable[[], _Loaded | None]) -> _Loaded | None:
    """The table, or None when there is none, while others commit. Raises `Unreadable`."""
    for attempt in range(LOADS):
        try:
            return load()
        except NoSuchTableError:
            return None
        except FileNotFoundError as problem:
            # Between reading the pointer and the metadata that it names, others committed so often
            # that this metadata was cleaned up.
            if attempt == LOADS - 1:
                raise _unreadable(product, "the metadata that the catalog names", problem) from None
            time.sleep(0.01)
        except (BrokenMetadata, ValidationError, UnicodeDecodeError) as problem:
            raise _unreadable(product, "the metadata that the catalog names", problem) from None
    return None


def _unreadable(product: str, file: str, problem: Exception) -> Unreadable:
    said = " ".join(str(problem).split())[:200]
    return Unreadable(
        product,
        file,
        f"cannot be read ({said})",
        f"`mesh repair {product} --dry-run` says which version can still be read whole; without "
        "the option the catalog is pointed at it",
    )


def identifier(product: str) -> tuple[str, str]:
    domain, _, name = product.partition("/")
    return domain, name
