"""How a process that was to go on ended: what it exits with, and where that is seen."""

from __future__ import annotations

import pytest

from shared_resources.access.grants import NoAgreement
from shared_resources.cli.main import main
from shared_resources.governance.stopped import ProductStopped
from shared_resources.mesh import read_whole_mesh
from shared_resources.observing.product_health import Observer
from shared_resources.problems import MeshProblem
from shared_resources.state.database import StateUnreachable
from shared_resources.stores.protocol import NotPublished
from shared_resources.streams.flink.staged import Unreconciled
from shared_resources.streams.kept_up.endings import SOMEBODY_ACTS, to_go_on
from shared_resources.streams.kept_up.last_endings import last_endings
from shared_resources.streams.live.making import LiveProblem, OtherContract
from shared_resources.streams.log.port import LogProblem
from shared_resources.streams.standing import MessagesGone
from shared_resources.streams.taken_keys import TooManyKeys
from shared_resources.streams.window import StuckStream
from tests.streams.live.made import STREAM, TAKINGS, shop
from tests.tiny_mesh import TinyMesh

MAY_PASS = (NotPublished, OtherContract, LogProblem, StateUnreachable)
FOR_A_PERSON = (
    MessagesGone, StuckStream, TooManyKeys, Unreconciled, LiveProblem, NoAgreement, ProductStopped,
)  # fmt: skip


def end(mesh: TinyMesh, process: str, problem: Exception) -> MeshProblem:
    with pytest.raises(MeshProblem) as raised, to_go_on(mesh.environment.state, process):
        raise problem
    return raised.value


@pytest.mark.parametrize("problem", MAY_PASS)
def test_what_may_pass_is_to_be_started_again_soon(
    mesh: TinyMesh, problem: type[MeshProblem]
) -> None:
    raised = end(mesh, f"run {STREAM}", problem("it is not there"))
    assert raised.exit_code == 1 and str(raised) == "it is not there"
    [noted] = last_endings(mesh.environment, STREAM)
    assert (noted.why, noted.somebody_acts) == ("it is not there", False)


@pytest.mark.parametrize("problem", FOR_A_PERSON)
def test_what_only_a_person_can_mend_ends_with_2(
    mesh: TinyMesh, problem: type[MeshProblem]
) -> None:
    raised = end(mesh, f"run {STREAM}", problem("messages are gone"))
    assert raised.exit_code == SOMEBODY_ACTS and str(raised) == "messages are gone"
    [noted] = last_endings(mesh.environment, STREAM)
    assert (noted.process, noted.somebody_acts) == (f"run {STREAM}", True)


def test_nothing_is_noted_of_who_ends_well_and_forgotten_of_who_is_started(mesh: TinyMesh) -> None:
    assert last_endings(mesh.environment, STREAM) == ()
    end(mesh, f"run {STREAM}", StuckStream("one"))
    end(mesh, f"gate {STREAM}", StuckStream("other"))
    with to_go_on(mesh.environment.state, f"run {STREAM}"):
        [noted] = last_endings(mesh.environment, STREAM)
        assert noted.process == f"gate {STREAM}"
    assert last_endings(mesh.environment, STREAM) == (noted,)


def test_a_state_that_does_not_answer_hides_no_problem(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin() -> None:
        raise StateUnreachable("nobody there")

    monkeypatch.setattr(type(mesh.environment.state), "begin", lambda self: begin())
    assert str(end(mesh, f"run {STREAM}", StuckStream("one"))) == "one"


def test_who_waits_for_a_person_is_seen_in_the_list_and_in_the_health(
    mesh: TinyMesh, capsys: pytest.CaptureFixture[str]
) -> None:
    shop(mesh)
    end(mesh, f"run {STREAM}", StuckStream("what is published breaks a rule"))
    end(mesh, f"gate {STREAM}", StuckStream("there is no gate any more"))
    end(mesh, f"live {TAKINGS}", LiveProblem("product.py:3 raised KeyError"))
    end(mesh, f"live {STREAM}", LiveProblem("it has no live rows"))
    reasons = [str(one) for key in (STREAM, TAKINGS) for one in _health(mesh, key)]
    assert [one.partition(" ended at ")[0] for one in reasons] == [
        f"crashed: `mesh stream run {STREAM}`",
        f"crashed: `mesh stream live {TAKINGS}`",
    ]
    assert "UTC: what is published breaks a rule" in reasons[0]
    said = _listed(capsys)
    assert "waits for somebody: product.py:3 raised KeyError" in said
    assert "waits for somebody: what is published breaks a rule" in said
    assert "no gate any more" not in said and "no live rows" not in said, "nobody starts them again"


def test_what_passes_by_itself_fails_no_health(
    mesh: TinyMesh, capsys: pytest.CaptureFixture[str]
) -> None:
    shop(mesh)
    end(mesh, f"run {STREAM}", NotPublished("crm/people was never published"))
    assert _health(mesh, STREAM) == []
    assert "is to be started again: crm/people was never" in _listed(capsys)


def _health(mesh: TinyMesh, key: str) -> list[object]:
    product = read_whole_mesh(mesh.environment).product(key)
    return list(Observer(mesh.environment).observe(product).health.failing)


def _listed(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as done:
        main(["stream", "list"])
    assert done.value.code == 0
    return capsys.readouterr().out
