"""What each kind of change does to whom, over a mesh of twelve products: a truth written by hand.

A line is a change of the contract of `order/lines`, and what it comes to there and back: `cosmetic` or
`compatible`, which hit nobody, or what breaks: columns (`price+cost` is one by two names), `*` for the
whole product, `role:` for what only those see who have the role, and so for one consumer alone. Who uses
which column, and who has which role, stands beside the mesh. What several changes come to together has
lines of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

import pytest

from shared_resources.access.log import Reading, lately
from shared_resources.comparing.changed import mesh_changes
from shared_resources.contracts.odcs import read_contract_text
from shared_resources.data_products.compared.consumers import Hit, present_names
from shared_resources.data_products.compared.downstream import made_from
from shared_resources.data_products.compared.read_lately import read_beside
from shared_resources.mesh import Mesh, read_mesh
from tests.comparing.twelve_products import (
    CATALOG,
    EVERYBODY,
    HOLDERS,
    LINES,
    LOOKED,
    NOW,
    USERS,
    write_log,
    write_mesh,
)
from tests.contracts.changes.test_every_clause_has_a_direction import TABLE
from tests.contracts.reading import rich

_ALONE = """
    a role goes | auditor: | compatible
    a role shows a column less | reader:price | compatible
    a role masks a column | reader:price | compatible
    a role masks a column otherwise | reader:product_id | reader:product_id
    a role shows other rows | reader: | reader:
    a role shows all rows | compatible | reader:
    a role is described | cosmetic | cosmetic
    a column comes | compatible | note
    a column is called otherwise | weight | mass
    a column is called otherwise, and its rows stay | weight | mass
    a column is called otherwise, and is served by both names | compatible | mass
    a column was to be served until a day that is over | weight | mass
    a column is served by another name, too | compatible | mass
    columns in another order | returned | compatible
    a number becomes a text | returned | returned
    a number of other digits | compatible | price
    a number of other places | price | price
    a float of other width | compatible | weight
    a moment with a zone | sold_at | sold_at
    a text of other length | product_id | compatible
    a nullable column is required | compatible | returned
    values may repeat | product_id | compatible
    the key is a shorter one | line_id,sold_at | line_id
    the key in another order | line_id,sold_at | sold_at,line_id
    a column becomes classified | product_id | compatible
    a classified column is more so | compatible | compatible
    an open column becomes internal | compatible | compatible
    files may lack a column | returned | compatible
    landed files call it otherwise | compatible | compatible
    landed text is read otherwise | compatible | compatible
    a text has no format | product_id | compatible
    a text of another format | product_id | product_id
    a text is to be taken otherwise | product_id | product_id
    a value is described otherwise | cosmetic | cosmetic
    a column has another name for people | cosmetic | cosmetic
    a column has other tags | cosmetic | cosmetic
    a least number sinks | price | compatible
    a least number goes | price | compatible
    a largest number sinks | compatible | price
    a bound is left out itself | compatible | price
    an upper bound is in itself | line_id | compatible
    the same bound in other words | cosmetic | cosmetic
    a latest day comes sooner | compatible | paid_on
    a column is a subject's key | cosmetic | cosmetic
    any file may lack a column | returned | compatible
    a range goes | paid_on | compatible
    a whole number's bound is the one beside it, left out | cosmetic | cosmetic
    a day's bound is the one beside it, left out | cosmetic | cosmetic
    the last day of all is left out | paid_on | paid_on
    a range moves | price | price
    steps become larger | compatible | price
    steps become others | compatible | line_id
    a text is to match something else | product_id | product_id
    a text need match nothing | product_id | compatible
    a text may be shorter | product_id | compatible
    a text may be longer | compatible | product_id
    an enumeration has one more | state | compatible
    an enumeration in another order | cosmetic | cosmetic
    an enumeration goes | state | compatible
    more may be invalid | state | compatible
    other values are invalid | compatible | state
    invalid by rows and not by percent | state | state
    none instead of some percent | compatible | state
    another pattern is invalid | state | state
    more values count as missing | compatible | state
    the empty text no longer counts as missing | state | compatible
    fewer nulls are allowed | compatible | state
    a rule with a tolerance goes | state | compatible
    a number between others | compatible | state
    a number outside of others | compatible | product_id,state
    a number of rows in other words | cosmetic | cosmetic
    percent over a hundred | compatible | product_id,state
    a combination in another order | cosmetic | cosmetic
    a number that it is not | state | state
    a number at least | compatible | state
    a rule that warns asks for less | compatible | compatible
    a rule that warns goes | compatible | compatible
    a rule blocks | compatible | *
    another query | * | *
    a query in another layout | cosmetic | cosmetic
    a query's number may be another | * | compatible
    a rule has another name | cosmetic | cosmetic
    a rule of the domain's goes | * | compatible
    another function of the domain's | * | *
    a rule is explained otherwise | cosmetic | cosmetic
    a column refers to another product | compatible | compatible
    several columns refer to another product | product_id,state | product_id,state
    more may refer to nothing | compatible | compatible
    a reference blocks | compatible | product_id
    a store goes | * | compatible
    it is deprecated | compatible | compatible
    it is retired | * | compatible
    it is a draft | * | compatible
    another owner | compatible | compatible
    it is called otherwise by other tools | cosmetic | cosmetic
    it is described otherwise | cosmetic | cosmetic
    it has other tags | cosmetic | cosmetic
    it comes more seldom | * | compatible
    the same length in another unit | cosmetic | cosmetic
    versions are kept for a shorter time | * | compatible
    versions are kept for ever | compatible | *
    what nobody measures | cosmetic | cosmetic
    it begins later | * | compatible
    it ends sooner | * | compatible
    it goes on | compatible | *
    days on which nothing is due | * | compatible
    days after the last one | cosmetic | compatible
    a comment above all | cosmetic | cosmetic
    it lands in other files | compatible | compatible
    more rows may be lacking | * | compatible
    a version may have no row | * | compatible
    rejected rows are kept for another time | compatible | compatible
    it is made at other times | compatible | compatible
    something is to be confirmed | cosmetic | cosmetic
    it is made from other columns | cosmetic | cosmetic
    it is hashed | returned | returned
    what other tools read | cosmetic | cosmetic
    a price | cosmetic | cosmetic
    it is served by its key no more | * | compatible
    a column is served by the key no more | paid_on | compatible
    a generation is kept shorter | compatible | compatible
    fewer generations are kept | compatible | compatible
