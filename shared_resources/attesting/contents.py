"""Whether a version consists of what was attested of it.

Belongs here: its committed properties, its files and their bytes, the contract's text, the inputs.
Does not belong here: its place in the chain (`chain.py`), its rules (`rerunning.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared_resources.attesting.chain import attestation_of
from shared_resources.attesting.differences import Difference
from shared_resources.attesting.envelopes import Attested, Envelopes
from shared_resources.environment import Environment
from shared_resources.evidence.keys import CONTRACT_DIGEST, PREFIX, TERMS
from shared_resources.evidence.statement import (
    AttestedFile,
    canonical,
    digest_of,
    digest_of_files,
    structured,
)
from shared_resources.problems import MeshProblem
from shared_resources.stores.protocol import ProductStore, Unreadable, Version

SHOWN = 120


def committed_differences(
    envelopes: Envelopes, version: Version, attested: Attested
) -> Iterator[Difference]:
    """What was committed with the version, against what was attested of it."""
    said: Mapping[str, Any] = attested.predicate.get("committed", {})
    found = structured(version.properties)
    for name in sorted({*said, *found}):
        if said.get(name) != found.get(name):
            yield envelopes.difference(
                version.number,
                "committed-changed",
                PREFIX + name,
                f"{PREFIX}{name} is {_shown(found.get(name))}, attested was {_shown(said.get(name))}",
            )
    terms = attested.predicate.get("terms")
    wanted = said.get(TERMS.removeprefix(PREFIX))
    if wanted is not None and terms is not None and digest_of(terms) != wanted:
        yield envelopes.difference(
            version.number,
            "terms-changed",
            attested.where,
            "it holds other terms than were committed",
        )


def file_differences(
    envelopes: Envelopes, store: ProductStore, version: Version, attested: Attested
) -> Iterator[Difference]:
    """The files that the version lists, and every byte of them."""

    def difference(kind: str, where: str, message: str) -> Difference:
        return envelopes.difference(version.number, kind, where, message)

    try:
        snapshot = store.open(version.product, version.number)
        files = snapshot.attested()
        problems = snapshot.verify().problems
    except Unreadable as problem:
        yield difference("damaged", problem.file, f"{problem.file} {problem.problem}")
        return
    except MeshProblem as problem:
        yield difference("unreadable", str(version.snapshot), str(problem))
        return
    for problem_of_bytes in problems:
        where = re.split(r" (?:has the SHA-256|cannot be read)", problem_of_bytes)[0]
        yield difference("file-changed", where, problem_of_bytes)
    data = attested.predicate.get("data")
    if isinstance(data, dict) and digest_of_files(files) != data.get("digest"):
        yield from _listed(difference, attested, files)


def _listed(
    difference: Callable[[str, str, str], Difference],
    attested: Attested,
    files: tuple[AttestedFile, ...],
) -> Iterator[Difference]:
    """Which files differ, as far as the statement lists them."""
    assert attested.envelope is not None
    data = attested.predicate["data"]
    names = {s["name"]: s["digest"]["sha256"] for s in attested.envelope.statement["subject"][1:]}
    said = Counter(names.values())
    found = Counter(file.sha256 for file in files if file.sha256)
    named = False
    if data["listed"] == "all":
        for file in files:
            if file.sha256 and found[file.sha256] > said[file.sha256]:
                named = True
                yield difference(
                    "file-foreign",
                    file.name,
                    f"{file.name} (SHA-256 {file.sha256[:12]}…) is listed, and was not attested",
                )
    for name, sha256 in sorted(names.items()):
        if said[sha256] > found[sha256]:
            named = True
            yield difference(
                "file-dropped",
                name,
                f"{name} (SHA-256 {sha256[:12]}…) was attested, and is not listed any more",
            )
    by_digest = {sha256: name for name, sha256 in names.items()}
    for file in files:
        attested_rows = data["rowsOf"].get(by_digest.get(file.sha256 or "", file.name))
        if attested_rows is not None and attested_rows != file.rows:
            named = True
            yield difference(
                "rows-changed",
                file.name,
                f"{file.name} counts {file.rows:,} rows, attested were {attested_rows:,}",
            )
    if not named:
        rows = sum(file.rows for file in files)
        yield difference(
            "files-changed",
            attested.where,
            f"its {len(files):,} files of {rows:,} rows are not the {data['files']:,} files of "
            f"{data['rows']:,} rows that were attested, or count them for other partitions",
        )


def contract_differences(
    environment: Environment, envelopes: Envelopes, version: Version
) -> Iterator[Difference]:
    """The text of the contract under which it was published."""
    digest = version.properties.get(CONTRACT_DIGEST, "")
    if environment.published_contracts.text(digest) is None:
        yield envelopes.difference(
            version.number,
            "contract-text",
            digest,
            f"the text of its contract (SHA-256 {digest[:12]}…) is not kept, or is another by now",
        )


def input_differences(
    envelopes: Envelopes,
    version: Version,
    attested: Attested,
    of_input: Callable[[str, str], tuple[Envelopes, list[Version]] | None],
) -> Iterator[Difference]:
    """The versions that it was made from; `of_input` gives those of a product in a store."""
    committed = attested.predicate.get("committed", {})
    pins = committed.get("inputs") or {}
    for product, digest in (committed.get("input-attestations") or {}).items():
        store, _, rest = str(pins.get(product, "")).partition(":")
        number = int(rest.partition(":")[0] or 0)
        known = of_input(product, store)
        if known is None:
            message = f"its input {product} was read in the {store}, which has none of it"
            yield envelopes.difference(version.number, "input-missing", product, message)
            continue
        theirs, versions = known
        kept = next((v for v in versions if v.number == number), None)
        current = attestation_of(kept) if kept else None
        line = [one.digest for one in theirs.line(number, current)] if current else []
        if kept is None and theirs.is_thinned(number):
            continue  # it was there, and which one it was nobody keeps any more
        if digest not in {*line, *theirs.expired.get(number, ())}:
            has = f"has {current[:12]}…" if current else "is not kept, and no expiry removed it"
            message = (
                f"it was made from version {number} of {product} with attestation {digest[:12]}…, and "
                f"that {has}"
            )
            yield envelopes.difference(version.number, "input-changed", product, message)


def _shown(value: object) -> str:
    if value is None:
        return "not there"
    text = value if isinstance(value, str) else canonical(value).decode()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
