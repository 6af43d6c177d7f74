"""Each kind of rule is one file, and says of itself what the platform asks of its shape."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from shared_resources.contracts.rules import registry
from shared_resources.contracts.rules.kind import (
    BatchKind,
    KeyKind,
    OwnKind,
    ReferenceKind,
    RowKind,
    RuleKind,
)
from tests.architecture.tree import ROOT, modules
from tests.contract_factory import make_rule

KINDS = registry.all_kinds()
FOLDER = Path("shared_resources/contracts/rules")


def test_every_file_is_a_kind() -> None:
    files = {path.stem for path in modules(str(FOLDER)) if path.parent != FOLDER}
    assert files - {"__init__"} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_kind_has_one_shape(kind: RuleKind) -> None:
    shapes = (RowKind, KeyKind, ReferenceKind, BatchKind, OwnKind)
    assert sum(isinstance(kind, shape) for shape in shapes) == 1


@pytest.mark.parametrize(
    "name", [path.stem for path in (ROOT / FOLDER / "values").glob("[!_]*.py")]
)
def test_no_other_module_of_the_platform_names_a_kind_that_one_value_decides(name: str) -> None:
    naming = {
        path
        for path in modules("shared_resources")
        if f'kind == "{name}"' in (ROOT / path).read_text("utf-8")
        or f"rules.values.{name}" in (ROOT / path).read_text("utf-8")
    }
    # NULL_VALUES is REQUIRED with a tolerance.
    assert naming <= {FOLDER / "values" / "null_values.py"}


def test_metrics_and_engines_belong_to_one_kind_each() -> None:
    for field in ("metric", "engine"):
        taken = [getattr(kind, field) for kind in KINDS.values() if getattr(kind, field)]
        assert len(taken) == len(set(taken))


def test_kinds_come_in_the_order_of_their_ranks() -> None:
    assert all(one.rank <= other.rank for one, other in pairwise(KINDS.values()))


def test_a_rule_of_an_unknown_kind_says_what_to_do() -> None:
    with pytest.raises(registry.UnknownKind, match="install the distribution"):
        registry.kind_of(make_rule("astrology", "x"))
