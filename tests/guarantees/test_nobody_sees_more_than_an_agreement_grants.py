"""Promise: whoever reads through the platform sees what his agreement of that moment shows, no more.

Each entry of a table is a way around the door that is really tried; what comes of it, be it rows, a text
or an error, holds none of the values that the agreement hides.
"""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import yaml

from shared_resources import read
from shared_resources.access import granted_snapshot
from shared_resources.access.door import Reader, open_for
from shared_resources.access.granted_snapshot import GrantedSnapshot, Secrets
from shared_resources.access.grants import Grant, NoAgreement, grant_of
from shared_resources.access.log import log_of
from shared_resources.access.masking_key import hmac_keys
from shared_resources.access.principal import NoPrincipal, Principal, principal_named
from shared_resources.access.terms import Terms
from shared_resources.confinement.guard import domain_code
from shared_resources.contracts.roles.conditions import parse_condition
from shared_resources.contracts.roles.model import Mask
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.data_products.dbt.on_duckdb import SCRATCH, DuckDBTarget
from shared_resources.data_products.pinned_inputs import PinnedInput
from shared_resources.io_managers.product_io_manager import io_managers
from shared_resources.mesh.agreements.folder import file_name
from shared_resources.mesh.agreements.model import Agreement, Consumer, Status
from shared_resources.mesh.agreements.oaas import agreement_text
from shared_resources.problems import MeshProblem
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, column, contract_text, custom, failures, tiny_mesh

KEY, WHO = "crm/people", "marketing"
# What no reader but the owner may find: an e-mail, an amount, a day, and a row of another region.
HIDDEN = ("zqxann", "zqxcy", "7654321", "1977-11-23", "99000111")
OWNERS = ("crm@example.com", "kim.strasse@example.com")
COLUMNS = [
    column("id", required=True),
    column("email", "VARCHAR", classification="restricted"),
    column("born", "DATE", classification="confidential"),
    column("region", "VARCHAR"),
    {**column("spent", "DOUBLE", classification="confidential"), "physicalType": "DECIMAL(10,2)"},
]
ROLES: dict[str, dict[str, Any]] = {
    "shown": {
        "columns": ["id", "email", "region"],
        "masks": {"email": "keyed-hash"},
        "rows": "region = 'north' AND spent < 8000000.00",
    },
    "everything": {},
}
PURPOSES = {
    "care": {"description": "To help.", "classifications": ["internal"]},
    "all": {
        "description": "To do all.",
        "classifications": ["public", "internal", "confidential", "restricted"],
    },
}
LANDING = {"prefix": KEY, "format": "parquet", "mode": "replace", "object": "*.parquet"}
TYPES = pa.schema(
    [
        ("id", pa.int64()),
        ("email", pa.string()),
        ("born", pa.date32()),
        ("region", pa.string()),
        ("spent", pa.decimal128(10, 2)),
    ]
)
ROWS = [
    (1, "zqxann@example.com", date(1977, 11, 23), "north", Decimal("7654321.25")),
    (99000111, "zqxcy@example.com", date(1985, 1, 2), "south", Decimal("1.00")),
]


def table(*rows: tuple[Any, ...]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(TYPES.names, row, strict=True)) for row in rows], TYPES)


def document(team: str = WHO, *, by: str = OWNERS[0], **given: Any) -> str:
    """The text of an agreement in force, but for what is `given`."""
    now = datetime.now().astimezone()
    agreement = Agreement(
        **{
            "id": "a", "product": KEY, "consumer": Consumer(team), "purpose": "care",
            "status": Status.APPROVED, "roles": ("shown",), "file": Path("a.oaas.yaml"),
            "decided_by": by, "decided_at": now - timedelta(days=1), **given,
        }
    )  # fmt: skip
    return agreement_text(agreement, "crm-people", "1.0.0")


