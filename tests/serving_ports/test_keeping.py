"""What is kept between two readings: how long it holds, and that nobody waits for it to be renewed."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from shared_resources.access.door import Reader
from shared_resources.access.grants import Grant, NoAgreement
from shared_resources.access.log import Reading, log_of, reading_of
from shared_resources.access.principal import Principal
from shared_resources.serving_ports import kept_grants, spells
from shared_resources.serving_ports.http import askers
from shared_resources.serving_ports.http.askers import Askers
from shared_resources.serving_ports.http.tokens import PREFIX
from shared_resources.serving_ports.kept_grants import KeptGrants
from shared_resources.serving_ports.spells import SpellLog

READER = Reader(Principal(domain="sales"), None)
PRODUCT = "crm/people"


@pytest.fixture
def kept(monkeypatch) -> tuple[KeptGrants, SimpleNamespace]:
    state = SimpleNamespace(refuses=False, decisions=0)

    def decide(_: Any, product: str, principal: Principal, __: Any) -> Grant:
        time.sleep(0.01)
        state.decisions += 1
        if state.refuses:
            raise NoAgreement("taken back")
        return Grant(product, principal)

    monkeypatch.setattr(kept_grants, "grant_of", decide)
    monkeypatch.setattr(kept_grants, "FRESH", 60.0)
    return KeptGrants(None), state  # type: ignore[arg-type]


def test_of_many_who_need_a_grant_one_decides(kept) -> None:
    grants, state = kept
    assert grants.at_hand(PRODUCT, READER) is None
    threads = [threading.Thread(target=grants.of, args=(PRODUCT, READER)) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert state.decisions == 1 and grants.at_hand(PRODUCT, READER) is not None


def test_a_grant_holds_for_its_time_and_what_is_used_is_renewed_before(kept, monkeypatch) -> None:
    grants, state = kept
    grants.of(PRODUCT, READER)
    grants.renew()
    assert state.decisions == 1  # most of its time is left
    monkeypatch.setattr(kept_grants, "_AHEAD", 2)
    state.refuses = True
    grants.renew()
    assert state.decisions == 2
    with pytest.raises(NoAgreement, match="taken back"):
        grants.at_hand(PRODUCT, READER)
    with pytest.raises(NoAgreement, match="taken back"):
        grants.of(PRODUCT, READER)
    grants.renew()
    grants.renew()
    assert state.decisions == 3  # nobody has used it since
    state.refuses = False
    monkeypatch.setattr(kept_grants, "FRESH", -1.0)
    grants.renew()
    grants._known[PRODUCT, READER].until = 0
    assert grants.at_hand(PRODUCT, READER) is None
    grants.renew()
    assert not grants._known


class _Tokens:
    def __init__(self) -> None:
        self.asked, self.known = 0, True

    def find(self, _: str) -> Any:
        self.asked += 1
        return SimpleNamespace(reader=READER) if self.known else None


def test_a_token_that_is_used_is_looked_up_again_and_a_revoked_one_ends(monkeypatch) -> None:
    monkeypatch.setattr(askers, "FRESH", 60.0)
    tokens, header = _Tokens(), f"Bearer {PREFIX}{'x' * 43}"
    known = Askers(tokens)  # type: ignore[arg-type]

    async def tried() -> None:
        assert await known.reader(header) == READER == await known.reader(header)
        await known.renew()
        assert tokens.asked == 1
        monkeypatch.setattr(askers, "_AHEAD", 2)
        await known.renew()
        await known.renew()
        assert tokens.asked == 2  # once, as nobody used it since
        assert await known.reader(header) == READER and tokens.asked == 2
        tokens.known = False
        await known.renew()
        assert await known.reader(header) is None
        monkeypatch.setattr(askers, "_REMEMBERED", -100.0)
        tokens.known = True
        monkeypatch.setattr(askers, "FRESH", -1.0)
        assert await Askers(tokens).reader(header) == READER  # type: ignore[arg-type]

    asyncio.run(tried())


def _reading() -> Reading:
    return reading_of("sales", PRODUCT, 1, "lake", None, by="test")


def test_readings_of_one_spell_are_one_and_many_at_once_begin_one(tmp_path) -> None:
    log = log_of(tmp_path)
    readings = SpellLog(log)
    assert not readings.counted("a", 1)
    threads = [threading.Thread(target=readings.note, args=("a", _reading(), 1)) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert readings.counted("a", 0) and readings.counted("a", 1)
    readings.end_older_than(0)
    (noted,) = log.readings(PRODUCT)
    assert noted.rows == 9 and noted.ended is not None and noted.ended <= datetime.now(UTC)


def test_the_next_spell_is_noted_when_one_is_over(tmp_path, monkeypatch) -> None:
    log = log_of(tmp_path)
    readings = SpellLog(log)
    readings.note("a", _reading(), 1)
    monkeypatch.setattr(spells, "SPELL", 0.0)
    assert not readings.counted("a", 1)
    readings.note("a", _reading(), 1)
    readings.end_older_than(0)
    assert [one.rows for one in log.readings(PRODUCT)] == [1, 1]
