"""What a reader gets over HTTP: his rows, and a problem in words where he gets none."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from starlette.testclient import TestClient

from shared_resources.access.log import log_of
from shared_resources.environment import EnvironmentProblem
from shared_resources.serving_ports import kept_grants
from shared_resources.serving_ports.http import app as http_app
from shared_resources.serving_ports.http import askers
from shared_resources.serving_ports.http.app import application
from shared_resources.serving_ports.http.running import serve_products
from shared_resources.serving_ports.http.tokens import NoToken, Tokens
from tests.serving_ports.made import PRODUCT, people, publish, served_people
from tests.tiny_mesh import TinyMesh, custom, tiny_mesh

ROLES = {
    "names": custom(columns=["id", "name"], masks={"name": "show-first-4"}, rows="id <> 2"),
    "hashed": custom(columns=["id", "name"], masks={"id": "keyed-hash"}),
    "nameless": custom(columns=["born"]),
}


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch) -> Iterator[TinyMesh]:
    monkeypatch.setattr(kept_grants, "FRESH", 0.0)
    monkeypatch.setattr(http_app, "FRESH", 0.0)
    monkeypatch.setattr(askers, "FRESH", 0.0)
    with tiny_mesh(tmp_path) as made:
        made.central(
            open=["public"],
            purposes={
                "care": {
                    "description": "Care.",
                    "classifications": ["public", "internal", "confidential", "restricted"],
                }
            },
        )
        for name in ("marketing", "sales"):
            made.domain(name)
        roles = [
            {"role": name, "access": "read", "customProperties": said}
            for name, said in ROLES.items()
        ]
        served_people(made, yaml.safe_dump({"roles": roles}))
        publish(made, ["Ada Lovelace", "Bob 12", "Eve", None])
        yield made


@pytest.fixture
def client(mesh: TinyMesh) -> Iterator[TestClient]:
    with TestClient(application(mesh.environment)) as made:
        yield made


def agree(mesh: TinyMesh, consumer: str, role: str, **fields: object) -> Path:
    """Asked for and approved as people do it, then changed."""
    from shared_resources.access.principal import principal_named
    from shared_resources.access.requests import agreement_for, decide_about, request
    from shared_resources.mesh import look_at_mesh
    from shared_resources.mesh.agreements.model import Status

    read = look_at_mesh(mesh.environment)
    folder = read.product(PRODUCT)
    made = request(read, folder, principal_named(consumer), (role,), "care", usage="Care.")
    agreement = agreement_for(folder, principal_named(consumer).consumers[0], "care")
    decided = decide_about(
        read.domain("crm"), folder, read.central, agreement, Status.APPROVED, "crm@example.com"
    )
    assert decided.file == made.file
    return made.file


def bearer(mesh: TinyMesh, who: str, days: float = 1) -> dict[str, str]:
    secret, _ = Tokens(mesh.environment.state).make(who, None, timedelta(days=days), "test")
    return {"Authorization": f"Bearer {secret}"}


def test_the_owner_is_served_whole_with_version_and_freshness(mesh, client) -> None:
    found = client.get(f"/{PRODUCT}/0", headers=bearer(mesh, "crm"))
    assert (found.status_code, found.json()) == (
        200, {"id": 0, "name": "Ada Lovelace", "born": None},
    )  # fmt: skip
    assert found.headers["mesh-version"] == "1" and len(found.headers["mesh-generation"]) == 32
    assert int(found.headers["mesh-age-seconds"]) < 600
    published = datetime.fromisoformat(found.headers["mesh-published-at"])
    assert datetime.now(UTC) - published < timedelta(minutes=10)
    assert "mesh-agreement" not in found.headers and "mesh-position" not in found.headers
    publish(mesh, ["Grace", "Bob", "Eve", None])
    again = client.get(f"/{PRODUCT}/0", headers=bearer(mesh, "crm"))
    assert (again.headers["mesh-version"], again.json()["name"]) == ("2", "Grace")


def test_an_agreement_shows_its_columns_masks_and_rows(mesh, client) -> None:
    agree(mesh, "marketing", "names")
    headers = bearer(mesh, "marketing")
    found = client.get(f"/{PRODUCT}/1", headers=headers)
    assert found.json() == {"id": 1, "name": "Bob nn"} and found.headers["mesh-agreement"]
    hidden, missing = (client.get(f"/{PRODUCT}/{key}", headers=headers) for key in (2, 77))
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json()["detail"] == missing.json()["detail"]
    assert client.get(f"/{PRODUCT}/3", headers=headers).json() == {"id": 3, "name": None}


def test_without_an_agreement_nothing_is_told(mesh, client) -> None:
    for key in ("0", "77", "no-key"):
        found = client.get(f"/{PRODUCT}/{key}", headers=bearer(mesh, "sales"))
        assert found.status_code == 403 and "Ada" not in found.text
        assert found.headers["content-type"] == "application/problem+json"
        assert found.json()["title"] == "No agreement" and "mesh-version" not in found.headers


def test_why_somebody_may_not_read_names_no_file_of_the_mesh(mesh, client) -> None:
    headers = bearer(mesh, "marketing")
    file = agree(mesh, "marketing", "names")
    good = file.read_text()
    ended = good + "\nslaProperties: []\n"
    seconds = file.with_name("marketing.care.oaas.yaml")
    for text, another in (
        (good.replace("status: approved", "status: requested"), ""),
        (good.replace("status: approved", "status: rejected"), ""),
        (good.replace("role: names", "role: nobody"), ""),
        (ended.replace("names", "["), ""),
        (good, good),
    ):
        file.write_text(text)
        seconds.unlink(missing_ok=True)
        if another:
            seconds.write_text(another)
        found = client.get(f"/{PRODUCT}/0", headers=headers)
        assert found.status_code == 403, text
        detail = found.json()["detail"]
        for part in ("/tmp", str(mesh.environment.root), ".yaml", "agreements/"):
            assert part not in detail


def test_an_agreement_may_be_called_anything(mesh, client) -> None:
    file = agree(mesh, "marketing", "names")
    text = file.read_text()
    line = next(one for one in text.splitlines() if one.startswith("id:"))
    file.write_text(text.replace(line, 'id: "Vertrag 1 € 合同\\r\\nSet-Cookie: x"'))
    found = client.get(f"/{PRODUCT}/1", headers=bearer(mesh, "marketing"))
    assert found.status_code == 200, found.text
    said = found.headers["mesh-agreement"]
    assert said.startswith("Vertrag 1 %E2%82%AC %E5%90%88") and "%0D%0ASet-Cookie" in said
    assert "set-cookie" not in found.headers


def test_who_does_not_see_the_key_cannot_look_by_it(mesh, client) -> None:
    agree(mesh, "marketing", "hashed")
    agree(mesh, "sales", "nameless")
    for who, said in (("marketing", "shows id masked"), ("sales", "does not show id")):
        for key in ("0", "77"):
            found = client.get(f"/{PRODUCT}/{key}", headers=bearer(mesh, who))
            assert found.status_code == 403 and said in found.json()["detail"]


def test_an_agreement_that_is_taken_back_ends_between_two_reads(mesh, client) -> None:
    file = agree(mesh, "marketing", "names")
    headers = bearer(mesh, "marketing")
    assert client.get(f"/{PRODUCT}/0", headers=headers).status_code == 200
    file.unlink()
    assert client.get(f"/{PRODUCT}/0", headers=headers).status_code == 403


def test_only_a_token_in_force_says_who_reads(mesh, client) -> None:
    tokens = Tokens(mesh.environment.state)
    secret, token = tokens.make("crm", None, timedelta(days=1), "test")
    good = {"Authorization": f"Bearer {secret}"}
    assert client.get(f"/{PRODUCT}/0", headers=good).status_code == 200
    tokens.revoke(token.id)
    short, _ = tokens.make("crm", None, timedelta(microseconds=1), "test")
    bad = ({}, good, {"Authorization": f"Bearer {short}"}, {"Authorization": "Bearer x"},
           {"Authorization": f"Basic {secret}"}, {"Authorization": "Bearer"})  # fmt: skip
    for headers in bad:
        for path in (f"/{PRODUCT}/0", "/openapi.json"):
            found = client.get(path, headers=headers)
            assert found.status_code == 401 and found.headers["www-authenticate"] == "Bearer"
    assert [one.state for one in tokens.all()] == ["revoked", "ended"]
    with pytest.raises(NoToken, match="there is no token"):
        tokens.revoke("x")
    with pytest.raises(NoToken, match="1 to 366 days"):
        tokens.make("crm", None, timedelta(days=1000), "test")


def test_no_token_is_kept_or_logged(mesh, client, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    headers = bearer(mesh, "crm")
    secret = headers["Authorization"].removeprefix("Bearer ")
    client.get(f"/{PRODUCT}/0", headers=headers)
    client.get(f"/{PRODUCT}/nonsense", headers=headers)
    assert secret not in caplog.text
    with mesh.environment.state.begin() as connection:
        kept = connection.execute(sa.text("SELECT * FROM mesh_tokens")).all()
    assert kept and secret not in str(kept)
    files = [one for one in mesh.environment.home.rglob("*") if one.is_file()]
    assert not [one for one in files if secret.encode() in one.read_bytes()]


def test_what_is_no_key_is_said(mesh, client) -> None:
    headers = bearer(mesh, "crm")
    for key, said in (
        ("x", "id of crm/people is of type integer"), ("1/2", "has the key id, and 2 parts were given"),
        ("1.0", "integer"), ("%FF", "not UTF-8"), ("1_0", "integer"), ("", "integer"),
    ):  # fmt: skip
        found = client.get(f"/{PRODUCT}/{key}", headers=headers)
        assert (found.status_code, said in found.json()["detail"]) == (400, True), key


def test_what_is_not_there_is_said(mesh, client) -> None:
    headers = bearer(mesh, "crm")
    assert client.get("/crm/others/1", headers=headers).status_code == 404
    assert client.get("/nothing", headers=headers).status_code == 404
    assert client.get("/sales/orders/1", headers=headers).status_code == 403
    assert client.post(f"/{PRODUCT}/0", headers=headers).status_code == 405


def test_a_port_that_fails_is_not_available_and_its_files_are_not_named(mesh, client) -> None:
    for file in (mesh.environment.home / "ports").rglob("people.db*"):
        file.write_bytes(b"nonsense" * 1000)
    found = client.get(f"/{PRODUCT}/0", headers=bearer(mesh, "crm"))
    assert found.status_code == 503 and "people.db" not in found.text
    assert client.get("/health").status_code == 503


def test_the_description_is_of_what_is_granted(mesh, client) -> None:
    agree(mesh, "marketing", "names")
    for who, columns in (("crm", ["id", "name", "born"]), ("marketing", ["id", "name"])):
        said = client.get("/openapi.json", headers=bearer(mesh, who)).json()
        (path,) = said["paths"]
        row = said["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        assert (path, list(row["schema"]["properties"])) == ("/crm/people/{id}", columns)
    assert client.get("/openapi.json", headers=bearer(mesh, "sales")).json()["paths"] == {}
    assert client.get("/health").json() == {"status": "ok", "port": "sqlite", "served": 1}


def test_reading_is_noted_once_a_spell_with_how_many_rows(mesh) -> None:
    agree(mesh, "marketing", "names")
    headers = bearer(mesh, "marketing")
    log = log_of(mesh.environment.home)
    with TestClient(application(mesh.environment)) as client:
        client.get(f"/{PRODUCT}/0", headers=headers)
        (begun,) = log.readings(PRODUCT)
        assert begun.rows is None and begun.by == "mesh serve products"
        for key in (1, 2, 3):
            client.get(f"/{PRODUCT}/{key}", headers=headers)
    (reading_,) = log.readings(PRODUCT)
    assert (reading_.who, reading_.rows, reading_.columns, reading_.purpose) == (
        "marketing", 3, ("id", "name"), "care",
    )  # fmt: skip


def test_beyond_this_machine_a_certificate_is_needed(mesh) -> None:
    said: list[str] = []
    with pytest.raises(EnvironmentProblem, match="tokens would be sent to it in clear"):
        serve_products(mesh.environment, "0.0.0.0", 1, begins=lambda: said.append("serving"))
    assert not said
    with pytest.raises(EnvironmentProblem, match="belong together"):
        serve_products(mesh.environment, "127.0.0.1", 1, certificate=Path("x"))


def test_a_key_of_several_parts_may_hold_anything(mesh, client) -> None:
    from tests.serving_ports.made import contract_of_pairs

    key = "crm/pairs"
    contract_of_pairs(mesh, key)
    import pyarrow as pa

    rows = {
        "day": [datetime(2024, 2, 29).date()] * 2,
        "name": ["a/b c?%", "ü\r\n"],
        "n": [1.5, float("nan")],
    }
    mesh.land(f"{key}/pairs.parquet", pa.table(rows, schema=pa.schema(
        [("day", pa.date32()), ("name", pa.string()), ("n", pa.float64())])))  # fmt: skip
    assert mesh.run(key).success
    headers = bearer(mesh, "crm")
    found = client.get(f"/{key}/2024-02-29/a%2Fb%20c%3F%25", headers=headers)
    assert found.json() == {"day": "2024-02-29", "name": "a/b c?%", "n": 1.5}
    assert client.get(f"/{key}/2024-02-29/%C3%BC%0D%0A", headers=headers).json()["n"] == "nan"


def test_rows_are_json_of_the_same_values_as_read(mesh, client) -> None:
    found = client.get(f"/{PRODUCT}/0", headers=bearer(mesh, "crm"))
    assert json.loads(found.content)["name"] == people(["Ada Lovelace"]).to_pylist()[0]["name"]