@contextmanager
def people_mesh(folder: Path) -> Iterator[TinyMesh]:
    """Two versions of crm/people in both stores, an entry in quarantine, and one agreement about it."""
    with tiny_mesh(folder) as mesh:
        mesh.central(purposes=PURPOSES, open=["public"])
        said = yaml.safe_load(
            contract_text(
                KEY, COLUMNS, servers=("lake", "warehouse"), properties={"landing": LANDING}
            )
        )
        said["roles"] = [
            {"role": name, **({"customProperties": custom(**sees)} if sees else {})}
            for name, sees in ROLES.items()
        ]
        product = mesh.product(KEY, yaml.safe_dump(said, sort_keys=False))
        mesh.domain("crm", owners=list(OWNERS))
        mesh.domain(WHO)
        mesh.land(f"{KEY}/people.parquet", table(ROWS[0]))
        assert mesh.run(KEY).success
        mesh.land(f"{KEY}/people.parquet", table(*ROWS))
        assert mesh.run(KEY).success
        mesh.land(f"{KEY}/people.parquet", table((None, None, None, "zone 99000111", None)))
        mesh.run(KEY)
        (product / "agreements").mkdir()
        (product / "agreements" / file_name(Consumer(WHO))).write_text(document())
        yield mesh


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyMesh]:
    with people_mesh(tmp_path_factory.mktemp("people")) as mesh:
        yield mesh


@pytest.fixture
def granted(people: TinyMesh) -> GrantedSnapshot:
    snapshot = open_for(people.environment, KEY, Reader(Principal(WHO)))
    assert isinstance(snapshot, GrantedSnapshot)
    return snapshot


def nothing_hidden_in(what: object) -> None:
    text = what.decode("utf-8", "replace") if isinstance(what, bytes) else f"{what} {what!r}"
    assert [value for value in HIDDEN if value in text] == [], text


def chain(problem: BaseException | None) -> Iterator[str]:
    """The texts of an error and of what it came of, said or not."""
    while problem is not None:
        yield f"{problem!r} {problem}"
        problem = problem.__cause__ or problem.__context__


def outcome(way: Callable[[], Any]) -> list[Any]:
    """What it gives: its rows where it is a frame, its errors where it is none."""
    try:
        found = way()
        if isinstance(found, pl.LazyFrame):
            found = found.collect()
        if isinstance(found, pa.RecordBatchReader):
            found = found.read_all()
        if isinstance(found, duckdb.DuckDBPyConnection):
            found = found.fetchall()
    except Exception as problem:  # noqa: BLE001 - any refusal will do, if it shows nothing
        return list(chain(problem))
    for rows in ("to_pylist", "to_dicts", "to_dict"):
        if hasattr(found, rows):
            return [getattr(found, rows)()]
    return [found]


FRAMES = [None, pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader]


@pytest.mark.parametrize("frame", FRAMES, ids=str)
@pytest.mark.parametrize("version", [None, 1, 2])
def test_no_frame_of_any_version_holds_more(
    people: TinyMesh, frame: Any, version: int | None
) -> None:
    del people
    given = outcome(lambda: read(KEY, as_principal=WHO, as_type=frame, version=version))
    assert "north" in str(given)
    nothing_hidden_in(given)


def registered(snapshot: GrantedSnapshot, query: str) -> Any:
    connection = duckdb.connect()
    snapshot.register(connection, "people")
    return connection.execute(query)


def reached(start: object) -> list[object]:
    """Whatever attributes lead to: of objects, bound methods, closures and partial calls."""
    seen: dict[int, object] = {}
    waiting = [start]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type):
            continue
        seen[id(one)] = one
        if type(one).__module__.startswith("shared_resources"):
            waiting += [getattr(one, name, None) for name in dir(one) if name != "__dict__"]
        if isinstance(one, MethodType):
            waiting += [one.__self__, one.__func__]
        elif isinstance(one, FunctionType):
            waiting += [cell.cell_contents for cell in one.__closure__ or ()]
            waiting += [one.__defaults__, one.__kwdefaults__]
        elif isinstance(one, partial):
            waiting += [one.func, *one.args, *one.keywords.values()]
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            waiting += list(one)
    return list(seen.values())


