"""Promise: rehearsals, branches, rollbacks, dbt's hooks, notebooks, a kill: each sees what is granted.

The ways of working with a product beside reading it; `test_nobody_sees_more_than_an_agreement_grants.py`
has those of reading. Each of them is really gone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from shared_resources.access.door import Reader, open_for
from shared_resources.access.grants import NoAgreement, grant_of
from shared_resources.access.log import log_of
from shared_resources.access.principal import Principal
from shared_resources.data_products.dbt import process as dbt_process
from shared_resources.data_products.dbt.model import DbtModels
from shared_resources.environment import PROJECT_ROOT
from shared_resources.mesh import read_whole_mesh
from shared_resources.wiring import current
from tests.cli.commands import call
from tests.contract_factory import make_contract
from tests.data_products.dbt_toy import MACROS, PROJECT, write
from tests.guarantees.test_nobody_sees_more_than_an_agreement_grants import (
    HIDDEN,
    KEY,
    WHO,
    document,
    nothing_hidden_in,
    people_mesh,
)
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

NEAR = "marketing/near"
CODE = """
import json
from pathlib import Path
import pyarrow as pa
from shared_resources import data_product

@data_product(people="crm/people")
def near(people: pa.Table):
    Path("SEEN").write_text(json.dumps(people.to_pylist(), default=str))
    return people.select(["id"])
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the product near writes what it was given."""
    return tmp_path_factory.mktemp("seen") / "seen.json"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, seen: Path) -> Iterator[TinyMesh]:
    with people_mesh(tmp_path_factory.mktemp("people")) as mesh:
        code = CODE.replace("SEEN", str(seen))
        mesh.product(NEAR, contract_text(NEAR, [column("id")]), code)
        done = mesh.run(NEAR)
        assert done.success, failures(done)
        yield mesh


@pytest.fixture
def folder(people: TinyMesh) -> Iterator[Path]:
    """The producer's, as it was before when the test is over."""
    product = people.root / "domains" / "crm" / "products" / "people"
    files = {file: file.read_bytes() for file in product.rglob("*") if file.is_file()}
    yield product
    for file, content in files.items():
        file.write_bytes(content)


def end_it(folder: Path) -> None:
    (folder / "agreements" / f"{WHO}.oaas.yaml").write_text(
        document().replace("status: approved", "status: rejected")
    )


def what_was_given(seen: Path) -> str:
    given = seen.read_text()
    seen.unlink()
    assert "north" in given
    return given


@pytest.mark.parametrize("options", [(), ("--sample", 1), ("--sample", 2)], ids=str)
def test_a_rehearsal_is_given_what_a_run_would_be(
    people: TinyMesh, seen: Path, options: tuple[object, ...]
) -> None:
    del people
    told = call("test", NEAR, *options, "--json")
    assert told.code == 0, told.err
    nothing_hidden_in(what_was_given(seen))
    nothing_hidden_in(told.out + told.err)


def test_a_rehearsal_needs_the_agreement_of_today(
    people: TinyMesh, seen: Path, folder: Path
) -> None:
    del people
    seen.unlink(missing_ok=True)
    end_it(folder)
    told = call("test", NEAR)
    assert told.code != 0 and "rejected" in told.err
    assert not seen.exists()


