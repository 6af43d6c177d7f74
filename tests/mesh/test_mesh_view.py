"""Reading the mesh from its files: what is there, how it is made, and everything that is wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from shared_resources.findings import Finding
from shared_resources.mesh import Archetype, ProductKind, read_mesh, read_product
from shared_resources.mesh.locations import location_findings
from shared_resources.mesh.model import only_domain
from shared_resources.wiring import LocalEnvironment
from tests.mesh_files import CODE, DOMAIN, contract_text, write_domain, write_product


def here(root: Path) -> LocalEnvironment:
    return LocalEnvironment(root, root / ".mesh")


def only(findings: tuple[Finding, ...]) -> Finding:
    assert len(findings) == 1, findings
    assert findings[0].remedy
    return findings[0]


def test_a_sound_mesh_is_read_whole_and_without_findings(tmp_path: Path) -> None:
    write_product(tmp_path, "order/lines")
    write_product(tmp_path, "order/baskets", lines="order/lines")
    write_product(tmp_path, "sales/daily", model="select * from {{ source('order', 'baskets') }}")
    mesh = read_mesh(tmp_path)
    assert mesh.findings == ()
    assert mesh.domain_names == ("order", "sales")
    kinds = {product.key: product.kind for product in mesh.products}
    assert kinds == {
        "order/baskets": ProductKind.FUNCTION,
        "order/lines": ProductKind.INGEST,
        "sales/daily": ProductKind.DBT,
    }
    order = mesh.domain("order")
    assert (order.owner, order.owners) == ("order@example.com", ("order@example.com",))
    assert order.archetype is Archetype.SOURCE_ALIGNED
    assert order.contact == "#order"
    contract = mesh.product("order/lines").contract
    assert contract is not None
    assert contract.key == "order/lines"
    assert [read_product(here(tmp_path), product.key) for product in mesh.products] == [
        *mesh.products
    ]


@pytest.mark.parametrize("key", ["", "order", "order/line", "order/lines/", "../order/lines", "/"])
def test_there_is_no_product_of_another_name(tmp_path: Path, key: str) -> None:
    write_product(tmp_path, "order/lines")
    assert read_product(here(tmp_path), key) is None


def test_what_products_read_is_known_from_code_models_and_relationships(tmp_path: Path) -> None:
    write_product(tmp_path, "order/lines")
    related = contract_text("order/notes", landing=True).replace(
        "        required: true\n",
        "        required: true\n        relationships:\n"
        "          - to: order/products/lines/contract.odcs.yaml#/schema/lines/properties/row_id\n",
    )
    write_product(tmp_path, "order/notes", related)
    write_product(tmp_path, "order/baskets", lines="order/lines", notes="order/notes")
    model = (
        "{# source('no', 'where') #}\n-- source('no', 'way')\n"
        "select * from {{ source(\"order\",\"baskets\") }} join {{ source( 'order' , 'lines' ) }}"
    )
    write_product(tmp_path, "sales/daily", model=model)
    mesh = read_mesh(tmp_path)
    assert mesh.findings == ()
    assert mesh.product("order/notes").reads == ("order/lines",)
    assert mesh.product("order/baskets").reads == ("order/lines", "order/notes")
    assert mesh.product("sales/daily").reads == ("order/baskets", "order/lines")
    assert {given.line for given in mesh.product("sales/daily").inputs} == {3}
    consumers = [product.key for product in mesh.consumers("order/lines")]
    assert consumers == ["order/baskets", "order/notes", "sales/daily"]


def test_a_model_reads_what_it_refs_and_what_its_steps_read(tmp_path: Path) -> None:
    for key in ("order/lines", "order/baskets", "sales/daily"):
        write_product(tmp_path, key)
    model = "select * from {{ ref('clean') }} join {{ ref(\"weekly\") }} join {{ ref('gone') }}"
    write_product(tmp_path, "order/best", model=model)
    write_product(tmp_path, "order/weekly", model="select 1")
    steps = tmp_path / "dbt_project" / "models" / "order" / "steps"
    steps.mkdir()
    clean = "\n\nselect * from {{ source('sales', 'daily') }} {{ ref('round') }}"
    (steps / "clean.sql").write_text(clean)
    (steps / "round.sql").write_text("{{ ref('clean') }} {{ ref('toy', 'baskets') }}")
    (product,) = [p for p in read_mesh(tmp_path).products if p.name == "best"]
    assert product.reads == ("order/baskets", "order/weekly", "sales/daily")
    assert {(i.key, i.file.name, i.line) for i in product.inputs} == {
        ("sales/daily", "clean.sql", 3),
        ("order/baskets", "round.sql", 1),
        ("order/weekly", "best.sql", 1),
    }


def test_inputs_and_their_columns_are_read_from_code_also_through_constants(
    tmp_path: Path,
) -> None:
    write_product(tmp_path, "order/lines")
    code = (
        "from shared_resources import data_product, product_input\n"
        "LINES = 'order/lines'\nKEY = ('row_id',)\n"
        "@data_product(\n"
        "    a='order/lines',\n"
        "    b=product_input(LINES, columns=[*KEY, 'note']),\n"
        "    c=product_input(key=LINES),\n"
        "    d=product_input(LINES, [column for column in KEY]),\n"
        ")\n"
        "def copies(a, b, c, d, context):\n    return a\n"
    )
    write_product(tmp_path, "order/copies", code=code)
    mesh = read_mesh(tmp_path)
    assert mesh.findings == ()
    given = mesh.product("order/copies").inputs
    assert [(i.key, i.columns, i.line) for i in given] == [
        ("order/lines", None, 5),
        ("order/lines", ("row_id", "note"), 6),
        ("order/lines", None, 7),
        ("order/lines", None, 8),
    ]


def test_one_broken_domain_hides_no_other(tmp_path: Path) -> None:
    write_product(tmp_path, "order/lines", "kind: [")
    (tmp_path / "domains" / "order" / "domain.yaml").write_bytes(b"\xff\xfe\x00")
    write_product(tmp_path, "sales/daily")
    mesh = read_mesh(tmp_path)
    assert len(mesh.domain("order").findings) == 2
    assert mesh.product("order/lines").contract is None
    assert mesh.domain("sales").findings == ()
    assert mesh.product("sales/daily").contract is not None


def test_folders_that_are_no_domains_or_products_are_left_out(tmp_path: Path) -> None:
    write_product(tmp_path, "order/lines")
    domains = tmp_path / "domains"
    for left in ("__pycache__", ".idea", "source_systems", "deleted/__pycache__", "empty"):
        (domains / left).mkdir(parents=True)
    (domains / "source_systems" / "tills.py").write_text("")
    (domains / "order" / "products" / "gone" / "__pycache__").mkdir(parents=True)
    (domains / "__init__.py").write_text("")
    (domains / "order" / "products" / "__init__.py").write_text("")
    mesh = read_mesh(tmp_path)
    assert mesh.domain_names == ("order",)
    assert [product.name for product in mesh.domain("order").products] == ["lines"]
    assert mesh.findings == ()


def test_whose_the_tests_beside_the_domains_are_is_known(tmp_path: Path) -> None:
    assert only_domain(tmp_path) is None
    for name, only in (("order", "order"), ("sales", None)):
        (tmp_path / "domains" / name).mkdir(parents=True)
        (tmp_path / "domains" / "governance.yaml").touch()
        (tmp_path / "domains" / name / "domain.yaml").touch()
        assert only_domain(tmp_path) == only
    shutil.rmtree(tmp_path / "domains" / "sales")
    (tmp_path / "shared_resources").mkdir()  # the platform's own checkout
    assert only_domain(tmp_path) is None


def test_a_folder_without_domains_is_an_empty_mesh(tmp_path: Path) -> None:
    assert read_mesh(tmp_path).domains == ()


def test_a_domain_without_domain_file_is_a_finding(tmp_path: Path) -> None:
    (write_domain(tmp_path, "order") / "domain.yaml").unlink()
    found = only(read_mesh(tmp_path).findings)
    assert "has no domain.yaml" in found.message


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("contact:", "kontakt:"), 1, "'contact' is missing"),
        (("archetype: source-aligned", "archetype: raw"), 3, "unknown archetype 'raw'"),
        (("owner: order@example.com", "owner: 7"), 4, "'owner' is not text"),
        (("owner: order@example.com", "owner: eve@example.com"), 4, "not among `owners`"),
        (("owners: [order@example.com]", "owners: order@example.com"), 5, "not a list of texts"),
        (("owners: [order@example.com]", "owners: []"), 5, "not a list of texts"),
        (("description: The order desk.", "description: ' '"), 2, "'description' is not text"),
        (("waivers: []", "waivers: {}\nname: twice"), 8, "'name' stands twice"),
        (("waivers: []", "waivers: 3"), 7, "'waivers' is not a list"),
        (("waivers: []", "waivers: [3]"), 7, "a waiver without fields"),
        (("waivers: []", "colour: blue"), 7, "unknown field 'colour'"),
        (("waivers: []", "environment: RATE"), 7, "'environment' is not a list of texts"),
        (("waivers: []", "environment: [a b]"), 7, "'a b' is no name of a variable"),
        (("waivers: []", "environment: [PATH]"), 7, "'PATH' is passed to every domain"),
        (("waivers: []", "environment: [aws_secret_access_key]"), 7, "is the platform's own"),
        (("waivers: []", "environment:\n  - RATE\n  - DATABASE_URL"), 9, "is the platform's own"),
    ],
)
def test_what_is_wrong_in_a_domain_file_is_found_on_its_line(
    tmp_path: Path, change: tuple[str, str], line: int, words: str
) -> None:
    write_domain(tmp_path, "order", DOMAIN.format(name="order").replace(*change))
    found = read_mesh(tmp_path).findings
    assert any(f.line == line and words in f.message for f in found), found
    assert all(f.rule == "domain" and f.remedy and f.file.name == "domain.yaml" for f in found)


def test_a_misspelt_field_is_named_with_what_was_meant(tmp_path: Path) -> None:
    text = DOMAIN.format(name="order").replace("contact:", "contacts:")
    write_domain(tmp_path, "order", text)
    remedies = [finding.remedy for finding in read_mesh(tmp_path).findings]
    assert "did you mean 'contact'?" in remedies


WAIVERS = """\
waivers:
  - policy: described
    product: lines
    reason: the till's vendor documents it in May
    approver: governance@example.com
    expires: 2030-12-31
  - {policy: classified, product: lines, reason: " ", approver: a@b.example, expires: 2030-02-30}
  - {policy: classified, product: lines, approver: a@b.example, expires: soon, until: 2030}