OF_A_SNAPSHOT: dict[str, Callable[[GrantedSnapshot], Any]] = {
    "its paths": lambda s: s.paths(),
    "its repr": repr,
    "its attributes": lambda s: [getattr(s, name) for name in dir(s) if name != "__dict__"],
    "its variables": lambda s: vars(s),
    "its schema's metadata": lambda s: (s.schema.metadata, [f.metadata for f in s.schema]),
    "its version": lambda s: s.version,
    "its version's properties": lambda s: dict(s.version.properties),
    "its version's evidence": lambda s: s.version.evidence,
    "its proof": lambda s: s.verify(),
    "its partitions": lambda s: s.partitions(),
    "the method's own object": lambda s: s.partitions.__self__.batches(),  # type: ignore[attr-defined]
    "a column that is not granted": lambda s: s.batches(["spent"]),
    "the condition's column": lambda s: s.batches(["id", "spent"]),
    "a column in other case": lambda s: s.batches(["SPENT"]),
    "a quoted column": lambda s: s.batches(['"spent"']),
    "a column that is SQL": lambda s: s.batches(['id", spent AS "id']),
    "all columns by a star": lambda s: s.batches(["*"]),
    "a partition that is SQL": lambda s: s.batches(None, ["x') OR (1=1"]),
    "a column, registered": lambda s: s.register(duckdb.connect(), "p", ["spent"]),
    "a masked column, twice": lambda s: s.batches(["email", "email"]),
    "the view's statement": lambda s: registered(s, "SELECT sql FROM duckdb_views()"),
    "the connection's databases": lambda s: registered(s, "FROM duckdb_databases()"),
    "the connection's variables": lambda s: registered(s, "SELECT getvariable('mesh_inner_key')"),
    "what is registered": lambda s: registered(s, "FROM people"),
    "what lies beneath": lambda s: registered(s, "FROM published"),
    "a column of what is registered": lambda s: registered(s, "SELECT spent FROM people"),
    "a pickle": pickle.dumps,
    "a copy": lambda s: copy.copy(s).batches(),
    "a deep copy": lambda s: copy.deepcopy(s).batches(),
    "a snapshot without a door": lambda s: object.__new__(type(s)).batches(),
    "another version": lambda s: setattr(s, "version", None),
    "another list of columns": lambda s: setattr(s, "_columns", {"spent": None}),
    "forced attributes": lambda s: object.__setattr__(s, "_terms", None),
    "another log": lambda s: setattr(s, "noted", None),
}


@pytest.mark.parametrize("way", OF_A_SNAPSHOT)
def test_a_snapshot_shows_no_more_than_is_granted(granted: GrantedSnapshot, way: str) -> None:
    nothing_hidden_in(outcome(lambda: OF_A_SNAPSHOT[way](granted)))
    nothing_hidden_in(granted.batches().read_all().to_pylist())


def test_no_attribute_of_a_snapshot_leads_behind_the_door(granted: GrantedSnapshot) -> None:
    for one in reached(granted):
        assert isinstance(one, GrantedSnapshot) or not hasattr(one, "batches"), one
        assert not isinstance(one, Secrets | Grant | Terms), one
        nothing_hidden_in(one)


@pytest.mark.parametrize("said", ["explain", "serialize", "show_graph"])
def test_a_lazy_frame_names_no_file(people: TinyMesh, said: str) -> None:
    frame = read(KEY, as_principal=WHO, as_type=pl.LazyFrame)
    explained = frame.explain(optimized=said == "explain")
    text = str(frame.serialize()) if said == "serialize" else explained
    nothing_hidden_in(text)
    assert str(people.environment.home) not in text and ".parquet" not in text


@pytest.mark.parametrize("way", [repr, str, pickle.dumps, copy.deepcopy], ids=lambda w: w.__name__)
def test_the_masking_key_is_in_no_text_and_no_pickle(
    people: TinyMesh, way: Callable[[Any], Any]
) -> None:
    inner, outer = hmac_keys(people.environment)
    said = str(outcome(lambda: way(Secrets(inner, outer))))
    for half in (inner, outer):
        assert half.hex() not in said and repr(half)[2:-1] not in said


