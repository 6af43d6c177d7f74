"""A mesh of twelve products: the verdict on a change, and exactly the consumers and columns it hits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from shared_resources.comparing.changed import Changed, Verdict, keys, mesh_changes
from shared_resources.mesh import read_mesh
from tests.mesh_files import contract_text, write_central, write_product

LINES, SHOPS = "order/lines", "shop/shops"
_READS = """\
from shared_resources import data_product, product_input


@data_product({inputs})
def {name}({names}):
    return None
"""
_TO = "{domain}/products/{name}/contract.odcs.yaml#/schema/{name}/properties/{column}"
# What each reads: of which product, which columns (None: all of them).
READS: dict[str, dict[str, list[str] | None]] = {
    "order/baskets": {LINES: ["row_id", "amount"]},
    "order/notes": {LINES: ["note"]},
    "shop/sales": {LINES: None, SHOPS: ["row_id"]},
    "shop/best": {"shop/sales": ["row_id"]},
    "people/buyers": {"order/baskets": ["row_id"]},
    "people/regulars": {"people/buyers": None},
}
MODELS = {"people/lists": LINES, "shop/map": SHOPS}
ALONE = ("people/contacts",)
# Whose `row_id` must be one of another product's.
REFERS = {"people/visits": (LINES, "row_id")}


def _contract(key: str, **fields: str) -> str:
    said = yaml.safe_load(contract_text(key))
    [table] = said["schema"]
    amount = {"name": "amount", "logicalType": "number", "physicalType": "DOUBLE"}
    amount |= {"description": "How much.", "classification": "public"}
    table["properties"].append(amount)
    return yaml.safe_dump({**said, **fields}, sort_keys=False)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mesh")
    write_central(root)
    for key in (LINES, SHOPS, *ALONE):
        write_product(root, key, _landing(key))
    for key, read in READS.items():
        inputs = {one.partition("/")[2]: (one, columns) for one, columns in read.items()}
        said = ", ".join(
            f'{name}=product_input("{one}"' + (f", columns={columns!r})" if columns else ")")
            for name, (one, columns) in inputs.items()
        )
        code = _READS.format(inputs=said, name=key.partition("/")[2], names=", ".join(inputs))
        write_product(root, key, _contract(key), code=code)
    for key, read_ in MODELS.items():
        domain, _, name = read_.partition("/")
        model = f"SELECT row_id, note, amount FROM {{{{ source('{domain}', '{name}') }}}}\n"
        write_product(root, key, _contract(key), model=model)
    for key, (read_, column) in REFERS.items():
        said_ = yaml.safe_load(_landing(key))
        domain, _, name = read_.partition("/")
        to = _TO.format(domain=domain, name=name, column=column)
        said_["schema"][0]["properties"][0]["relationships"] = [{"to": to}]
        write_product(root, key, yaml.safe_dump(said_, sort_keys=False))
    assert len(read_mesh(root).products) == 12
    assert [finding for one in read_mesh(root).domains for finding in one.findings] == []
    return root


def _landing(key: str) -> str:
    prefix = {"prefix": key, "format": "csv", "object": "*.csv"}
    said = yaml.safe_load(_contract(key))
    said["customProperties"] = [{"property": "landing", "vendor": "mesh", "value": prefix}]
    return yaml.safe_dump(said, sort_keys=False)


# Of order/lines: what is replaced in its contract, the verdict, who is hit, and by which columns.
CHANGES: dict[str, tuple[tuple[tuple[str, str], ...], Verdict, dict[str, tuple[str, ...]]]] = {
    "a column that some read": (
        (("- name: amount", "- name: value"),),
        Verdict.BREAKING,
        {
            "order/baskets": ("amount",),
            "people/lists": ("amount",),
            "shop/sales": ("amount",),
        },
    ),
    "a column that is related to": (
        (("- name: row_id", "- name: line_id"),),
        Verdict.BREAKING,
        {
            "order/baskets": ("row_id",),
            "people/lists": ("row_id",),
            "people/visits": ("row_id",),
            "shop/sales": ("row_id",),
        },
    ),
    "two columns at once": (
        (("- name: amount", "- name: value"), ("- name: note", "- name: remark")),
        Verdict.BREAKING,
        {
            "order/baskets": ("amount",),
            "order/notes": ("note",),
            "people/lists": ("amount", "note"),
            "shop/sales": ("amount", "note"),
        },
    ),
    "the product as a whole": (
        (("status: active", "status: retired"),),
        Verdict.BREAKING,
        dict.fromkeys(
            ("order/baskets", "order/notes", "people/lists", "people/visits", "shop/sales"), ()
        ),
    ),
    "a column may be null": (
        (("required: true", "required: false"),),
        Verdict.BREAKING,
        {
            "order/baskets": ("row_id",),
            "people/lists": ("row_id",),
            "people/visits": ("row_id",),
            "shop/sales": ("row_id",),
        },
    ),
    "a column is narrower": (
        (("physicalType: BIGINT", "physicalType: INTEGER"),),
        Verdict.BREAKING,
        {
            "order/baskets": ("row_id",),
            "people/lists": ("row_id",),
            "people/visits": ("row_id",),
            "shop/sales": ("row_id",),
        },
    ),
    "a column is classified": (
        (("classification: public", "classification: restricted"),),
        Verdict.BREAKING,
        {
            "order/baskets": ("amount",),
            "people/lists": ("amount",),
            "shop/sales": ("amount",),
        },
    ),
    "nothing that anybody relies on": (
        (("description: How much.", "description: A sum."),),
        Verdict.COSMETIC,
        {},
    ),
    "more than before": (
        (("value: 2\n", "value: 1\n"),),
        Verdict.COMPATIBLE,
        {},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_consumers_and_columns_are_those_that_use_what_breaks(
    before: Path, tmp_path: Path, name: str
) -> None:
    replaced, verdict, hit = CHANGES[name]
    found = _after(before, tmp_path, LINES, *replaced)
    assert found.verdict is verdict
    union: dict[str, set[str]] = {}
    for one in found.hits:
        for consumer, used in one.items():
            union.setdefault(consumer, set()).update(used)
    assert {consumer: tuple(sorted(used)) for consumer, used in union.items()} == hit
    assert found.hit == tuple(sorted(hit))
    assert bool(found.refused) is (verdict is Verdict.BREAKING)


def test_who_reads_a_column_under_its_former_name_is_hit_by_what_becomes_of_it(
    before: Path, tmp_path: Path
) -> None:
    renamed = _copy(before, tmp_path)
    file = renamed / "domains" / "order" / "products" / "lines" / "contract.odcs.yaml"
    said = yaml.safe_load(file.read_text())
    [amount] = [one for one in said["schema"][0]["properties"] if one["name"] == "amount"]
    former = {"name": "amount", "until": "2099-12-31"}
    amount |= {
        "name": "value",
        "customProperties": [{"property": "renamedFrom", "vendor": "mesh", "value": former}],
    }
    file.write_text(yaml.safe_dump(said, sort_keys=False))
    [alias] = mesh_changes(read_mesh(before), read_mesh(renamed), [LINES], "then")
    assert (alias.verdict, alias.hit) == (Verdict.COMPATIBLE, ())
    later = tmp_path / "later"
    later.mkdir()
    changed = _after(renamed, later, LINES, ("physicalType: DOUBLE", "physicalType: REAL"))
    hit = {consumer: used for one in changed.hits for consumer, used in one.items()}
    assert hit == dict.fromkeys(("order/baskets", "people/lists", "shop/sales"), ("value",))


def test_a_new_major_version_permits_it_and_hits_the_same(before: Path, tmp_path: Path) -> None:
    replaced, _, hit = CHANGES["a column that some read"]
    found = _after(before, tmp_path, LINES, *replaced, ("version: 1.0.0", "version: 2.0.0"))
    assert (found.verdict, found.refused, found.hit) == (Verdict.BREAKING, "", tuple(hit))


def test_a_version_that_goes_back_is_refused(before: Path, tmp_path: Path) -> None:
    found = _after(before, tmp_path, LINES, ("version: 1.0.0", "version: 0.9.0"))
    assert found.refused == "the version goes back from 1.0.0 to 0.9.0: say 1.0.0, or a higher one"


@pytest.mark.parametrize(
    ("key", "readers"),
    [("shop/sales", ("shop/best",)), ("people/contacts", ())],
    ids=["that is read", "that nobody reads"],
)
def test_a_product_that_is_gone(
    before: Path, tmp_path: Path, key: str, readers: tuple[str, ...]
) -> None:
    root = _copy(before, tmp_path)
    domain, _, name = key.partition("/")
    folder = root / "domains" / domain / "products" / name
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    [found] = mesh_changes(read_mesh(before), read_mesh(root), [key], "then")
    assert (found.verdict, found.readers, bool(found.refused)) == (
        Verdict.GONE,
        readers,
        bool(readers),
    )


def test_what_is_new_and_what_cannot_be_read(before: Path, tmp_path: Path) -> None:
    root = _copy(before, tmp_path)
    write_product(root, "shop/new", _landing("shop/new"))
    file = root / "domains" / "shop" / "products" / "shops" / "contract.odcs.yaml"
    file.write_text(file.read_text().replace("status: active", "status: lively"))
    mesh = read_mesh(root)
    told = {
        one.key: one for one in mesh_changes(read_mesh(before), mesh, keys(mesh.domains), "then")
    }
    assert len(told) == 13
    assert told["shop/new"].verdict is Verdict.NEW
    assert told[SHOPS].verdict is Verdict.UNKNOWN and "mesh check" in told[SHOPS].refused
    unknown = {Verdict.NEW, Verdict.UNKNOWN}
    assert {one.verdict for one in told.values() if one.verdict not in unknown} == {
        Verdict.UNCHANGED
    }


def _copy(before: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(before, tmp_path / "mesh"))


def _after(before: Path, tmp_path: Path, key: str, *replaced: tuple[str, str]) -> Changed:
    root = _copy(before, tmp_path)
    domain, _, name = key.partition("/")
    file = root / "domains" / domain / "products" / name / "contract.odcs.yaml"
    text = file.read_text()
    for was, now in replaced:
        assert was in text
        text = text.replace(was, now, 1)
    file.write_text(text)
    [found] = mesh_changes(read_mesh(before), read_mesh(root), [key], "then")
    return found
