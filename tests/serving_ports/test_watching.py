"""The page that watches a row holds no data, loads nothing from elsewhere, and keeps the token out."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from shared_resources.serving_ports.http.app import application


@pytest.fixture
def client(mesh):
    with TestClient(application(mesh.environment)) as made:
        yield made


def test_the_page_is_the_same_for_every_row_and_asks_for_no_token(client):
    one = client.get("/watch/crm/people/1")
    other = client.get("/watch/crm/others/a%2Fb/2017-01-01?x=1")
    assert one.status_code == 200 and one.text == other.text
    assert one.headers["content-type"] == "text/html; charset=utf-8"
    assert client.get("/watch/crm/people/").status_code == 200
    assert client.post("/watch/crm/people/1").status_code == 405


@pytest.mark.parametrize("file", ["watch/crm/people/1", "watch.js", "watch.css"])
def test_nothing_is_loaded_from_elsewhere_and_nothing_runs_that_is_not_ours(client, file):
    found = client.get(f"/{file}")
    policy = found.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';") and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and "form-action 'none'" in policy
    assert found.headers["referrer-policy"] == "no-referrer"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "://" not in found.text
    assert not re.search(r"<script(?! src=)|<style| style=| on[a-z]+=", found.text)


def test_the_script_keeps_the_token_in_memory_and_writes_text_alone(client):
    script = client.get("/watch.js").text
    for forbidden in ("innerHTML", "insertAdjacentHTML", "Storage", "cookie", "eval("):
        assert forbidden not in script
