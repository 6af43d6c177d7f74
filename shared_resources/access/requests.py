"""Asking for an agreement, and deciding about one: as files in the producer's folder.

Belongs here: writing a request, its approval or rejection.
Does not belong here: the form of the file (`mesh/agreements/oaas.py`), reviews: whoever may change the
producer's folder may decide, and CODEOWNERS says who that is.
"""

from __future__ import annotations

import difflib
import os
import re
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from shared_resources.access.principal import Principal
from shared_resources.access.terms import problems_with
from shared_resources.contracts.model import Contract
from shared_resources.mesh.agreements.folder import FOLDER, agreement_files, file_name, read_all
from shared_resources.mesh.agreements.model import Agreement, Consumer, Status
from shared_resources.mesh.agreements.oaas import (
    DECIDED_AT,
    DECIDED_BY,
    SCHEMA_LINE,
    agreement_text,
    read_agreement,
    written,
)
from shared_resources.mesh.domain_file import same_person
from shared_resources.mesh.model import Central, Domain, Mesh, ProductFolder
from shared_resources.problems import MeshProblem

SCHEMA = "../../../../../docs/reference/schemas/agreement.schema.json"


class RequestRefused(MeshProblem):
    """The agreement cannot be asked for, or decided about, so; the message says what to do."""

    exit_code = 2


def request(
    mesh: Mesh,
    product: ProductFolder,
    principal: Principal,
    roles: Sequence[str],
    purpose: str,
    *,
    usage: str = "",
    until: datetime | None = None,
    reassess: datetime | None = None,
    output: Path | None = None,
) -> Agreement:
    """Write the request beside the product, or to `output` where its folder is elsewhere.

    One that has ended makes way. Raises `RequestRefused` for what no approval could make good, and
    while there is one already.
    """
    contract = _contract(product)
    consumer = principal.consumers[0]
    domain = mesh.domain(product.domain)
    if domain.registered and output is None:
        raise RequestRefused(
            f"the files of {product.domain} are not here; write the request to a file (--output FILE) "
            f"and send it to its owners, {', '.join(domain.owners)}: it belongs into {FOLDER}/ beside "
            f"the contract of {product.key}"
        )
    now = datetime.now(UTC)
    for said, moment in (("end", until), ("be looked at again", reassess)):
        if moment is not None and moment < now:
            raise RequestRefused(
                f"it would {said} on {moment.date()}, which is over: name a day that is to come"
            )
    there = _free(product, consumer, purpose, output)
    asked = Agreement(
        id=str(uuid.uuid4()),
        product=product.key,
        consumer=consumer,
        purpose=purpose,
        status=Status.REQUESTED,
        roles=tuple(dict.fromkeys(roles)),
        file=there,
        usage=usage,
        ends=until,
        reassessment=reassess,
    )
    problems = list(problems_with(asked, product.key, contract, (), mesh.central))
    if output is not None:
        problems = [p for p in problems if "nobody reads it" not in p.message]
    if problems:
        raise RequestRefused("; ".join(f"{p.message}: {p.remedy}" for p in problems))
    text = agreement_text(asked, contract.id, contract.version)
    there.parent.mkdir(parents=True, exist_ok=True)
    _put(there, (SCHEMA_LINE.format(SCHEMA) if output is None else "") + text)
    return asked


def unknown_consumer(mesh: Mesh, consumer: Consumer) -> str:
    """What to look at before an owner approves: nothing here is called so. Empty where something is, and
    of persons and agents, whom no file lists."""
    if consumer.user:
        return ""
    name, domains = str(consumer), [domain.name for domain in mesh.domains]
    known = [*domains, *(product.key for product in mesh.products)]
    if name in known:
        return ""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(domains)}"
    return f"nothing that is known here is called {name}, so nobody may come to read by it; {hint}"


