"""Bringing releases into service: all of it, or nothing of it.

Belongs here: the steps, their order, and undoing them.
Does not belong here: each step: building (`releases.py`), judging (`judging.py`), code servers
(`serving/`), entries (`registry/`).

    build -> judge -> test -> register -> start beside the old -> load -> switch -> drain the old

Until the switch readers and runs see the old release. What fails before the drain is undone, by the
deployment itself, or, if it died, by the next one; what fails in the drain has changed nothing that
anybody sees.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared_resources.environment import Environment
from shared_resources.mesh import read_mesh
from shared_resources.mesh.model import is_domain_name
from shared_resources.mesh.promised import promise_digest, promise_of
from shared_resources.problems import MeshProblem
from shared_resources.registry.registry import Entry
from shared_resources.releasing.domain_tests import run_tests
from shared_resources.releasing.journal import Begun, Journal
from shared_resources.releasing.judging import judge, shown
from shared_resources.releasing.releases import KEPT, Release, Releases
from shared_resources.releasing.undoing import LOAD_PATIENCE, Undoing, standing, withdrawn
from shared_resources.serving.servers import PATIENCE, Drained, NotServing, Servers


class Refused(MeshProblem):
    """The release may not go into service; the message lists why. Nothing was changed."""


@dataclass(frozen=True)
class Wanted:
    """`breaks` are permitted to hit consumers. `tests` are to be run. `load` is how long a server may
    take to load, `drain` how long runs of the old one may take to end."""

    breaks: bool = False
    tests: bool = True
    serve: bool = True
    load: timedelta = LOAD_PATIENCE
    drain: timedelta = PATIENCE


class Deployer:
    """`by` is who deploys; `told` hears of each step, in words for people."""

    def __init__(self, environment: Environment, by: str, told: Callable[[str], None]) -> None:
        self._environment = environment
        self._registry = environment.registry
        self._by = by
        self._told = told
        self._servers = Servers(environment.home)
        self._folder = environment.home / "releases"
        self._journal = Journal(self._folder / "deploying.json")
        self.releases = Releases(environment.home)
        self._undoing = Undoing(self._registry, self._servers, self.releases, by)

    def deploy(self, domains: Sequence[str], wanted: Wanted) -> tuple[Release, ...]:
        """Release the domains as their files are now, together, and serve them.

        Raises what any step does; then everything is as it was.
        """
        with self._alone(wanted):
            self._undo_what_was_left()
            central = self._registry.promised(()).central is None
            found = read_mesh(self._environment.root, registered=self._registry.promised)
            refuse([str(one) for one in found.central.findings])
            releases = []
            for name in dict.fromkeys(domains):
                self._told(f"{name}: building")
                release = self.releases.build(
                    self._environment.root, name, self._by, central=central
                )
                self._told(f"{name}: release {release.digest[:12]}, on platform {release.platform}")
                releases.append(release)
            return self._bring(releases, wanted)

    def roll_back(self, domain: str, to: str | None, wanted: Wanted) -> Release:
        """Serve an earlier release again: `to`, or the one that was in force before the current."""
        with self._alone(wanted):
            self._undo_what_was_left()
            release = self.releases.get(domain, to or self._before_current(domain))
            self._told(f"{domain}: back to release {release.digest[:12]}, built {release.at:%F %T}")
            return self._bring([release], wanted, back=True)[0]

    def withdraw(self, domain: str, wanted: Wanted) -> None:
        """Serve the domain no longer, and let it promise nothing; its data stays.

        Raises `Refused` while a deployed domain reads from it.
        """
        with self._alone(None):
            self._undo_what_was_left()
            entry = self._registry.entries().get(domain)
            served = is_domain_name(domain) and self._servers.serving(domain) is not None
            if entry is None and not served:
                raise Refused(f"the domain {domain!r} is not deployed")
            if served and not self._servers.is_up():
                raise NotServing(
                    f"{domain!r} would be served again by the next `mesh serve`: start it, then withdraw"
                )
            mesh = read_mesh(self._folder, registered=self._registry.promised)
            hit = [
                f"{one.key} reads {product.key}"
                for product in (mesh.domain(domain).products if entry else ())
                for one in mesh.consumers(product.key)
                if one.domain != domain
            ]
            refuse(hit)
            if served:
                self._servers.withdraw(domain, wanted.drain)
            if entry is not None:
                self._registry.register(withdrawn(entry, self._by), None, entry)
            self._told(f"{domain}: withdrawn; what it published stays")

    def _before_current(self, domain: str) -> str:
        history = [one.release for one in standing(self._registry.history(domain))]
        there = {one.digest for one in self.releases.of(domain)}
        earlier = [one for one in history if history and one != history[-1] and one in there]
        if not earlier:
            raise Refused(
                f"{domain!r} has no earlier release on this machine; `mesh deploy --list` shows what "
                "there is"
            )
        return earlier[-1]

    def _bring(
        self, all_: Sequence[Release], wanted: Wanted, *, back: bool = False
    ) -> tuple[Release, ...]:
        entries = self._registry.entries()
        releases = [one for one in all_ if not self._is_there(one, entries, wanted)]
        if not releases:
            return tuple(all_)
        judgement = judge(
            self._environment,
            releases,
            lambda one: self.releases.environments.places(one.environment),
            back=back,
        )
        refuse(shown(judgement.findings, releases))
        if judgement.broken and not wanted.breaks:
            refuse(
                [*judgement.broken], "agree on it with them, then deploy with --breaks-consumers"
            )
        for broken in judgement.broken:
            self._told(f"breaks: {broken}")
        for release in releases:
            self._told(f"{release.domain}: contracts, policies and consumers agree")
            if wanted.tests:
                self._test(release)
        before = {one.domain: entries.get(one.domain) for one in releases}
        served = {one.domain: self._servers.serving(one.domain) for one in releases}
        promises = {one.domain: promise_files(one) for one in releases}
        after = {one.domain: self._entry(one, promises[one.domain]) for one in releases}
        begun = Begun(before, after, served)
        self._journal.begin(begun)
        with self._undone_unless_whole(begun):
            for release in releases:
                name = release.domain
                self._registry.register(after[name], promises[name], before[name])
            if wanted.serve:
                for release in releases:  # they load beside each other
                    self._servers.start(self._undoing.server(release))
                for release in releases:
                    loaded = self._servers.wait_loaded(self._undoing.server(release), wanted.load)
                    self._told(f"{release.domain}: loads, in {loaded.seconds:.1f} s")
                for release in releases:
                    self._servers.switch(self._undoing.server(release))
                    self._told(f"{release.domain}: serves release {release.digest[:12]}")
            self._journal.end()
        if wanted.serve:
            self._drain(served, after, wanted.drain)
        for release in releases:
            history = self._registry.history(release.domain)[-KEPT:]
            kept = {release.digest, *self._served(), *(one.release for one in history)}
            self.releases.forget(release.domain, kept)
        for damaged in self.releases.damaged():
            self._told(f"to be seen to: {damaged}")
        return tuple(all_)

    def _is_there(self, release: Release, entries: Mapping[str, Entry], wanted: Wanted) -> bool:
        entry = entries.get(release.domain)
        registered = entry is not None and entry.release == release.digest
        there = registered and (
            not wanted.serve or self._servers.serving(release.domain) == release.digest
        )
        if there and wanted.serve:  # of a deployment that was killed while it drained
            for one in self._servers.running():
                if one.domain == release.domain and not one.serving:
                    self._servers.stop(one.domain, one.release, wanted.drain)
        if there:
            self._told(f"{release.domain}: release {release.digest[:12]} is in service already")
        return there

    def _test(self, release: Release) -> None:
        tested = run_tests(self._environment, release, self.releases.python(release))
        if tested.why_not:
            self._told(f"{release.domain}: its tests were not run: {tested.why_not}")
        elif tested.passed:
            self._told(f"{release.domain}: its tests pass ({tested.passed})")

    def _served(self) -> set[str]:
        running = self._servers.running() if self._servers.is_up() else []
        return {one.release for one in running}

    def _drain(
        self, served: Mapping[str, str | None], after: Mapping[str, Entry], patience: timedelta
    ) -> None:
        for name, old in served.items():
            if old is not None and old != after[name].release:
                drained = self._servers.stop(name, old, patience)
                self._told(f"{name}: release {old[:12]} ended{_runs(drained)}")

    @contextmanager
    def _undone_unless_whole(self, begun: Begun) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._told("it failed: everything is put back as it was")
            self._undoing.undo(begun)
            self._journal.end()
            raise

    def _undo_what_was_left(self) -> None:
        self.releases.sweep()
        begun = self._journal.left()
        if begun is not None:
            self._told(f"a deployment of {', '.join(begun.after)} was cut off: it is undone first")
            self._undoing.undo(begun)
            self._journal.end()

    def _entry(self, release: Release, promise: Mapping[str, bytes]) -> Entry:
        return Entry(
            release.domain,
            promise_digest(promise),
            release.digest,
            release.platform,
            self._by,
            datetime.now(UTC),
        )

    @contextmanager
    def _alone(self, wanted: Wanted | None) -> Iterator[None]:
        if wanted is not None and wanted.serve and not self._servers.is_up():
            raise NotServing(
                f"nothing is served from {self._environment.home}, so nothing was deployed; start "
                "`mesh serve` and leave it running, or deploy with --register-only"
            )
        home = self._environment.home
        if home.is_dir() and home.stat().st_uid != os.geteuid():
            raise Refused(
                f"{home} belongs to another user, who could not read what this one writes there; "
                "deploy as that user"
            )
        with self._servers.alone():
            yield


def _runs(drained: Drained) -> str:
    if not drained.waited_for:
        return ""
    cancelled = f", cancelled {', '.join(drained.cancelled)}" if drained.cancelled else ""
    return f" after {drained.waited_for} runs ({drained.seconds:.0f} s){cancelled}"


def promise_files(release: Release) -> dict[str, bytes]:
    """What the domain promises by this release."""
    return promise_of(read_mesh(release.root).domain(release.domain))


def refuse(reasons: Sequence[str], otherwise: str = "") -> None:
    """Raises `Refused` for reasons, if there are any."""
    if reasons:
        lines = "".join(f"\n  {one}" for one in reasons)
        rest = f"\n{otherwise}" if otherwise else ""
        raise Refused(f"nothing was deployed:{lines}{rest}")
