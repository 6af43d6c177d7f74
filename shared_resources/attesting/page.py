"""One page for an auditor: what each version was checked against, what not, and what differs.

Belongs here: the page, which needs nothing beside it. Does not belong here: what stands in it
(`shown.py`), finding differences (`verifying.py`, `rerunning.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from shared_resources.attesting.differences import Difference
from shared_resources.attesting.rerunning import Rerun
from shared_resources.attesting.shown import all_differences, version_shown
from shared_resources.attesting.verifying import Proof

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1b1b; background: #fff }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.2rem; margin-top: 2rem }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top;
  overflow-wrap: break-word; word-break: normal }
td:nth-child(n+4) { overflow-wrap: anywhere }
th { font-weight: 600; color: #555 }
code { font-size: .85em; overflow-wrap: anywhere }
.good { color: #0a6b2d } .bad { color: #a40000; font-weight: 600 } .open { color: #8a5a00 }
.verdict { border-left: .4rem solid; padding: .5rem 1rem; margin: 1rem 0; background: #f6f6f6 }
details { border: 1px solid #ddd; border-radius: .3rem; padding: .4rem .8rem; margin: .5rem 0 }
summary { cursor: pointer; font-weight: 600 }
@media print { details { break-inside: avoid } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(
    product: str,
    proofs: Sequence[Proof],
    reruns: Sequence[Rerun],
    trusted: Iterable[str],
    *,
    reran: bool,
) -> str:
    """The page as HTML. `proofs` are verified ones, `trusted` the ids of the keys, `reran` whether
    rules were run again."""
    found = all_differences(proofs, reruns)
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    body = [
        f"<h1>Evidence of {_t(product)}</h1>",
        f"<p>Made on {moment} by <code>mesh evidence {_t(product)} --export</code>, from what is "
        "stored.</p>",
        _verdict(proofs, found),
        _differences(found),
        _how(trusted, reran),
        *(_store(proof, [one for one in reruns if one.store == proof.store]) for proof in proofs),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Evidence of {_t(product)}</title><style>{_STYLE}</style></head>\n<body>"
        + "\n".join(body)
        + "</body></html>\n"
    )


def _verdict(proofs: Sequence[Proof], found: Sequence[Difference]) -> str:
    versions = [one for proof in proofs for one in proof.versions]
    attested = sum(one.attested is not None for one in versions)
    without = len(versions) - attested
    if found:
        noun = "difference" if len(found) == 1 else "differences"
        said = f'<strong class="bad">{len(found)} {noun}</strong> from what was attested.'
    else:
        said = '<strong class="good">As attested.</strong> Nothing differs.'
    lacking = f" {without} more are from before there were attestations." if without else ""
    return f'<div class="verdict">{said} {attested} attested versions were compared.{lacking}</div>'


def _differences(found: Sequence[Difference]) -> str:
    if not found:
        return ""
    rows = [[d.store, d.version or "", d.kind, d.where, d.message] for d in found]
    return "<h2>What differs</h2>" + _table(("store", "version", "what", "where", "how"), rows)


def _how(trusted: Iterable[str], reran: bool) -> str:
    keys = [f"<code>{_t(key)}</code>" for key in trusted]
    checked = [
        "the bytes of every file of every kept version against the SHA-256 that was attested",
        "every property that was committed with a version against its statement",
        "the link of each version to the one before, what expired included",
        "the text of each contract and the attestation of each input by their SHA-256",
        f"signatures, by the keys {', '.join(keys)}" if keys else "",
        "the rules, run again over the stored rows" if reran else "",
    ]
    lacking = [
        "" if keys else "signatures: no public key was given (MESH_VERIFY_KEYS)",
        "" if reran else "the rules were not run again over the stored rows (--rerun)",
        "bytes of tables in Snowflake, which shows none: their rows are counted",
        "whether all of the mesh's places were put back to an earlier state together: keep the newest "
        "attestation below somewhere else, and compare",
        "anything that the contract does not say; what it says and nothing enforces stands at each "
        "version",
    ]
    return (
        f"<h2>How it was compared</h2><ul>{_items(checked)}</ul>"
        f"<h2>What was NOT checked here</h2><ul>{_items(lacking)}</ul>"
    )


def _items(texts: Iterable[str]) -> str:
    return "".join(f"<li>{text}</li>" for text in texts if text)


def _store(proof: Proof, reruns: Sequence[Rerun]) -> str:
    """The newest version comes first, and is the one that is open."""
    again = {one.version: one for one in reruns}
    expired = ", ".join(map(str, proof.expired)) or "none"
    parts = [f"<h2>In the {_t(proof.store)}</h2><p>Versions that expired: {expired}.</p>"]
    for one in reversed(proof.versions):
        newest = one is proof.versions[-1]
        parts.append(_version(version_shown(one), again.get(one.version.number), opened=newest))
    return "".join(parts)


def _version(shown: dict[str, Any], again: Rerun | None, *, opened: bool) -> str:
    failed = [result for result in shown["results"] if not result["passed"]]
    passed = len(shown["results"]) - len(failed)
    contract = shown["contract"] or {"version": "unknown", "digest": ""}
    title = (
        f"Version {shown['version']}: {shown['rows']:,} rows, {passed} rules passed, "
        f"{len(failed)} failed, {len(shown['not_checked'])} not checked, {shown['signed']}"
    )
    facts = [
        ("kind", shown["kind"] or "not attested"),
        ("published", shown["published_at"]),
        ("attestation", shown["attestation"] or "none"),
        ("made on top of", _link(shown["previous"])),
        ("supersedes", shown["supersedes"] or ""),
        (
            "erased since",
            "; ".join(f"{one['rows']:,} rows by {one['erasure']}" for one in shown["erased"]),
        ),
        ("signed by", shown["signed_by"] or "nobody"),
        ("contract", f"{contract['version']} (SHA-256 {contract['digest']})"),
        ("code", shown["code"] or "none is recorded"),
        ("release of the domain", shown["release"] or "none: made from a working folder"),
        ("platform", ", ".join(f"{k} {v}" for k, v in (shown["platform"] or {}).items())),
        ("run", shown["run"] or ""),
        ("landing objects", len(shown["objects"])),
        ("quarantined beside it", ", ".join(shown["quarantined"]) or "none"),
    ]
    return (
        f"<details{' open' if opened else ''}><summary>{_t(title)}</summary>"
        + _table(("", ""), [[name, value] for name, value in facts if value != ""])
        + "<h3>What was checked</h3>"
        + _table(
            ("rule", "result", "severity", "rows that failed", "what it says"),
            [
                [r["rule"], _result(r), r["severity"], r["rows_failed"] or "", r["says"] or ""]
                for r in shown["results"]
            ],
        )
        + '<h3 class="open">What was NOT checked</h3>'
        + _table(("clause", "why"), [[one["what"], one["why"]] for one in shown["not_checked"]])
        + _rerun(again)
        + _listed("Policies", ("name", "description", "digest"), shown["policies"])
        + _listed("Waivers in force", ("policy", "reason", "approver", "expires"), shown["waivers"])
        + _listed("Approvals", ("by", "what", "why"), shown["approvals"])
        + _listed(
            "Agreements by which inputs were read",
            ("product", "consumer", "roles", "purpose", "until", "approver", "id", "digest"),
            [{**one, "roles": ", ".join(one["roles"])} for one in shown["agreements"] or ()],
        )
        + _listed("Inputs", ("product", "read", "attestation"), shown["inputs"])
        + _lineage(shown["lineage"])
        + _data(shown["data"])
        + "</details>"
    )


def _rerun(again: Rerun | None) -> str:
    if again is None:
        return ""
    skipped = _table(("rule", "why not"), [[*pair] for pair in again.skipped])
    return f"<h3>Run again</h3><p>{len(again.rules)} rules; not run again:</p>{skipped}"


def _lineage(lineage: dict[str, Any] | None) -> str:
    said = f", {lineage['how']}" if lineage else ""
    rows = [
        [name, ", ".join(made) or "no product"]
        for name, made in (lineage["columns"] if lineage else {}).items()
    ]
    return f"<h3>Where columns come from{_t(said)}</h3>" + _table(("column", "made from"), rows)


def _data(data: dict[str, Any] | None) -> str:
    if not data:
        return ""
    rows = [[name, rows, data["sizes"].get(name) or ""] for name, rows in data["rowsOf"].items()]
    listed = "" if data["listed"] == "all" else " Only the batch's own are listed."
    said = f"{data['files']:,} files, {data['rows']:,} rows, SHA-256 {data['digest']}.{listed}"
    return f"<h3>Data</h3><p>{_t(said)}</p>" + _table(("file", "rows", "bytes"), rows)


def _listed(title: str, names: Sequence[str], rows: Sequence[dict[str, Any]] | None) -> str:
    listed = [[row.get(name) or "" for name in names] for row in rows or ()]
    return f"<h3>{title}</h3>" + _table(names, listed)


def _link(previous: dict[str, Any] | None) -> str:
    if previous is None:
        return "nothing: it is the first"
    return f"version {previous['version']}, attestation {previous['attestation'] or 'none'}"


def _result(result: dict[str, Any]) -> str:
    return "passed" if result["passed"] else "FAILED"


def _table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{_t(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{_t(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _t(value: object) -> str:
    return escape(str(value))
