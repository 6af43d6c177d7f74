"""The engine `duckdb`: which views there are to be, which stand in the files, and changing one.

Belongs here: the port's methods, the files' places, one writer a file at a time.
Does not belong here: a view's SQL (`statements.py`), what is in a file (`file.py`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.access.door import Reader, open_for
from shared_resources.access.granted_snapshot import GrantedSnapshot
from shared_resources.access.granted_sql import needs_key
from shared_resources.access.grants import NoAgreement
from shared_resources.access.masking_key import hmac_keys
from shared_resources.access.principal import principal_named
from shared_resources.engines.embedded_views import file as views_file
from shared_resources.engines.embedded_views.statements import View, view_of
from shared_resources.engines.engine import Action, Change, Desired, Item, Key, Kind
from shared_resources.engines.shares import Share, Withheld, withheld
from shared_resources.environment import Environment
from shared_resources.mesh.agreements.model import Consumer
from shared_resources.mesh.agreements.oaas import written
from shared_resources.problems import MeshProblem
from shared_resources.stores.opening import open_product
from shared_resources.stores.protocol import NotPublished, Unreadable
from shared_resources.stores.reading.sql_snapshot import SqlSnapshot

if TYPE_CHECKING:
    import pyarrow as pa

VIEW = "view"
BY = "mesh access apply"
_LISTED = re.compile(r"list_value\(('(?:[^']|'')*'(?:, )?)+\)")


def views_below(home: Path) -> Path:
    """Where the files of views are."""
    return home.absolute() / "access" / "views"


class EmbeddedViews:
    """Implements `engine.AccessEngine` for the stores of an embedded mesh."""

    name = "duckdb"
    kinds = (Kind(VIEW, opens=True),)

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._root = views_below(environment.home)
        self._shares: dict[Key, Share] = {}

    @property
    def in_use(self) -> bool:
        return self._root.is_dir()

    def desired(self, shares: Sequence[Share]) -> Desired:
        items: list[Item] = []
        unsaid: list[Withheld] = []
        for share in shares:
            try:
                view = self._view(share)
            except (NoAgreement, NotPublished, Unreadable) as problem:
                unsaid.append(withheld(share, str(problem)))
                continue
            if view.rows and share.starts is not None and share.starts > datetime.now(UTC):
                why = f"it begins {written(share.starts)}, and its rows are read through the door"
                unsaid.append(withheld(share, f"{why}; apply then"))
                continue
            item = self._item(share, views_file.as_written(view))
            self._shares[item.key] = share
            items.append(item)
        return Desired(frozenset(items), tuple(unsaid))

    def live(self) -> frozenset[Item]:
        return frozenset(
            Item(
                VIEW,
                self._name(file, one.product),
                one.sql if one.whole else f"{one.sql} -- its rows are gone",
                one.product,
                one.said.get("consumer", file.parent.name),
                one.said.get("purpose", file.stem),
            )
            for file in views_file.files_below(self._root)
            for one in views_file.standing(file)
        )

    def words(self, change: Change) -> tuple[str, ...]:
        file, product = self._place(change.item)
        if change.action is Action.REMOVE:
            return (f"in {file}: remove {product}",)
        share = self._shares.get(change.item.key)
        if share is not None and needs_key(share.terms):
            shown = f"write the rows of {product} that {share.consumer} sees, then "
        else:
            shown = ""
        return (f"in {file}: {shown}{_LISTED.sub(_counted, change.item.state)}",)

    def execute(self, change: Change) -> None:
        file, product = self._place(change.item)
        if change.action is Action.REMOVE:
            self._remove(file, product)
        else:
            self.show(self._shares[change.item.key])

    def show(self, share: Share) -> None:
        """Make the share's view over the version that is current now, in place of any other."""
        file = self._file(share)
        with self._writing(file):
            view = self._view(share)
            said = {
                "consumer": str(share.consumer),
                "purpose": share.purpose,
                "agreement": share.agreement,
                "version": str(view.number),
            }

            def rows() -> pa.RecordBatchReader:
                return self._through_the_door(share, view.number)

            views_file.change(file, share.product, view, said, rows if view.rows else None)

    def move(self, share: Share) -> None:
        """Point the share's view, where it stands, at the version that is current now. One that does not
        fit the version any more goes, as the door shows it to nobody."""
        file = self._file(share)
        if all(one.product != share.product for one in views_file.standing(file)):
            return
        try:
            self.show(share)
        except NoAgreement:
            self._remove(file, share.product)

    def renew(self, product: str, shares: Sequence[Share]) -> Iterator[tuple[str, str]]:
        """Write every file anew that has a view of the product, over what is published now. A view that
        none of `shares` is behind goes, and what was left by a process that died. Yields each file that
        could not be, and why: it may hold rows that are published no more."""
        import duckdb

        theirs = {self._file(share): share for share in shares}
        for file in views_file.files_below(self._root, left=True):
            try:
                with self._writing(file):
                    views_file.remove_left(file)
                if (share := theirs.get(file)) is not None:
                    self.move(share)
                elif any(one.product == product for one in views_file.standing(file)):
                    self._remove(file, product)
            except (MeshProblem, OSError, duckdb.Error) as problem:
                said = str(problem) if isinstance(problem, MeshProblem) else type(problem).__name__
                yield str(file.relative_to(self._root)), said

    def _remove(self, file: Path, product: str) -> None:
        with self._writing(file):
            views_file.change(file, product, None, {})

    def _view(self, share: Share) -> View:
        snapshot = open_product(self._environment, share.product, served=True)
        assert isinstance(snapshot, SqlSnapshot), "an embedded store reads with DuckDB"
        key = hmac_keys(self._environment)[0] if needs_key(share.terms) else None
        return view_of(share.by_either_name, snapshot, key)

    def _through_the_door(self, share: Share, number: int) -> pa.RecordBatchReader:
        """What the reader sees, masked; the reading is noted as his. Raises `NoAgreement`."""
        reader = Reader(principal_named(str(share.consumer)), share.purpose, by=BY)
        shown = open_for(self._environment, share.product, reader, number)
        if not isinstance(shown, GrantedSnapshot) or not shown.grant.startswith(share.agreement):
            raise NoAgreement(
                f"{share.consumer} reads {share.product} by another agreement now; plan again"
            )
        return shown.batches(share.by_either_name.terms.columns)

    def _writing(self, file: Path) -> AbstractContextManager[None]:
        name = "/".join(file.relative_to(self._root).parts)
        return self._environment.state.lock(f"views/{name}")

    def _item(self, share: Share, sql: str) -> Item:
        name = self._name(self._file(share), share.product)
        return Item(VIEW, name, sql, share.product, str(share.consumer), share.purpose)

    def _file(self, share: Share) -> Path:
        return self._root / _folder(share.consumer) / f"{share.purpose}.duckdb"

    def _name(self, file: Path, product: str) -> str:
        return f"{file.relative_to(self._root)}: {product}"

    def _place(self, item: Item) -> tuple[Path, str]:
        place, _, product = item.name.partition(": ")
        return self._root / place, product


def _folder(consumer: Consumer) -> str:
    """What a reader's folder is called: no two readers' alike, and no separator in it."""
    if not consumer.user:
        return f"{consumer.team}.{consumer.product}" if consumer.product else consumer.team
    plain = re.sub(r"[^a-z0-9_]+", "-", consumer.user.lower()).strip("-")
    return f"{plain}-{hashlib.sha256(consumer.user.encode()).hexdigest()[:8]}"


def _counted(listed: re.Match[str]) -> str:
    """The files of a version, which are hundreds, in few words."""
    count = len(re.findall(r"'(?:[^']|'')*'", listed[0]))
    return f"[{count:,} file{'s' if count > 1 else ''}]"
