"""Why a product is to be made again, or which of its days: what it was made of against what is there.

Belongs here: comparing the evidence of what readers see with contract, policies, code, inputs and
landing objects as they are now.
Does not belong here: what landed and was never ingested (`arrivals/`), the tasks (`pending.py`).

In doubt a product is made again. What Dagster's automation makes is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from shared_resources.access.grants import NoAgreement, grant_of
from shared_resources.access.principal import product_principal
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.evidence.record import Evidence
from shared_resources.governance.catalogue import policies_digest
from shared_resources.governance.quarantine.settlement import with_replacements
from shared_resources.landing.zones.zone import LandingObject, as_listed
from shared_resources.mesh import ProductFolder, read_central
from shared_resources.mesh.code.maker_code import maker_code
from shared_resources.mesh.domain_file import waivers_named
from shared_resources.observing.product_health import Observer, is_fresh
from shared_resources.observing.standing import standing
from shared_resources.running.input_changes import InputChanges, changes_of
from shared_resources.state.attempt import WHOLE, Outcome
from shared_resources.state.last_attempts import LastAttempts
from shared_resources.stores.protocol import Version
from shared_resources.stores.versions import lineage

# Of a day or a product whose last attempt ended so, what is published is the last word.
_ENDED_WELL = (Outcome.PUBLISHED, Outcome.SETTLED)


@dataclass(frozen=True)
class _Now:
    """What the product would be made of now, but for its landing objects."""

    contract_digest: str
    policies: str
    code: str
    reads: frozenset[str]
    whole_reads: frozenset[str]  # of these every day is looked at, whichever is made


class Unchanged:
    """Compares one product's published versions with what it would be made of now."""

    def __init__(self, environment: Environment, product: ProductFolder) -> None:
        assert product.contract is not None
        self._environment = environment
        self._product = product
        self._contract: Contract = product.contract
        code = maker_code(environment.root, product)
        self._code = code
        waivers = waivers_named(product.folder.parents[1])
        self._now = _Now(
            self._contract.digest,
            policies_digest(self._contract, waivers, read_central(environment)),
            code.digest,
            frozenset(product.reads),
            frozenset(one.key for one in product.relationships),
        )
        self._changes: dict[str, InputChanges] = {}

    def why_again(self, extract: LandingObject | None = None) -> str | None:
        """Why the product as a whole is to be made again; None when nothing differs.

        `extract` is the full extract that counts now, of an ingest.
        """
        return next(self._reasons(extract), None)

    def days_again(self, days: Collection[str]) -> list[str]:
        """Which of the days, of a product that reads others day by day, are to be made again."""
        if self._always():
            return sorted(days)
        versions = self._environment.stores_of(self._contract)[0].versions(self._contract.key)
        found = standing(self._environment, self._contract, versions)
        bad = Observer(self._environment).bad_runs(self._contract)
        wrong = found.parts | {one.partition for one in bad}
        stale = bool(versions) and not is_fresh(self._contract, versions[-1])
        if WHOLE in wrong or stale:
            return sorted(days)
        made = _makers_of_days(versions)
        return sorted(
            day for day in days if day in wrong or day not in made or self._differs(made[day], day)
        )

    def _reasons(self, extract: LandingObject | None) -> Iterator[str]:
        versions = self._environment.stores_of(self._contract)[0].versions(self._contract.key)
        if not versions:
            yield "it was never published"
            return
        current = versions[-1]
        evidence = _plain_evidence(current)
        if evidence is None:
            yield f"version {current.number} was not made as a run makes it"
            return
        if why := self._always():
            yield why
        yield from self._of_files(evidence)
        if not self._last_attempt_ended_well():
            yield "its last attempt published nothing"
        health = Observer(self._environment).observe(self._product).health
        yield from (str(reason) for reason in health.failing)
        if not is_fresh(self._contract, current):
            yield "it is older than its contract promises"
        yield from self._of_inputs(evidence, lambda changes, pin: changes.moved(pin))
        if extract is not None and not _made_of(evidence, extract):
            yield f"{extract.key} has landed since"

    def _always(self) -> str:
        """Why it is made however little differs."""
        if self._contract.always_run is not None:
            return "its contract says `alwaysRun`" if self._contract.always_run else ""
        return self._code.elsewhere

    def _of_files(self, evidence: Evidence) -> Iterator[str]:
        if evidence.contract_digest != self._now.contract_digest:
            yield "its contract has changed"
        if evidence.policies != self._now.policies:
            yield "the central policies, or their waivers, have changed"
        # Earlier releases wrote none. Of what has no code there is nothing that they could have said.
        if (evidence.code or "") != self._now.code:
            yield "its code has changed"

    def _of_inputs(
        self, evidence: Evidence, differs: Callable[[InputChanges, tuple[str, int]], bool]
    ) -> Iterator[str]:
        if unknown := self._now.reads - set(evidence.inputs):
            yield f"it was made without {', '.join(sorted(unknown))}"
        for key, pin in evidence.input_versions.items():
            if differs(self._changes_of(key), pin):
                yield f"{key} has moved on"
        yield from self._of_grants(evidence)

    def _of_grants(self, evidence: Evidence) -> Iterator[str]:
        """Of what it was shown a part of. Who is shown nothing any more is made again, and told why."""
        reader = product_principal(self._product.key)
        for key, shown in evidence.grants.items():
            try:
                now = grant_of(self._environment, key, reader).said
            except NoAgreement:
                now = "nothing"
            if now != shown:
                yield f"its agreement shows other things of {key}"

    def _differs(self, maker: Evidence, day: str) -> bool:
        """Whether the day would be made of something else now than it was."""
        if any(self._of_files(maker)):
            return True
        for key, pin in maker.input_versions.items():
            changes = self._changes_of(key)
            whole = key in self._now.whole_reads
            if changes.moved(pin) if whole else changes.changed(day, pin):
                return True
        return not self._now.reads <= set(maker.inputs) or any(self._of_grants(maker))

    def _changes_of(self, product: str) -> InputChanges:
        if product not in self._changes:
            self._changes[product] = changes_of(self._environment, product)
        return self._changes[product]

    def _last_attempt_ended_well(self) -> bool:
        attempts = LastAttempts(self._environment.state, self._contract.key).all()
        whole = [one for one in attempts if one.partition == WHOLE]
        return bool(whole) and whole[0].outcome in _ENDED_WELL