def decide_about(
    domain: Domain,
    product: ProductFolder,
    central: Central,
    agreement: Agreement,
    status: Status,
    by: str,
    now: datetime | None = None,
) -> Agreement:
    """Approve or reject it in its file, which stays as it is beside that.

    Raises `RequestRefused` when `by` owns nothing of the domain, or when it could not be in force.
    """
    if not any(same_person(by, owner) for owner in domain.owners):
        raise RequestRefused(
            f"{by or 'nobody'} may not decide about {product.key}; its domain's owners may: "
            f"{', '.join(domain.owners) or 'none is named'} (say who you are with --by)"
        )
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    decided = replace(agreement, status=status, decided_by=by, decided_at=moment)
    if status is Status.APPROVED:
        owners, contract = domain.owners, _contract(product)
        problems = list(problems_with(decided, product.key, contract, owners, central))
        if problems:
            raise RequestRefused("; ".join(f"{p.message}: {p.remedy}" for p in problems))
    before = agreement.file.read_text(encoding="utf-8")
    _put(agreement.file, _decided(before, status, by, moment))
    found = read_agreement(agreement.file)
    if (found.status, found.decided_by) != (status, by):
        _put(agreement.file, before)
        raise RequestRefused(
            f"{agreement.file} cannot be changed as it is written; edit it by hand"
        )
    return found


def agreement_for(product: ProductFolder, consumer: Consumer, purpose: str | None) -> Agreement:
    """The one agreement about the product that serves the consumer. Raises `RequestRefused`."""
    agreements, unreadable = read_all(agreement_files(product.folder))
    found = [a for a in agreements if a.consumer == consumer and purpose in (None, a.purpose)]
    if len(found) == 1:
        return found[0]
    if found:
        purposes = ", ".join(sorted(a.purpose for a in found))
        raise RequestRefused(
            f"{consumer} has several: say for which purpose (--purpose): {purposes}"
        )
    broken = "".join(f"; {finding}" for finding in unreadable)
    known = ", ".join(sorted({str(a.consumer) for a in agreements})) or "nobody"
    raise RequestRefused(
        f"there is no agreement about {product.key} for {consumer}; there is for {known}{broken}"
    )


def _contract(product: ProductFolder) -> Contract:
    if product.contract is None:
        raise RequestRefused(f"the contract of {product.key} cannot be read; `mesh check` says why")
    return product.contract


def _free(product: ProductFolder, consumer: Consumer, purpose: str, output: Path | None) -> Path:
    if output is not None:
        if output.exists():
            raise RequestRefused(f"{output} is there already; name another file")
        return output
    agreements, _ = read_all(agreement_files(product.folder))
    for agreement in agreements:
        if (agreement.consumer, agreement.purpose) == (consumer, purpose):
            if agreement.over(datetime.now(UTC)):
                return agreement.file  # the next one takes its place
            rejected = agreement.status is Status.REJECTED
            remedy = (
                "change it, or remove it and ask again" if rejected else "wait for it, or change it"
            )
            raise RequestRefused(
                f"{consumer} has asked for {product.key} and {purpose}: {agreement.file} is "
                f"{agreement.status}; {remedy}"
            )
    folder = product.folder / FOLDER
    first = folder / file_name(consumer)
    return folder / file_name(consumer, purpose) if first.exists() else first


def _decided(text: str, status: Status, by: str, moment: datetime) -> str:
    """The text with the status and who decided; earlier decisions make way."""
    lines = [
        f"status: {status.value}" if re.match(r"status:", line) else line
        for line in text.rstrip("\n").split("\n")
    ]
    said = {DECIDED_BY: by, DECIDED_AT: written(moment)}
    at, kept, skipping = None, [], False
    for line in lines:
        if re.match(rf"\s*- property: ({DECIDED_BY}|{DECIDED_AT})\s*$", line):
            skipping = True
            continue
        if skipping and re.match(r"\s+\w", line):
            continue
        skipping = False
        kept.append(line)
        if line.rstrip() == "customProperties:":
            at = len(kept)
    if at is None:
        kept.append("customProperties:")
        at = len(kept)
    entries = [
        f"- property: {name}\n  value: '{value.replace(chr(39), chr(39) * 2)}'\n  vendor: mesh"
        for name, value in said.items()
    ]
    indent = re.match(r"\s*", kept[at])[0] if at < len(kept) and "- " in kept[at] else ""  # type: ignore[index]
    indented = [entry.replace("\n", "\n" + indent) for entry in entries]
    kept[at:at] = [indent + entry for entry in indented]
    return "\n".join(kept) + "\n"


def _put(file: Path, text: str) -> None:
    """Whole or not at all."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
