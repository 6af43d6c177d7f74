"""The verdicts of `mesh diff` on changes of a contract, beside those of datacontract-cli.

    python -m benchmarks.changes [--peer PYTHON] [--write FILE]

The changes are those of our own test (`tests/contracts/changes/`): one contract that says everything, and
what it becomes, read in both directions. PYTHON is the interpreter of an environment with
datacontract-cli, which shares none with the platform; without it our verdicts stand alone. The peer
is asked as `datacontract breaking --no-inline-references` asks itself, for consumers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

# What a grade of the peer's comes to in our words: it lets a change with warnings pass.
PEER = {"error": "breaking", "warning": "warning", "info": "compatible", "": "no change", "?": "?"}
_ASKED = """
import json, sys
from datacontract.data_contract import DataContract
found = {}
for name, (one, other) in json.load(open(sys.argv[1])).items():
    try:
        files = ({"data_contract_file": file, "inline_references": False} for file in (one, other))
        was, now = (DataContract(**file) for file in files)
        levels = {entry.level.value for entry in was.breaking(now).entries}
        found[name] = next((level for level in ("error", "warning", "info") if level in levels), "")
    except Exception as problem:
        found[name] = "?"
        print(name, type(problem).__name__, str(problem)[:200], file=sys.stderr)
json.dump(found, open(sys.argv[2], "w"))
"""


_HEAD = """# Verdicts on changes of a contract

Written by `python -m benchmarks.changes --peer PYTHON --write docs/changes.md`, with datacontract-cli
1.2.8 (`datacontract breaking`) in an environment of its own. Each change is one of our own test
(`tests/contracts/changes/`), made to one contract that says everything, and taken back. A verdict is
the strongest of what a change comes to: of ours breaking, compatible, cosmetic; of the peer's breaking
(an error), warning, compatible (an information). A warning lets the change pass.
"""
_WHY = """## Where they differ, and why

- **What the peer does not look at** is compatible to it, and breaks readers here: roles with their
  columns, masks and filters, stores, status, partitions, service levels, retention, the loss budget,
  empty versions, classification (people see a column masked from then on), columns that files may lack,
  anonymised values, formats of text, zones of moments, the order of a key's columns, rules of the
  domain's own functions. Most of these are properties of this platform's or clauses that only who
  enforces them can judge: the peer is asked about any ODCS contract.
- **What nobody can decide** (another pattern, another query, a threshold in another unit) is a warning
  there, which lets the change pass, and breaking here.
- **Directions that the peer takes otherwise**: a narrower float, smaller steps (`multipleOf`), fewer
  forbidden numbers (`mustNotBeBetween`), a reference that only warns now: breaking here, compatible
  there.
- **What is no break for readers here**: a column that is served under both of its names, a decimal of
  more digits, a shorter text, another name in landed files (`physicalName`: here the name that
  producers use), a reference that only warned, a number of rows in other words.
- **Cosmetic** is a word that the peer does not have: what only differs in words is compatible to it, or
  a warning (a query in another layout).

Neither count says who is right: the changes are ours, and so is the idea of a reader. What the peer's
verdict is about, and what each consumer uses, `mesh diff` alone asks.

## Each change
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--write", type=Path, help="where the table goes as Markdown")
    options = parser.parse_args()
    texts = dict(_texts())
    ours = {name: _verdict(*pair) for name, pair in texts.items()}
    theirs = _theirs(options.peer, texts) if options.peer else {}
    print("\n".join([*_summary(ours, theirs), "", *_table(ours, theirs)]))
    if options.write:
        options.write.write_text(page(ours, theirs), "utf-8")


def page(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """The verdicts as a page of the documentation, by change and direction."""
    lines = [_HEAD, *_summary(ours, theirs), "", _WHY, *_table(ours, theirs)]
    return "\n".join(lines) + "\n"


def _texts() -> Iterator[tuple[str, tuple[str, str]]]:
    """By name and direction the two contracts of each change."""
    from tests.contracts.changes.test_every_clause_has_a_direction import TABLE
    from tests.contracts.reading import rich

    for name, row in TABLE.items():
        yield f"{name}|there", (rich(), row.after)
        yield f"{name}|back", (row.after, rich())


def _verdict(was: str, now: str) -> str:
    from shared_resources.contracts.changes.comparing import contract_changes
    from tests.contracts.reading import read

    changes = contract_changes(read(was), read(now))
    return changes[0].effect.value if changes else "no change"


def _theirs(python: Path, texts: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    from shared_resources.contracts.source import parse_source

    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as temporary:
        folder, asked = Path(temporary), {}
        for number, (name, pair) in enumerate(texts.items()):
            files = [folder / f"{number}-{which}.odcs.yaml" for which in ("was", "now")]
            for file, text in zip(files, pair, strict=True):
                # As JSON, which is YAML: the peer's parser stumbles over some of ours.
                file.write_text(json.dumps(parse_source(text.encode(), file).data, default=_plain))
            asked[name] = [str(file) for file in files]
        pairs, said = folder / "pairs.json", folder / "said.json"
        pairs.write_text(json.dumps(asked), "utf-8")
        subprocess.run([str(python), "-c", _ASKED, str(pairs), str(said)], check=True)
        return {name: PEER[level] for name, level in json.loads(said.read_text("utf-8")).items()}


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, Decimal) else str(value)


def _summary(ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[str]:
    counted = Counter(ours.values())
    yield f"{len(ours) // 2} changes in both directions. Ours: " + _counts(counted) + "."
    if theirs:
        yield "datacontract-cli: " + _counts(Counter(theirs.values())) + "."
        yield ""
        yield "| ours \\ datacontract-cli | " + " | ".join(PEER.values()) + " |"
        yield "|---|" + "---|" * len(PEER)
        both = Counter((verdict, theirs[name]) for name, verdict in ours.items())
        for verdict in counted:
            row = " | ".join(str(both[verdict, said]) for said in PEER.values())
            yield f"| {verdict} | {row} |"
        alone = sum(ours[name] == "breaking" != said for name, said in theirs.items())
        reverse = sum(said == "breaking" != ours[name] for name, said in theirs.items())
        yield ""
        yield (
            f"Of {len(ours)} verdicts {alone + reverse} disagree on whether readers break: {alone} are "
            f"breaking here alone, {reverse} there alone."
        )


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {verdict}" for verdict, number in counted.items())


def _table(ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[str]:
    yield "| change | ours | datacontract-cli | ours, back | datacontract-cli, back |"
    yield "|---|---|---|---|---|"
    for name in (key.removesuffix("|there") for key in ours if key.endswith("|there")):
        cells = []
        for way in ("there", "back"):
            said, other = ours[f"{name}|{way}"], theirs.get(f"{name}|{way}", "-")
            cells += [f"**{said}**" if theirs and said != other else said, other]
        yield f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