"""


def test_waivers_are_read_with_their_lines_and_half_a_waiver_is_none(tmp_path: Path) -> None:
    text = DOMAIN.format(name="order").replace("waivers: []\n", WAIVERS)
    write_domain(tmp_path, "order", text)
    order = read_mesh(tmp_path).domain("order")
    (waiver,) = order.waivers
    assert (waiver.policy, waiver.product, waiver.line) == ("described", "lines", 8)
    assert waiver.expires == date(2030, 12, 31)
    assert not waiver.expired(date(2030, 12, 31))
    assert waiver.expired(date(2031, 1, 1))
    messages = {(f.line, f.message) for f in order.findings}
    assert messages == {
        (13, "'reason' is not text"),
        (13, "'expires' is not a day: '2030-02-30'"),
        (14, "waiver: 'reason' is missing"),
        (14, "'expires' is not a day: 'soon'"),
        (14, "waiver: unknown field 'until'"),
    }


def test_a_product_that_nothing_makes_is_found(tmp_path: Path) -> None:
    write_product(tmp_path, "order/lines", contract_text("order/lines"))
    found = only(read_mesh(tmp_path).findings)
    assert "nothing makes order/lines" in found.message
    assert "dbt_project/models/order/lines.sql" in found.remedy


def test_a_product_that_is_made_in_two_ways_is_found(tmp_path: Path) -> None:
    code = CODE.format(name="lines", inputs="", parameters="")
    write_product(tmp_path, "order/lines", contract_text("order/lines", landing=True), code=code)
    found = only(read_mesh(tmp_path).findings)
    assert "made in 2 ways: product.py and `landing` in its contract" in found.message
    assert found.line > 0
    assert read_mesh(tmp_path).product("order/lines").kind is None


def test_a_product_folder_without_contract_is_found(tmp_path: Path) -> None:
    (write_product(tmp_path, "order/lines") / "contract.odcs.yaml").rename(tmp_path / "aside")
    (tmp_path / "domains" / "order" / "products" / "lines" / "notes.txt").write_text("")
    assert "has no contract" in only(read_mesh(tmp_path).findings).message


@pytest.mark.parametrize(
    ("code", "line", "words"),
    [
        ("def f(:\n", 1, "no valid Python"),
        ("def lines():\n    return 1\n", 1, "holds 0 functions with @data_product"),
        ("@data_product\ndef a(): ...\n@data_product()\ndef b(): ...\n", 4, "holds 2 functions"),
        ("x = 1\n@data_product(a='order/x')\ndef f(b): ...\n", 3, "f takes (b) but"),
        ("@data_product\ndef f(b): ...\n", 2, "names ()"),
    ],
)
def test_code_that_could_not_be_loaded_is_found_without_loading_it(
    tmp_path: Path, code: str, line: int, words: str
) -> None:
    write_product(tmp_path, "order/lines", code=code)
    found = only(read_mesh(tmp_path).findings)
    assert words in found.message
    assert (found.file.name, found.line) == ("product.py", line)


def test_reading_runs_none_of_the_code(tmp_path: Path) -> None:
    code = CODE.format(name="lines", inputs="", parameters="") + "\nraise SystemExit(3)\n"
    write_product(tmp_path, "order/lines", code=code)
    assert read_mesh(tmp_path).findings == ()


RULE = """\
    quality:
      - {name: sane, type: custom, engine: python, implementation: "rules:sane"}