def test_a_branch_opens_no_door(
    people: TinyMesh, seen: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by its reads nor by an agreement that stands in it alone: its files are the mesh's."""
    assert call("branch", "create", "beside").code == 0
    monkeypatch.setenv("MESH_BRANCH", "beside")
    inside = TinyMesh(current(), people.instance)
    done = inside.run(NEAR)
    assert done.success, failures(done)
    nothing_hidden_in(what_was_given(seen))
    nothing_hidden_in("\n".join(str(event) for event in done.all_events))
    shown = open_for(inside.environment, KEY, Reader(Principal(WHO)))
    nothing_hidden_in(shown.batches().read_all().to_pylist())
    end_it(folder)
    assert not inside.run(NEAR).success
    with pytest.raises(NoAgreement):
        open_for(inside.environment, KEY, Reader(Principal(WHO)))


def test_what_a_rollback_brings_back_is_seen_by_the_agreement_of_today(
    people: TinyMesh, folder: Path
) -> None:
    assert call("rollback", KEY, "--to", 1).code == 0
    shown = open_for(people.environment, KEY, Reader(Principal(WHO)))
    assert shown.version.rollback_of == 1
    nothing_hidden_in(shown.batches().read_all().to_pylist())
    end_it(folder)
    for number in (1, 2, None):
        with pytest.raises(NoAgreement):
            open_for(people.environment, KEY, Reader(Principal(WHO)), number)


def test_a_replay_shows_nothing_of_inputs(people: TinyMesh, seen: Path, folder: Path) -> None:
    """It publishes rows that its product made once; the inputs are asked for nothing."""
    product = people.root / "domains" / "marketing" / "products" / "near"
    before = (product / "contract.odcs.yaml").read_text()
    strict = contract_text(NEAR, [column("id", logicalTypeOptions={"minimum": 5})])
    (product / "contract.odcs.yaml").write_text(strict)
    try:
        assert not people.run(NEAR).success
        entries = call("quarantine", "list", "--json").json
        (entry,) = [one for one in entries if one["product"] == NEAR]
    finally:
        (product / "contract.odcs.yaml").write_text(before)
    seen.unlink()
    end_it(folder)
    told = call("quarantine", "replay", entry["id"])
    nothing_hidden_in(told.out + told.err)
    assert not seen.exists()


# -- roles that change after they were agreed on ---------------------------------------------------


def change_role(folder: Path, **sees: Any) -> None:
    file = folder / "contract.odcs.yaml"
    contract = yaml.safe_load(file.read_text())
    (role,) = [one for one in contract["roles"] if one["role"] == "shown"]
    kept = {one["property"]: one["value"] for one in role["customProperties"]}
    role["customProperties"] = [
        {"property": name, "value": value, "vendor": "mesh"}
        for name, value in {**kept, **sees}.items()
        if value is not None
    ]
    file.write_text(yaml.safe_dump(contract, sort_keys=False))


def test_a_role_that_is_narrowed_shows_less_from_then_on(people: TinyMesh, folder: Path) -> None:
    change_role(folder, columns=["id", "region"], masks=None)
    shown = open_for(people.environment, KEY, Reader(Principal(WHO)))
    assert shown.schema.names == ["id", "region"]


WIDER: dict[str, dict[str, Any]] = {
    "without its mask": {"masks": None},
    "with a mask that hides nothing": {"masks": {"email": "show-first-4"}},
    "with a column more": {"columns": ["id", "email", "region", "spent"]},
}


@pytest.mark.parametrize("wider", WIDER)
def test_a_role_that_comes_to_show_more_than_the_purpose_allows_shows_nothing_at_all(
    people: TinyMesh, folder: Path, wider: str
) -> None:
    """An agreement is judged at each opening, not by what its role was when it was approved."""
    change_role(folder, **WIDER[wider])
    with pytest.raises(NoAgreement, match="it shows what is"):
        open_for(people.environment, KEY, Reader(Principal(WHO)))
    checked = [str(one) for one in read_whole_mesh(people.environment).domain("crm").findings]
    checked += call("check").out.splitlines()
    assert any("it shows what is" in one for one in checked)


def test_a_role_that_shows_more_within_its_purpose_is_another_grant_in_the_evidence(
    people: TinyMesh, folder: Path
) -> None:
    """Who changes the contract is who approves: its owners review both. What was seen is told apart."""
    before = grant_of(people.environment, KEY, Principal(WHO)).said
    change_role(folder, rows="spent < 8000000.00")
    assert grant_of(people.environment, KEY, Principal(WHO)).said != before


# -- what dbt runs around a model -------------------------------------------------------------------

MODEL = "select id from {{ source('crm', 'people') }}"
# Of each: the model's file. What it makes of a secret stands in its table, in a message or in a file.
JINJA: dict[str, str] = {
    "plain": "select * from {{ source('crm', 'people') }}",
    "pre_hook": "{{ config(pre_hook=\"create table near.stolen as from '{published}'\") }}" + MODEL,
    "post_hook": "{{ config(post_hook=\"insert into {{ this }} select spent from '{published}'\") }}"
    + MODEL,
    "hook_attach": "{{ config(pre_hook=\"attach '{home}/warehouse/x.duckdb' as y\") }}" + MODEL,
    "run_query": "{% set r = run_query(\"select email from '{published}'\") %}"
    "select '{{ r.columns[0].values() | join if execute }}' as x",
    "execute": "{% set r = adapter.execute(\"from read_parquet('{published}')\", fetch=True) %}"
    "select '{{ r[1].rows | join }}' as x",
    "statement": "{% call statement('s', fetch_result=True) %} from read_blob('{published}') "
    "{% endcall %} select '{{ load_result('s')['data'] }}' as x",
    "read_parquet": "select * from read_parquet('{published}')",
    "glob": "select * from read_parquet('{home}/**/*.parquet', union_by_name=true)",
    "glob_of_runs": "select * from glob('{home}/dbt/**')",
    "getenv": "select getenv('MESH_MASKING_KEY') as a, getenv('HOME') as b",
    "env_var": "select '{{ env_var('MESH_MASKING_KEY', '') }}' as a",
    "secrets": "select * from duckdb_secrets()",
    "settings": "select * from duckdb_settings()",
    "variable": "select getvariable('mesh_inner_key') as a, getvariable('mesh_outer_key') as b",
    "key": "select * from read_text('{home}/access/masking.key')",
    "python": "{% set m = modules.re.sys.modules %}select '{{ m['os'].environ }}' as a",
    "globals": "select '{{ config.__init__.__globals__ }}' as a",
    "debug": "select '{{ log(adapter.connections.get_thread_connection().credentials, info=True) }}'",
    "other_schema": "select * from other.people",
    "copy": "{{ config(post_hook=\"copy (select 1) to '{home}/stolen.csv'\") }}" + MODEL,
    "extension": '{{ config(pre_hook="install httpfs") }}' + MODEL,
    "external": "{{ config(pre_hook='set enable_external_access = true') }}" + MODEL,
    "macro_of_mine": "{{ mine() }}",
}
MACRO = """
{% macro mine() %}
  {% set r = run_query("from read_parquet('PUBLISHED')") %}
  select '{{ r.rows | join if execute }}' as x
{% endmacro %}
"""


@pytest.fixture(scope="module")
def ran_dbt(people: TinyMesh) -> dict[str, str]:
    """What became of each model: its rows, or its message. Of one invocation for those that parse."""
    environment, root = people.environment, people.root
    published = open_for(environment, KEY, Reader(Principal("crm"))).paths()[0]
    write(root, "dbt_project.yml", PROJECT)
    for macros in MACROS:
        write(root, f"macros/{macros.name}", macros.read_text(encoding="utf-8"))
    write(root, "macros/mine.sql", MACRO.replace("PUBLISHED", str(published)))
    for name, text in JINJA.items():
        filled = text.replace("{published}", str(published)).replace(
            "{home}", str(environment.home)
        )
        write(root, f"models/marketing/{name}.sql", filled)
    models, target = DbtModels(environment), environment.dbt_target
    found: dict[str, str] = {}
    nodes = [n for n in models.manifest("marketing")["nodes"].values() if n["name"] in JINJA]
    inputs = {KEY: open_for(environment, KEY, Reader(Principal(WHO)))}
    contract = make_contract(domain="marketing", name="m")
    selected = ["fqn:" + ".".join(node["fqn"]) for node in nodes]
    with models._run_folder(contract, "run-1") as run, target.scratch(run, inputs) as scratch:
        dbt_process.build(run, target, scratch.variables, selected, ())
        results = json.loads((run / "target" / "run_results.json").read_text())["results"]
        with scratch.opened() as built:
            for result in results:
                name = result["unique_id"].rsplit(".", 1)[1]
                found[name] = str(result)
                if result["status"] == "success":
                    relation = result["relation_name"]
                    found[name] += str(built.connection.execute(f"FROM {relation}").fetchall())
            found["tables"] = str(
                built.connection.execute("SELECT sql FROM duckdb_tables()").fetchall()
            )
        for file in run.rglob("*"):
            if file.is_file() and file.suffix in (".log", ".json", ".duckdb", ".sql"):
                found[f"file {file.name}"] = file.read_bytes().decode("utf-8", "replace")
    return found


@pytest.mark.slow
def test_a_model_of_dbt_is_shown_what_is_granted(ran_dbt: dict[str, str]) -> None:
    assert "north" in ran_dbt["plain"]


@pytest.mark.slow
@pytest.mark.parametrize("way", JINJA)
def test_neither_a_hook_nor_a_macro_of_dbt_sees_more(
    ran_dbt: dict[str, str], people: TinyMesh, way: str
) -> None:
    home = people.environment.home
    said = ran_dbt.get(way, "")  # what did not parse has run nothing
    nothing_hidden_in(said)
    key = (home / "access" / "masking.key").read_text()
    assert key not in said
    assert not (home / "stolen.csv").exists()


@pytest.mark.slow
def test_nothing_that_dbt_leaves_holds_more(ran_dbt: dict[str, str]) -> None:
    for name, text in ran_dbt.items():
        found = [value for value in HIDDEN if value in text]
        assert found == [], name


# -- a reader and his process ----------------------------------------------------------------------

KILLED = """
import os, signal
import pyarrow as pa
from shared_resources import read
reader = read("crm/people", as_principal="marketing", as_type=pa.RecordBatchReader)
reader.read_next_batch()
os.kill(os.getpid(), signal.SIGKILL)
"""


def files_of(people: TinyMesh) -> set[Path]:
    aside = ("log", "compiled", "locks")
    return {
        file
        for file in people.environment.home.rglob("*")
        if file.is_file() and not any(part in aside for part in file.parts)
    }


def test_a_reader_who_is_killed_is_in_the_log_and_leaves_nothing(people: TinyMesh) -> None:
    before, log = files_of(people), log_of(people.environment.home)
    noted = len(list(log.readings(KEY)))
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=PROJECT_ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    (reading,) = list(log.readings(KEY))[noted:]
    assert (reading.who, reading.rows, reading.ended) == (WHO, None, None)
    assert files_of(people) == before


def test_a_reader_does_not_wait_for_a_log_that_hangs(
    people: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He has all of his rows while the disk has not answered; it is written when it does."""
    answers, asked, opened = threading.Event(), threading.Event(), os.open

    def hanging(path: Any, *arguments: Any, **named: Any) -> int:
        if str(path).endswith(".jsonl"):
            asked.set()
            answers.wait(60)
        return opened(path, *arguments, **named)

    log = log_of(people.environment.home)
    noted = len(list(log.readings(KEY)))
    monkeypatch.setattr(os, "open", hanging)
    try:
        shown = open_for(people.environment, KEY, Reader(Principal(WHO)))
        assert shown.batches(["id"]).read_all().num_rows == 1
        assert asked.is_set() and not answers.is_set()
        assert len(list(log.readings(KEY))) == noted
    finally:
        answers.set()
        monkeypatch.undo()
    shown.batches(["region"]).read_all()  # what waited is written before it
    after = list(log.readings(KEY))[noted:]
    assert [(one.columns, one.rows) for one in after] == [(("id",), 1), (("region",), 1)]


CELLS: dict[str, str] = {
    "a frame": "read(KEY, as_principal=WHO)",
    "its attributes": "read(KEY, as_principal=WHO).attrs",
    "a column that is not granted": "read(KEY, as_principal=WHO, columns=['spent'])",
    "a cast": "read(KEY, as_principal=WHO)['email'].astype('int64')",
    "a cast of Arrow": "read(KEY, as_principal=WHO, as_type=pa.Table)['email'].cast(pa.int64())",
    "an old version": "read(KEY, as_principal=WHO, version=1)",
    "what was left of the last cell": "[one for one in list(globals().values())]",
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_of_a_notebook_shows_no_more(people: TinyMesh, cell: str) -> None:
    """Neither what it evaluates to, nor its traceback with what the frames in it hold."""
    del people
    space: dict[str, Any] = {"KEY": KEY, "WHO": WHO, "pa": pa}
    exec("from shared_resources import read", space)
    try:
        said = repr(eval(CELLS[cell], space))
    except Exception as problem:  # noqa: BLE001 - a notebook shows them all
        said = "".join(
            traceback.TracebackException.from_exception(problem, capture_locals=True).format()
        )
    nothing_hidden_in(said)


SHOWN: dict[str, Callable[[TinyMesh], object]] = {
    "of the consumer's assets": lambda mesh: [
        (spec.metadata, spec.description, spec.tags)
        for spec in mesh.definitions("marketing").resolve_all_asset_specs()
    ],
    "of the consumer's run": lambda mesh: [str(event) for event in mesh.run(NEAR).all_events],
    "of its checks": lambda mesh: [
        one.metadata for one in mesh.run(NEAR).get_asset_check_evaluations()
    ],
}


@pytest.mark.parametrize("what", SHOWN)
def test_the_user_interface_is_told_no_more(people: TinyMesh, what: str) -> None:
    nothing_hidden_in(SHOWN[what](people))
