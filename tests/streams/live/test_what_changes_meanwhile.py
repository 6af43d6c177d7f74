"""What changes while rows follow messages: the contract, the agreement, and who is to be forgotten."""

from __future__ import annotations

import threading

import pytest
import yaml

from shared_resources.data_products import publishing
from shared_resources.erasing import carrying_out
from shared_resources.evidence.erasures import begin, done, name_of
from shared_resources.serving_ports import kept_grants
from shared_resources.serving_ports.following import bring_level
from shared_resources.streams.live import process
from shared_resources.streams.live.making import LiveProblem
from shared_resources.streams.live.process import LiveProcess
from tests.cli.commands import call
from tests.streams import receipts
from tests.streams.live.made import (
    CODE,
    STREAM,
    TAKINGS,
    definition,
    follow,
    publish,
    publish_receipts,
    send,
    served,
    shop,
    takings_contract,
)
from tests.streams.live.test_live import agree, current, json_as_yaml, wait_until
from tests.tiny_mesh import custom


def changed(text, change):
    said = yaml.safe_load(text)
    change({one["name"]: one for one in said["schema"][0]["properties"]})
    return yaml.safe_dump(said, sort_keys=False)


def of_a_subject(text):
    return changed(
        text, lambda columns: columns["till"].update(customProperties=custom(subject="till"))
    )


class Running:
    """A live process in a thread."""

    def __init__(self, mesh):
        self.told, self._stop, self.problem = [], threading.Event(), None
        self._process = LiveProcess(
            mesh.environment, definition(mesh), self._stop.is_set, self.told.append
        )
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            self._process.run()
        except LiveProblem as problem:
            self.problem = problem

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def test_nothing_of_before_an_erasure_is_written_into_what_is_served_after_it(mesh, monkeypatch):
    shop(mesh, contract=of_a_subject(takings_contract()))
    place = mesh.environment.attestor.place
    assert place is not None, "a mesh without a journal shows nothing here"
    send(mesh, (1, "one", 1.0))
    entry = begin("till", ["0" * 64], "test", "request 1")
    with Running(mesh) as live:
        wait_until(lambda: served(mesh, "one") == (1, 1.0))
        mesh.environment.attestor.certify(lambda d: name_of(entry, d), entry.statement())
        # As an erasure does it: what is served now has none of what rows have followed.
        bring_level(mesh.environment, definition(mesh).contract, anew=True)
        send(mesh, (2, "one", 1.0))
        wait_until(lambda: any("a till is being erased" in one for one in live.told))
        assert served(mesh, "one") == (0, 0.0) and current(mesh).position is None
        monkeypatch.setattr(publishing, "CLOCKS", -publishing.CLOCKS)
        ended = done(entry, [], [], [])
        mesh.environment.attestor.certify(lambda d: name_of(ended, d), ended.statement())
        wait_until(lambda: served(mesh, "one") == (2, 2.0))


def test_a_process_of_an_older_contract_writes_nothing_over_a_version_of_a_newer(mesh):
    shop(mesh)
    before = definition(mesh)

    def stricter(columns):
        columns["paid"]["logicalTypeOptions"]["maximum"] = 10

    mesh.product(TAKINGS, changed(takings_contract(), stricter), CODE)
    publish(mesh, ["one"])
    send(mesh, (1, "one", 50.0))
    with pytest.raises(LiveProblem, match="its contract was changed since this process began"):
        LiveProcess(mesh.environment, before, lambda: False).run({0: 1, 1: 1})
    assert served(mesh, "one") == (0, 0.0)
    told = follow(mesh)
    assert served(mesh, "one") == (0, 0.0) and told


def test_a_version_with_columns_that_the_contract_has_no_more_is_waited_for(mesh):
    shop(mesh)
    said = yaml.safe_load(takings_contract())
    said["schema"][0]["properties"].pop()
    said["servers"][1]["customProperties"] = custom(columns=["receipts", "paid"])
    said["version"] = "2.0.0"
    code = CODE.replace(', "name")\n\n\n', ")\n\n\n", 1)
    mesh.product(TAKINGS, yaml.safe_dump(said, sort_keys=False), code)
    with Running(mesh) as live:
        wait_until(lambda: any("has name, which the contract has no more" in o for o in live.told))
    assert live.problem is None


def test_a_rule_that_some_rows_of_a_batch_may_break_holds_for_each_live_row(mesh):
    rule = {"name": "few", "metric": "nullValues", "mustBeLessThan": 1000}

    def lenient(columns):
        columns["name"]["quality"] = [rule]

    shop(mesh, contract=changed(takings_contract(), lenient))
    send(mesh, (1, "one", 1.0), (2, "unknown", 1.0))
    told = follow(mesh)
    assert served(mesh, "one") == (1, 1.0)
    assert served(mesh, "unknown") is None, "it has no name"
    assert not any("few is not asked" in one for one in told)


