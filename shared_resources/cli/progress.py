"""The progress display of `mesh run`: live on a terminal, a line an event elsewhere.

Belongs here: what a person sees while products are made.
Does not belong here: deciding what is made.
"""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from shared_resources.cli.output import visible


class RunProgress:
    """Use as a context manager. Lines of finished products stay; running ones spin below them."""

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._total = total
        self._done = 0
        self._running: dict[str, tuple[TaskID, float]] = {}

    def __enter__(self) -> RunProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def note(self, text: str) -> None:
        self._console.print(visible(text), markup=False, soft_wrap=True)

    def started(self, product: str) -> None:
        task = self._progress.add_task(product)
        self._running[product] = (task, time.monotonic())

    def published(self, product: str, rows: int | None, version: int | None) -> None:
        self._line(product, "[green]published[/]", f"{rows or 0:>12,} rows  v{version}")

    def skipped(self, product: str, why: str) -> None:
        self._line(product, "[dim]unchanged[/]", why)

    def failed(self, product: str, message: str) -> None:
        self._line(product, "[red]failed[/]   ", "")
        for line in message.splitlines():
            self._console.print(visible(f"      {line}"), markup=False, soft_wrap=True)

    def held(self, product: str, because: str) -> None:
        self._line(product, "[yellow]held[/]     ", f"waits for {because}; its last version stays")

    def _line(self, product: str, state: str, detail: str) -> None:
        self._done += 1
        seconds = ""
        if product in self._running:
            task, start = self._running.pop(product)
            self._progress.remove_task(task)
            seconds = f"{time.monotonic() - start:5.1f} s"
        self._console.print(
            f"{self._done:>3}/{self._total}  {product:<40} {state}  {seconds:>7}  {visible(detail)}",
            soft_wrap=True,
        )