def days_to_try(environment: Environment, contract: Contract) -> set[str]:
    """The days of an ingest of which something is in quarantine that today's contract may take."""
    entries = environment.quarantine.list(contract.key)
    if all(entry.contract_digest == contract.digest for entry in entries):
        return set()
    versions = environment.stores_of(contract)[0].versions(contract.key)
    newest = {
        partition: entry
        for entry in with_replacements(entries, versions)
        for partition in entry.partitions
    }
    settled = standing(environment, contract, versions).settled
    return {
        partition
        for partition, entry in newest.items()
        if entry.open and entry.contract_digest != contract.digest
    } - settled


def _makers_of_days(versions: list[Version]) -> Mapping[str, Evidence]:
    """What each day that readers see was made of, as far back as runs made them one after another."""
    made: dict[str, Evidence] = {}
    doubtful: set[str] = set()
    for version in lineage(versions):
        evidence = version.evidence_or_none
        if evidence is None or version.rollback_of is not None:
            break
        for day in evidence.partitions:
            if evidence.replay_of is not None and day not in made:
                doubtful.add(day)
            if day not in doubtful:
                made.setdefault(day, evidence)
    return made


def _plain_evidence(version: Version) -> Evidence | None:
    """The evidence of a version that a run made; of a rollback or a replay it is another's."""
    evidence = version.evidence_or_none
    if evidence is None or version.rollback_of is not None or evidence.replay_of is not None:
        return None
    return evidence


def _made_of(evidence: Evidence, extract: LandingObject) -> bool:
    return any(
        key == extract.key and as_listed(etag) == extract.listed for key, etag in evidence.objects
    )