def test_what_is_not_asked_of_live_rows_is_told(mesh):
    rule = {
        "name": "sane",
        "type": "sql",
        "query": "SELECT count(*) FROM ${object}",
        "mustBeLessThan": 9,
    }
    said = yaml.safe_load(takings_contract())
    said["schema"][0]["quality"] = [rule]
    shop(mesh, contract=yaml.safe_dump(said, sort_keys=False))
    send(mesh, (1, "one", 1.0))
    told = follow(mesh)
    assert any("sane is not asked of live rows" in one for one in told)
    assert not any("primary_key is not" in one or "not_empty is not" in one for one in told)


@pytest.mark.parametrize("notices", ["each second", "with the next message"])
def test_an_agreement_that_narrows_is_begun_again_with(mesh, monkeypatch, notices):
    monkeypatch.setattr(kept_grants, "FRESH", 0.0)
    if notices == "each second":
        monkeypatch.setattr(process, "LOOKS_EACH", 0.0)
    shop(mesh)
    purposes = {"campaigns": {"description": "To plan.", "classifications": ["public", "internal"]}}
    mesh.central(open=[], purposes=purposes)
    shown = {"property": "columns", "vendor": "mesh", "value": ["receipt_id", "till", "paid"]}
    small = {"property": "rows", "vendor": "mesh", "value": "paid < 5"}
    roles = {
        "roles": [
            {"role": "all", "description": "All.", "customProperties": [shown]},
            {"role": "small", "description": "Small.", "customProperties": [shown, small]},
        ]
    }
    folder = mesh.product(STREAM, receipts.contract() + json_as_yaml(roles))
    agree(folder, "all")
    send(mesh, (1, "one", 50.0))
    with Running(mesh) as live:
        wait_until(lambda: served(mesh, "one") == (1, 50.0))
        agree(folder, "small")
        send(mesh, (2, "one", 1.0))
        wait_until(lambda: served(mesh, "one") == (1, 1.0))
    assert live.problem is None, "the large receipt is no more in what it knows"


def test_a_stricter_contract_of_the_stream_holds_for_the_next_message(mesh, monkeypatch):
    monkeypatch.setattr(process, "LOOKS_EACH", 0.0)
    shop(mesh)
    send(mesh, (1, "one", 50.0))
    with Running(mesh):
        wait_until(lambda: served(mesh, "one") == (1, 50.0))

        def stricter(columns):
            columns["paid"]["logicalTypeOptions"]["maximum"] = 10

        mesh.product(STREAM, changed(receipts.contract(), stricter))
        send(mesh, (2, "two", 1.0))
        wait_until(lambda: served(mesh, "two") == (1, 1.0))
        send(mesh, (3, "two", 60.0), (4, "two", 2.0))
        wait_until(lambda: (served(mesh, "two") or (0, 0))[1] in (3.0, 63.0))
    assert served(mesh, "two") == (2, 3.0)


def test_a_contract_of_the_stream_that_is_gone_for_a_moment_ends_nothing(mesh, monkeypatch):
    monkeypatch.setattr(process, "LOOKS_EACH", 0.0)
    shop(mesh)
    send(mesh, (1, "one", 1.0))
    with Running(mesh) as live:
        wait_until(lambda: served(mesh, "one") == (1, 1.0))
        mesh.product(STREAM, "not: [a contract")
        wait_until(lambda: any("is made of no topic now" in one for one in live.told))
        mesh.product(STREAM, receipts.contract())
        send(mesh, (2, "one", 1.0))
        wait_until(lambda: served(mesh, "one") == (2, 2.0))
    assert live.problem is None


@pytest.mark.slow
def test_an_erasure_reaches_live_rows_of_the_subject(mesh, monkeypatch):
    stream = changed(
        receipts.contract(), lambda c: c["till"].update(customProperties=custom(subject="till"))
    )
    shop(mesh, contract=of_a_subject(takings_contract()))
    mesh.product(STREAM, stream)
    send(mesh, (1, "one", 1.0), (2, "two", 1.0))
    publish_receipts(mesh)
    once = carrying_out.serving_ports.renew

    def and_then_a_message_comes(environment, contract):
        yield from once(environment, contract)
        if contract.key == TAKINGS:
            send(mesh, (3, "two", 1.0))
            wait_until(lambda: any("is being erased" in one for one in live.told))

    with Running(mesh) as live:
        wait_until(lambda: served(mesh, "one") == (1, 1.0))
        monkeypatch.setattr(carrying_out.serving_ports, "renew", and_then_a_message_comes)
        found = call("erase", "--subject", "one", "--reason", "request 1")
        assert found.code == 0, found
        monkeypatch.setattr(publishing, "CLOCKS", -publishing.CLOCKS)
        wait_until(lambda: served(mesh, "two") == (2, 2.0))
    assert served(mesh, "one") is None