"""


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (None, "rules.py is not there"),
        ("def insane(table): ...\n", "has no function 'sane'"),
        ("def (", "no valid Python"),
    ],
)
def test_a_custom_rule_without_its_function_is_found(
    tmp_path: Path, rules: str | None, words: str
) -> None:
    contract = contract_text("order/lines") + RULE
    code = CODE.format(name="lines", inputs="", parameters="")
    folder = write_product(tmp_path, "order/lines", contract, code=code)
    if rules is not None:
        (folder / "rules.py").write_text(rules)
    assert words in only(read_mesh(tmp_path).findings).message
    (folder / "rules.py").write_text("def sane(table): ...\n")
    assert read_mesh(tmp_path).findings == ()


def workspace(*domains: str) -> str:
    listed = "".join(
        f"  - python_module: {{module_name: domains.{name}.definitions, location_name: {name}}}\n"
        for name in domains
    )
    return "load_from:\n" + listed


def test_every_domain_is_a_code_location_that_is_listed(tmp_path: Path) -> None:
    write_domain(tmp_path, "order")
    write_domain(tmp_path, "sales")
    (tmp_path / "workspace.yaml").write_text(workspace("order", "gone"))
    found = sorted(location_findings(read_mesh(tmp_path)))
    assert [f.message for f in found] == [
        "domain 'sales' is not listed, so Dagster does not load it",
        "there is no domain 'gone'",
    ]
    assert found[1].line == 3
    (tmp_path / "workspace.yaml").write_text(workspace("order", "sales"))
    assert list(location_findings(read_mesh(tmp_path))) == []


def test_a_domain_without_or_with_broken_definitions_is_found(tmp_path: Path) -> None:
    (write_domain(tmp_path, "order") / "definitions.py").unlink()
    (write_domain(tmp_path, "sales") / "definitions.py").write_text("defs = (")
    found = list(location_findings(read_mesh(tmp_path)))
    assert "has no definitions.py" in found[0].message
    assert "no valid Python" in found[1].message


def test_the_static_view_imports_neither_dagster_nor_pandas_nor_a_store() -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom shared_resources.mesh import read_mesh\n"
        "mesh = read_mesh(Path('.'))\n"
        "assert mesh.products\n"
        "print({'dagster', 'pandas', 'pyiceberg', 'duckdb', 'polars'} & set(sys.modules))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=300
    )
    assert (done.stdout.strip(), done.stderr) == ("set()", "")
