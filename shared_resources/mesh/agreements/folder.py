"""Where a product's agreements lie: in its folder, so that the producer's review approves them.

Belongs here: the names of the files, and finding those of one consumer.
Does not belong here: their content (`oaas.py`).

A file that is a link is none: what it says would be decided elsewhere, where the consumer may write.

A file begins with its consumer's name. So who opens a product reads the files of one consumer, however
many there are; a file under another name would be in force for nobody, and is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared_resources.findings import Finding, InvalidFile
from shared_resources.mesh.agreements.model import Agreement, Consumer
from shared_resources.mesh.agreements.oaas import RULE, read_agreement

FOLDER = "agreements"
ENDING = ".oaas.yaml"


def file_name(consumer: Consumer, purpose: str = "") -> str:
    """E.g. `marketing.oaas.yaml`, `marketing.campaigns.oaas.yaml`; a second one has its purpose."""
    return _stem(consumer) + (f".{_plain(purpose)}" if purpose else "") + ENDING


def agreement_files(product: Path) -> list[Path]:
    """All files of agreements in a product's folder, by name."""
    return sorted((product / FOLDER).glob(f"*{ENDING}"))


def files_of(product: Path, consumers: Iterable[Consumer]) -> list[Path]:
    """The files that may hold an agreement of one of them."""
    stems = {_stem(consumer) for consumer in consumers}
    found = {
        file
        for stem in stems
        for pattern in (f"{stem}{ENDING}", f"{stem}.*{ENDING}")
        for file in (product / FOLDER).glob(pattern)
    }
    return sorted(found)


def read_all(files: Iterable[Path]) -> tuple[list[Agreement], list[Finding]]:
    """The agreements of the files that can be read, and what is wrong with the others."""
    agreements: list[Agreement] = []
    findings: list[Finding] = []
    for file in files:
        if linked := next((one for one in (file, file.parent) if one.is_symlink()), None):
            findings.append(
                Finding(
                    file,
                    0,
                    RULE,
                    f"{linked.name} is a link, so that the producer's review sees none of its changes",
                    "put the file itself there",
                )
            )
            continue
        try:
            agreements.append(read_agreement(file))
        except InvalidFile as invalid:
            findings += invalid.findings
    return agreements, findings


def misplaced(agreement: Agreement, product: str) -> Iterator[Finding]:
    """What its place says otherwise than it does."""
    if agreement.product != product:
        yield Finding(
            agreement.file,
            agreement.line,
            RULE,
            f"it is about {agreement.product}, and lies with {product}",
            f"write {product} as its provider, or move it",
        )
    if not agreement.file.name.startswith(_stem(agreement.consumer) + "."):
        yield Finding(
            agreement.file,
            agreement.line,
            RULE,
            f"it serves {agreement.consumer}, whose file it is not: nobody reads it",
            f"call it {file_name(agreement.consumer)}",
        )


def _stem(consumer: Consumer) -> str:
    if consumer.user:
        return _plain(consumer.user)
    return f"{consumer.team}.{consumer.product}" if consumer.product else consumer.team


def _plain(text: str) -> str:
    """What a file can be called: no separator, no dot, nothing that a pattern of names reads."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")