NAMES = [
    *("marketing/../crm", "CRM", "Crm", "crm ", " crm", "crm\n", "crm/", "/crm", "crm/people/x"),
    *("", ".", "..", "*", "m*", "crm\u200b", "\u0441rm", "\uff43rm", "crm\x00", "source_systems"),
    *("crm@example.com ", "crm@ex\u0430mple.com", "\u212aim.strasse@example.com"),
    *("kim.stra\u00dfe@example.com", "crm@example.com\n", "agent:crm", "agent:crm@example.com"),
    *("finance", "market", "marketing2", "marketing-x", "people/crm", "the operator"),
    "the operator of this machine's mesh",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_nobody_is_taken_for_another(people: TinyMesh, name: str) -> None:
    with pytest.raises((NoPrincipal, NoAgreement)):
        open_for(people.environment, KEY, Reader(principal_named(name)))


@pytest.mark.parametrize("name", ["marketing", "marketing/near"])
def test_an_agreement_serves_whom_it_names(people: TinyMesh, name: str) -> None:
    assert grant_of(people.environment, KEY, principal_named(name)).terms is not None


def put(name: str = "finance.oaas.yaml", **given: Any) -> Callable[[Path], Path]:
    def way(folder: Path) -> Path:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(document(**{"team": "finance", **given}))
        return folder / name

    return way


def edited(old: str, new: str) -> Callable[[Path], Path]:
    def way(folder: Path) -> Path:
        text = document("finance")
        assert old in text
        (folder / "finance.oaas.yaml").write_text(text.replace(old, new))
        return folder / "finance.oaas.yaml"

    return way


def linked(folder: Path) -> Path:
    """The producer has once accepted a link to a file that the consumer writes."""
    (folder.parents[3] / "theirs.yaml").write_text(document("finance"))
    (folder / "finance.oaas.yaml").symlink_to(folder.parents[3] / "theirs.yaml")
    return folder / "finance.oaas.yaml"


NOW = datetime.now().astimezone()
LIES: dict[str, Callable[[Path], Path]] = {
    "another's file": put("marketing.care.oaas.yaml"),
    "a file without its consumer's name": put("agreement.oaas.yaml"),
    "a longer name": put("finances.oaas.yaml"),
    "another ending": put("finance.oaas.yml"),
    "a name in other case": put("Finance.oaas.yaml"),
    "a folder below": put("2026/finance.oaas.yaml"),
    "the consumer's folder": put("../../../../finance/agreements/finance.oaas.yaml"),
    "a product of the consumer": put(
        "../../../../finance/products/people/agreements/finance.oaas.yaml"
    ),
    "beside the contract": put("../finance.oaas.yaml"),
    "another product": put(product="crm/others"),
    "another domain's product": put(product="finance/people"),
    "a team that looks like it": put(team="f\u0456nance"),
    "another team": put(team="marketing"),
    "approved by the consumer": put(by="finance@example.com"),
    "approved by nobody": put(by=""),
    "approved by one who is called like an owner": put(by="crm@ex\u0430mple.com"),
    "approved by one whose name folds to an owner's": put(by="kim.stra\u00dfe@example.com"),
    "approved by the domain": put(by="crm"),
    "requested": put(status=Status.REQUESTED),
    "rejected": put(status=Status.REJECTED),
    "not yet": put(starts=NOW + timedelta(hours=1)),
    "no longer": put(ends=NOW - timedelta(seconds=2)),
    "ended before it began": put(starts=NOW, ends=NOW - timedelta(days=1)),
    "a role that is not there": put(roles=("shown", "admin")),
    "a role in other case": put(roles=("Everything",)),
    "a role that shows more than its purpose allows": put(roles=("everything",)),
    "a purpose that nobody has decided": put(purpose="curiosity"),
    "a link": linked,
    "a key twice": edited("status: approved", "status: requested\nstatus: approved"),
    "a status in capitals": edited("status: approved", "status: APPROVED"),
    "a status that is in force elsewhere": edited("status: approved", "status: active"),
    "another version of the standard": edited("v0.9.0", "v1.0.0"),
    "another kind": edited("AccessAgreement", "DataContract"),
    "two documents": edited("kind:", "---\nkind:"),
    "a field that nobody knows": edited("status:", "everybody: true\nstatus:"),
    "an object of Python": edited("id: a", "id: !!python/object/apply:os.getpid []"),
    "all teams": edited("teamId: finance", "teamId: '*'"),
    "a list of teams": edited("teamId: finance", "teamId: [marketing, finance]"),
    "no consumer": edited("teamId: finance", "{}"),
    "another port": edited("outputPortId: people", "outputPortId: everything"),
    "another's approval": edited("vendor: mesh", "vendor: other"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_agreement_that_is_none_shows_nothing(people: TinyMesh, lie: str) -> None:
    file = LIES[lie](people.root / "domains" / "crm" / "products" / "people" / "agreements")
    try:
        with pytest.raises(NoAgreement) as raised:
            open_for(people.environment, KEY, Reader(Principal("finance")))
        nothing_hidden_in(list(chain(raised.value)))
    finally:
        file.unlink()


def test_an_agreement_is_what_was_lied_about(people: TinyMesh) -> None:
    """Without the lie it does hold, so that each of them is why it did not."""
    file = put()(people.root / "domains" / "crm" / "products" / "people" / "agreements")
    try:
        assert grant_of(people.environment, KEY, Principal("finance")).terms is not None
    finally:
        file.unlink()


COMMANDS: dict[str, tuple[object, ...]] = {
    "read": ("read", KEY),
    "read an old version": ("read", KEY, "--version", 1),
    "read a column": ("read", KEY, "--columns", "id,spent"),
    "read for another purpose": ("read", KEY, "--purpose", "all"),
    "read in a branch": ("read", KEY, "--branch", "aside"),
    "explain": ("access", "explain", WHO, KEY),
    "explain a column": ("access", "explain", WHO, KEY, "spent"),
    "begin a product from it": ("new", "product", "marketing/near", "--from", KEY),
    "versions": ("versions", KEY),
    "evidence": ("evidence", KEY),
    "quarantine": ("quarantine", "list", "--json"),
    "quarantine's rows": ("quarantine", "show", "ENTRY"),
    "quarantine's rows as JSON": ("quarantine", "show", "ENTRY", "--json"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_shows_who_is_named_more(
    people: TinyMesh, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    if "--branch" in COMMANDS[command]:
        assert call("branch", "create", "aside").code == 0
    entries = call("quarantine", "list", "--json").json
    assert entries, "there is one to be looked at"
    monkeypatch.setenv("MESH_PRINCIPAL", WHO)
    arguments = [entries[0]["id"] if one == "ENTRY" else one for one in COMMANDS[command]]

    called = call(*arguments)

    nothing_hidden_in(called.out + called.err)
    for file in (people.root / "domains" / WHO).rglob("*.*"):
        nothing_hidden_in(file.read_bytes())


def test_the_owner_is_shown_what_was_rejected(people: TinyMesh) -> None:
    del people
    (entry, *_) = call("quarantine", "list", "--json").json
    shown = call("quarantine", "show", entry["id"], "--as", "crm", "--json")
    assert "zone 99000111" in shown.out


SQL = [
    "FROM crm.people",
    "FROM crm.main.people",
    "SELECT spent FROM crm.people",
    "FROM read_parquet('{published}')",
    "FROM '{published}'",
    "FROM read_parquet('{home}/**/*.parquet')",
    "FROM glob('{home}/**')",
    "FROM read_blob('{published}')",
    "FROM read_text('{key}')",
    "FROM read_csv('{key}')",
    "FROM read_parquet('{landed}')",
    "FROM read_parquet('{run}/../other/crm.people.parquet')",
    "FROM read_parquet('{run}/crm.people.parquet')",
    "FROM parquet_metadata('{published}')",
    "FROM parquet_metadata('{run}/crm.people.parquet')",
    "FROM query('FROM read_parquet(''{published}'')')",
    "FROM duckdb_views()",
    "FROM duckdb_databases()",
    "FROM duckdb_tables()",
    "FROM duckdb_settings()",
    "FROM duckdb_variables()",
    "FROM duckdb_secrets()",
    "SELECT getvariable('mesh_inner_key'), getvariable('mesh_outer_key')",
    "SELECT getenv('MESH_MASKING_KEY')",
    "ATTACH '{home}/warehouse/catalog.duckdb' AS other",
    "SET enable_external_access = true",
    "SET allowed_paths = ['{published}']",
    "COPY crm.people TO '{home}/stolen.csv'",
    "CREATE TABLE t AS FROM read_parquet('{published}')",
]


@pytest.fixture(scope="module")
def scratch(
    people: TinyMesh, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, Path]]]:
    """What a dbt model of marketing's has: its connection, with its input; another's lies beside it."""
    run = tmp_path_factory.mktemp("runs") / "run"
    other = run.parent / "other"
    for folder, who in ((other, Principal("crm")), (run, Principal(WHO))):
        folder.mkdir()
        snapshot = open_for(people.environment, KEY, Reader(who))
        with DuckDBTarget().scratch(folder, {KEY: snapshot}) as made:
            if folder is run:
                home = people.environment.home
                published = open_for(people.environment, KEY, Reader(Principal("crm"))).paths()
                assert published
                places = {
                    "run": run,
                    "home": home,
                    "published": published[0],
                    "key": home / "access" / "masking.key",
                    "landed": next(home.rglob("people.parquet")),
                }
                with made.opened() as built:
                    yield built.connection, places


@pytest.mark.parametrize("sql", SQL)
def test_a_model_reaches_no_more(
    scratch: tuple[duckdb.DuckDBPyConnection, dict[str, Path]], sql: str, people: TinyMesh
) -> None:
    connection, places = scratch
    said = str(outcome(lambda: connection.execute(sql.format(**places))))
    nothing_hidden_in(said)
    assert places["key"].read_text() not in said
    assert not (people.environment.home / "stolen.csv").exists()
    for half in hmac_keys(people.environment):
        assert half not in (places["run"] / SCRATCH).read_bytes()


# The function writes what came of each way; what it reads as it should is its first.
CODE = """
import json, os
import pyarrow as pa
from types import SimpleNamespace
from shared_resources import read, wiring
from shared_resources.confinement.guard import running_here
from shared_resources.stores import opening
from shared_resources.access import door, masking_key, principal

KEY = "crm/people"
HOME = Path(os.environ["MESH_HOME"])

def as_owner():
    os.environ["MESH_PRINCIPAL"] = "crm"
    os.environ["MESH_MASKING_KEY"] = "k" * 40
    return read(KEY)

def lake():
    from shared_resources.stores.lake.store import LakeStore
    return LakeStore(HOME / "lake").open(KEY).batches().read_all()

def through(who):
    reader = door.Reader(principal.Principal(who))
    return door.open_for(wiring.current(), KEY, reader).batches().read_all()

WAYS = {
    "the input": lambda p: p.rows.to_pylist(),
    "what the guard holds": lambda p: p.snapshot.batches().read_all().to_pylist(),
    "its version": lambda p: (p.snapshot, p.snapshot.version),
    "the input's paths": lambda p: p.snapshot.paths(),
    "read, as declared": lambda p: read(KEY).to_dict(),
    "read, another column": lambda p: read(KEY, columns=["spent"]),
    "read, an old version": lambda p: read(KEY, version=1),
    "read as the owner": lambda p: read(KEY, as_principal="crm").to_dict(),
    "read, the owner by variable": lambda p: as_owner().to_dict(),
    "open_product": lambda p: opening.open_product(wiring.current(), KEY).batches().read_all(),
    "a store": lambda p: next(iter(wiring.current().stores.values())).open(KEY),
    "a store of its own": lambda p: lake(),
    "the door, as another": lambda p: through("crm"),
    "the door, as itself": lambda p: through("marketing"),
    "admit": lambda p: door.admit(
        None, p.snapshot, door.Reader(principal.OPERATOR)).batches().read_all().to_pylist(),
    "the masking key": lambda p: masking_key.hmac_keys(wiring.current()),
    "an error with a value": lambda p: p.snapshot.batches(["nothing"]),
}

def made(people):
    p = SimpleNamespace(rows=people, snapshot=running_here().inputs[KEY].snapshot)
    found = {}
    for name, way in WAYS.items():
        try:
            found[name] = repr(way(p))
        except BaseException as problem:
            found[name] = f"{type(problem).__name__}: {problem}"
    Path("FOUND").write_text(json.dumps(found))
    return people.select(["id"])
"""
# `mesh check` would find all of it in the product's own files.
PRODUCT = """
from pathlib import Path
from shared_resources import data_product

exec(Path(__file__).with_name("hidden.txt").read_text())

@data_product(people="crm/people")
def near(people: pa.Table):
    return made(people)
"""
IN_CODE = [line.split('"')[1] for line in CODE.splitlines() if line.startswith('    "')]


@pytest.fixture(scope="module")
def ran(people: TinyMesh, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    file = tmp_path_factory.mktemp("found") / "found.json"
    contract = contract_text("marketing/near", [column("id")])
    folder = people.product("marketing/near", contract, PRODUCT)
    (folder / "hidden.txt").write_text(CODE.replace("FOUND", str(file)))
    done = people.run("marketing/near")
    assert done.success, failures(done)
    events = "\n".join(str(event) for event in done.all_events)
    nothing_hidden_in(events)
    found: dict[str, str] = json.loads(file.read_text())
    return found


@pytest.mark.parametrize("way", IN_CODE)
def test_a_product_sees_no_more_whatever_its_code_does(ran: dict[str, str], way: str) -> None:
    nothing_hidden_in(ran[way])
    assert "north" in ran["the input"] and "north" in ran["read, as declared"]


def test_an_asset_that_was_written_by_hand_pins_what_it_is_granted(people: TinyMesh) -> None:
    found: list[PinnedInput] = []
    ins = {"people": dg.AssetIn(key=asset_key(KEY), input_manager_key="lake")}

    @dg.asset(key=["marketing", "byhand"], ins=ins, io_manager_key="memory")
    def byhand(people: PinnedInput) -> None:
        found.append(people)

    resources = {**io_managers(), "memory": dg.mem_io_manager}
    spec = dg.AssetSpec(asset_key(KEY))
    done = dg.materialize([spec, byhand], resources=resources, instance=people.instance)
    assert done.success
    (pinned,) = found
    assert isinstance(pinned.snapshot, GrantedSnapshot) and pinned.snapshot.paths() == ()
    nothing_hidden_in(pinned)
    nothing_hidden_in(pinned.snapshot.batches().read_all().to_pylist())


@pytest.mark.parametrize("name", ["MESH_PRINCIPAL", "MESH_MASKING_KEY", "MESH_HOME", "MESH_BRANCH"])
def test_who_sets_a_variable_of_the_platforms_sets_it_for_himself_alone(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Hashes with a key that a product chose could be looked up in its next run."""
    import os

    monkeypatch.setenv("MESH_HOME", "home")
    before = os.environ.get(name)
    with domain_code("marketing/near"):
        os.environ[name] = "mine"
    assert os.environ.get(name) == before


class Older:
    """A version whose columns are of other types than the contract's."""

    def __init__(self, rows: pa.Table, real: Any) -> None:
        self._rows, self.version, self.schema = rows, real.version, rows.schema
        self.partitions, self.verify, self.paths = tuple, real.verify, tuple

    def register(self, connection: Any, name: str, columns: Any = None, _: Any = None) -> None:
        connection.register(name, self._rows.select(columns or self._rows.column_names))

    def batches(self, *_: Any) -> Any:
        raise AssertionError("the rows as they are")


DECIMAL = ColumnType(Family.DECIMAL, precision=10, scale=2)
INTEGER = ColumnType(Family.INTEGER, 64)
STRING = ColumnType(Family.STRING)
OLDER: dict[str, tuple[pa.Array, dict[str, Mask], str, dict[str, ColumnType]]] = {
    "another precision": (
        pa.array([Decimal("12.4")], pa.decimal128(10, 1)), {}, "x <= 12.36", {"x": DECIMAL}),
    "another width": (pa.array([5], pa.int32()), {}, "x > 3000000000", {"x": INTEGER}),
    "another type in a condition": (
        pa.array(["7654321"]), {}, "x < 8000000", {"x": INTEGER}),
    "another type behind a mask": (
        pa.array(["zqxann"]), {"x": Mask("generalise", Decimal(10))}, "", {}),
    "a condition's column is not there": (
        pa.array(["zqxann"]), {}, "y = 1", {"y": INTEGER}),
    "a value that the mask's engine cannot take": (
        pa.array([7654321.5, float("inf"), float("nan")]),
        {"x": Mask("mask-to-fixed-value")}, "", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", OLDER)
def test_an_older_version_shows_no_more_than_the_terms_of_today(
    people: TinyMesh, case: str
) -> None:
    values, masks, text, types = OLDER[case]
    real = open_for(people.environment, KEY, Reader(Principal("crm")))
    rows = (parse_condition(text, types),) if text else ()
    terms = Terms(("x",), masks, rows)

    def way() -> Any:
        older: Any = Older(pa.table({"x": values}), real)
        grant = Grant(KEY, Principal(WHO), terms)
        return GrantedSnapshot(older, grant, Secrets(), lambda _: lambda _: None).batches()

    said = outcome(way)
    nothing_hidden_in(said)
    assert "12.4" not in str(said) and "[{'x': 5}]" not in str(said)


def test_an_error_of_the_engine_shows_no_value_not_even_in_what_it_came_of(
    granted: GrantedSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = "SELECT CAST(email AS INTEGER) AS id FROM published"
    monkeypatch.setattr(granted_snapshot, "granted_sql", lambda *_: statement)
    with pytest.raises(MeshProblem, match="cannot be shown as the agreement says") as raised:
        granted.batches(["id", "email"]).read_all()
    nothing_hidden_in(list(chain(raised.value)))


def test_a_reading_is_noted_before_its_first_row(
    people: TinyMesh, granted: GrantedSnapshot
) -> None:
    """So that of a reader who is killed it is known what he had."""
    reader = granted.batches(["id"])
    reader.read_next_batch()
    *_, last = [one for one in log_of(people.environment.home).readings() if one.who == WHO]
    assert (last.product, last.columns, last.rows) == (KEY, ("id",), None)


def test_a_log_that_cannot_be_written_stops_nobody_and_is_written_later(
    people: TinyMesh, granted: GrantedSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full in the middle of a line leaves no half of one, either."""
    import os

    log = log_of(people.environment.home)
    before = len(list(log.readings()))
    write = os.write
    monkeypatch.setattr(os, "write", lambda to, line: write(to, line[: len(line) // 2]))
    assert granted.batches(["id"]).read_all().num_rows == 1
    monkeypatch.setattr(os, "write", write)
    assert granted.batches(["region"]).read_all().num_rows == 1
    after = list(log.readings())[before:]
    assert [(one.columns, one.rows) for one in after] == [(("id",), 1), (("region",), 1)]


def test_the_masking_key_stands_in_its_own_file_alone(people: TinyMesh) -> None:
    key = people.environment.home / "access" / "masking.key"
    forms = (key.read_bytes(), key.read_bytes().hex().encode(), *hmac_keys(people.environment))
    for file in (*people.environment.home.rglob("*"), *people.root.rglob("*")):
        if file.is_file() and file != key:
            content = file.read_bytes()
            assert not any(form in content for form in forms), file


def test_no_log_of_readings_holds_a_value(people: TinyMesh) -> None:
    files = list((people.environment.home / "access" / "log").rglob("*.jsonl"))
    assert files
    for file in files:
        nothing_hidden_in(file.read_bytes())