"""
_FORMER = '{property: renamedFrom, vendor: mesh, value: {name: price, until: "2999-12-31"}}'
# What is replaced in order/lines, each once, and what that comes to, there and back.
COMBINED: dict[str, tuple[tuple[tuple[str, str], ...], str, str]] = {
    "a column is called otherwise, in roles and rules, too": (
        (
            ("[line_id, product_id, price]", "[line_id, product_id, cost]"),
            ('value: "price > 1"', 'value: "cost > 1"'),
            ("- name: price", "- name: cost"),
        ),
        "price reader:",
        "cost reader: jane:cost",
    ),
    "a column is served by both names, and is narrower": (
        (
            ("[line_id, product_id, price]", "[line_id, product_id, cost]"),
            ('value: "price > 1"', 'value: "cost > 1"'),
            ("- name: price", f"- name: cost\n        customProperties: [{_FORMER}]"),
            ("DECIMAL(12,2)", "DECIMAL(10,2)"),
        ),
        "price+cost",
        "cost reader: jane:cost",
    ),
    "a column goes that a role showed, and the role shows another": (
        (
            ("[line_id, product_id, price]", "[line_id, product_id, weight]"),
            ('      - {property: rows, vendor: mesh, value: "price > 1"}\n', ""),
        ),
        "reader:price",
        "reader: jane:weight",
    ),
    "a role goes and a column": (
        (
            ("  - {role: auditor, access: read}\n", ""),
            ("name: weight,", "name: mass,"),
        ),
        "auditor: weight",
        "shop/sales:mass shop/copies:mass",
    ),
    "a column comes and another is classified": (
        (
            (
                "classification: public\n        unique: true",
                "classification: restricted\n        unique: true",
            ),
            (
                "{name: weight,",
                "{name: note, logicalType: string, classification: public}\n      - {name: weight,",
            ),
        ),
        "product_id",
        "note",
    ),
    "a tighter rule and a looser one": (
        (
            ("mustBeLessThan: 1\n", "mustBeLessThan: 2\n"),
            ("minimum: 0, maximum: 9999.99", "minimum: 1, maximum: 9999.99"),
        ),
        "state",
        "price",
    ),
    "a wider type and a rule that goes": (
        (("{format: f32}", "{format: f64}"), (', logicalTypeOptions: {maximum: "2030-12-31"}', "")),
        "paid_on",
        "weight",
    ),
    "other words and what is kept": (
        (("priceAmount: 1.5", "priceAmount: 2.5"), ("value: 3, unit: y", "value: 1, unit: y")),
        "*",
        "compatible",
    ),
    "everything at once": (
        (
            ("status: active", "status: retired"),
            ("DECIMAL(12,2)", "DECIMAL(12,3)"),
            ("{product_id: mask-to-fixed-value}", "{product_id: keyed-hash}"),
        ),
        "* price reader:product_id",
        "price reader:product_id",
    ),
    "what is compatible twice": (
        (
            ("DECIMAL(12,2)", "DECIMAL(14,2)"),
            (
                "lossBudgetPercent, vendor: mesh, value: 5",
                "lossBudgetPercent, vendor: mesh, value: 3",
            ),
        ),
        "compatible",
        "* price",
    ),
    "what is cosmetic twice": (
        (("tags: [sales, retail]", "tags: [sales]"), ("tags: [key]", "tags: [id]")),
        "cosmetic",
        "cosmetic",
    ),
}


@dataclass(frozen=True)
class Truth:
    after: str
    said: tuple[str, str]


def _rows() -> dict[str, Truth]:
    found = {}
    for line in _ALONE.strip().splitlines():
        name, there, back = (part.strip() for part in line.split("|"))
        found[name] = Truth(TABLE[name].after, (there, back))
    for name, (replaced, there, back) in COMBINED.items():
        found[name] = Truth(rich(*replaced), (there, back))
    return found


TRUTH = _rows()


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Mesh:
    return read_mesh(write_mesh(tmp_path_factory.mktemp("mesh")))


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> list[Reading]:
    return lately(write_log(tmp_path_factory.mktemp("log")), LINES, NOW)


def _with(mesh: Mesh, key: str, text: str) -> Mesh:
    """The mesh with another contract of that product."""
    was = mesh.product(key)
    now = replace(was, contract=_contract(text, was.contract_file))
    domains = (
        replace(one, products=tuple(now if p.key == key else p for p in one.products))
        if one.name == was.domain
        else one
        for one in mesh.domains
    )
    return replace(mesh, domains=tuple(domains))


_contract = cache(read_contract_text)


def _expected(said: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """By consumer and by who looked the columns that are hit."""
    hit: dict[str, set[str]] = {}
    looked: dict[str, set[str]] = {}
    for part in said.split() if said not in ("cosmetic", "compatible") else ():
        who, _, named = part.rpartition(":")
        for column in named.split(","):
            names = {*column.split("+")} - {"*", ""}
            used = column.partition("+")[0].strip("*")
            users = HOLDERS.get(who, [who]) if who else _users(used)
            for user in users:
                hit.setdefault(user, set()).update(names)
            for reader, read in LOOKED.items() if who not in HOLDERS else ():
                if not used or used in read or len(read) == len(USERS):
                    looked.setdefault(reader, set()).update(names)
    return hit, looked


def _users(column: str) -> list[str]:
    """Of a column that nobody names, because it was never there, those who read whatever there is."""
    everything = [who for who in EVERYBODY if all(who in users for users in USERS.values())]
    return USERS.get(column, everything) if column else EVERYBODY


def _union(hits: Iterable[Hit]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for hit in hits:
        for who, used in hit.items():
            found.setdefault(who, set()).update(used)
    return found


@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
@pytest.mark.parametrize("name", TRUTH)
def test_a_change_hits_whom_the_truth_says_by_the_columns_that_it_says(
    mesh: Mesh, looked_at: list[Reading], name: str, back: bool
) -> None:
    truth, said = TRUTH[name], TRUTH[name].said[back]
    after = _with(mesh, LINES, truth.after)
    earlier, now = (after, mesh) if back else (mesh, after)
    [found] = mesh_changes(earlier, now, [LINES], "then")
    plain = said in ("cosmetic", "compatible")
    assert found.verdict.value == (said if plain else "breaking")
    assert bool(found.refused) is not plain
    hit, looked = _expected(said)
    assert _union(found.hits) == hit
    assert found.hit == tuple(sorted(hit))
    present = present_names(now.product(LINES))
    beside = _union(read_beside(found.changes, found.hits, looked_at, present))
    assert beside == looked


def test_the_truth_has_eighty_kinds_alone_and_some_together() -> None:
    assert {*TABLE} <= {*TRUTH} and len(TABLE) >= 80 and len(COMBINED) >= 10


# Changes of several products at once, by product: what is replaced, and whom it hits by which columns.
TOGETHER: dict[str, dict[str, tuple[tuple[tuple[str, str], ...], dict[str, tuple[str, ...]]]]] = {
    "what a model joins to, and what it reads": {
        CATALOG: (
            (("name: product_id", "name: article"),),
            {"order/lines": ("product_id",), "shop/paid": ("product_id",)},
        ),
        LINES: (
            (("name: weight,", "name: mass,"),),
            dict.fromkeys(["people/weights", "shop", "shop/copies", "shop/sales"], ("weight",)),
        ),
    },
    "two in a row": {
        "order/baskets": (
            (("physicalType: BIGINT", "physicalType: INTEGER"),),
            {"people/buyers": ("row_id",)},
        ),
        LINES: ((("status: active", "status: draft"),), dict.fromkeys(EVERYBODY, ())),
    },
    "one that nobody reads": {
        "people/buyers": ((("status: active", "status: retired"),), {}),
        CATALOG: ((("name: state", "name: phase"),), {"order/lines": ("state",)}),
    },
}


@pytest.mark.parametrize("name", TOGETHER)
def test_changes_of_several_products_are_told_apart(mesh: Mesh, name: str) -> None:
    after = mesh
    for key, (replaced, _) in TOGETHER[name].items():
        text = mesh.product(key).contract_file.read_text()
        for was, now in replaced:
            assert was in text
            text = text.replace(was, now, 1)
        after = _with(after, key, text)
    found = {one.key: one for one in mesh_changes(mesh, after, [p.key for p in mesh.products], "")}
    for key, (_, hit) in TOGETHER[name].items():
        assert found[key].verdict.value == "breaking"
        said = {who: tuple(sorted(used)) for who, used in _union(found[key].hits).items()}
        assert said == dict(sorted(hit.items()))
    others = {key for key, one in found.items() if one.verdict.value != "unchanged"}
    assert others == {*TOGETHER[name]}


def test_what_is_made_from_what_breaks_is_followed_through_models(mesh: Mesh) -> None:
    """By their statements, where no contract declares it; what only dbt can read says nothing."""
    assert made_from(mesh, LINES, ["price"]) == {"shop/paid": ("note",)}
    assert made_from(mesh, LINES, ["line_id"]) == {
        "people/weights": ("row_id",),
        "shop/times": ("row_id",),
    }
    assert made_from(mesh, LINES, ["state"]) == {}


def test_a_product_that_is_gone_is_missed_by_whom_an_agreement_shows_it(mesh: Mesh) -> None:
    left = [replace(one, products=()) if one.name == "order" else one for one in mesh.domains]
    after = replace(mesh, domains=tuple(left))
    [found] = mesh_changes(mesh, after, [LINES], "then")
    # Those of its own domain are gone with it.
    assert found.readers == tuple(sorted(who for who in EVERYBODY if not who.startswith("order/")))
    assert found.refused
