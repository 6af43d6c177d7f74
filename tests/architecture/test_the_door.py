"""Who hands out the rows of a product: the door, and beside it the platform's own reading by name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.tree import modules, syntax

# What opens a version as it was published, each with why nobody is shown its rows by it.
OPENS = {
    "access/door.py": "the door itself",
    "stores/": "stores open what is theirs; readers are given a store's version by none of them",
    "attesting/contents.py": "digests of the files, which are what is attested",
    "attesting/rerunning.py": "runs a version's rules again, and tells counts",
    "branching/differences.py": "compares a branch with what it stands on, and tells counts",
    "cli/commands/governing/erase.py": "which partitions a version holds",
    "cli/commands/quarantine.py": "which rows break a relationship; those shown are the owner's",
    "cli/commands/rollback.py": "which partitions a version holds",
    "data_products/auditing.py": "audits what is published",
    "data_products/compared/proofs.py": "verifies digests",
    "data_products/dbt/on_snowflake/inputs.py": "finds the table of an input that is seen whole",
    "data_products/pinned_inputs.py": "pins an input; whoever is given it is admitted by the door",
    "data_products/replaying.py": "appends to what is published",
    "data_products/restoring.py": "audits the version that is rolled back to",
    "engines/embedded_views/views.py": "the files of a view, which shows what its agreement does",
    "erasing/recognising.py": "which keys the journal knows; nobody is told them",
    "governance/dry_run.py": "asks policies of what is published",
    "governance/asking_published.py": "tells policies the schema and the evidence",
    "io_managers/product_io_manager.py": "admits by the door what it has pinned",
    "locations/product_asset.py": "opens the pins of a run; what its maker is given is admitted",
    "observing/product_health.py": "which partitions are there",
    "rehearsing/changes.py": "compares a rehearsal with what its own product has published",
    "rehearsing/given_inputs.py": "the inputs of a rehearsal, admitted where they are made of",
    "reviewing/trial_process.py": "how many rows an input has",
    "running/pending.py": "which partitions are there",
    "serving_ports/following.py": "writes a version to where rows are read under agreements alone",
    "streams/live/making.py": "its own version for its owner; its inputs are admitted by the door",
    "streams/merging.py": "merges a window into its own product, which is audited and published",
    "streams/taken_keys.py": "compares the keys of a window with those of its own product",
    "streams/window.py": "pins what rules refer to",
    "testing/temporary_mesh.py": "what the tests of a product say it has made",
}
OPENERS = {"open_product", "open_pinned", "open_at"}


def opens(module: Path) -> list[int]:
    """The lines that open a version: by one of the functions, or by a store's own method."""
    lines = []
    for node in ast.walk(syntax(module)):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) if name in OPENERS:
                lines.append(node.lineno)
            case ast.Attribute(attr=name) if name in OPENERS:
                lines.append(node.lineno)
            case ast.Attribute(value=of, attr="open") if _is_store(of):
                lines.append(node.lineno)
    return lines


def _is_store(node: ast.expr) -> bool:
    """Called a store, a warehouse or a lake, of whatever, or one of several."""
    said = ast.unparse(node).lower()
    last = said.rpartition(".")[2].partition("[")[0]
    named = ("store", "warehouse", "lake", "_base")
    return last.startswith("stores") or last.lstrip("_").endswith(named) or "stores" in said


def reason(module: Path) -> str | None:
    path = module.as_posix().removeprefix("shared_resources/")
    return next((why for place, why in OPENS.items() if path.startswith(place)), None)


@pytest.mark.parametrize("module", modules(), ids=str)
def test_rows_are_handed_out_by_the_door_alone(module: Path) -> None:
    lines = opens(module)
    assert not lines or reason(module), (
        f"{module} opens a version in line {lines[0]}; hand it out through access/door.py, or say "
        "here why nobody is shown its rows"
    )


def test_each_place_that_is_named_does_open_one() -> None:
    used = {
        place
        for module in modules("shared_resources")
        for place in OPENS
        if module.as_posix().removeprefix("shared_resources/").startswith(place) and opens(module)
    }
    assert set(OPENS) - used == set()
