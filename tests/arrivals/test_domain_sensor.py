"""One sensor a domain: every product has its turn, whatever becomes of the others, and a quiet tick
costs next to nothing without missing anything."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from shared_resources.arrivals import listing
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.passed_over import PassedOver
from shared_resources.arrivals.ledger.sensor_notes import ask_for_reset, read_notes
from shared_resources.arrivals.ledger.states import State
from shared_resources.arrivals.ledger.strays import Stray
from shared_resources.arrivals.ledger.tables import OBJECTS
from shared_resources.contracts.model import Contract
from shared_resources.landing.errors import LandingError
from shared_resources.locations.sensing import landing_sensor as module
from shared_resources.locations.sensing.landing_sensor import landing_sensor
from shared_resources.locations.sensing.product_tick import BEGUN, ProductTick, Ticked
from shared_resources.state.database import TABLES
from shared_resources.wiring import LocalEnvironment
from tests.landing.staging import landing_contract

NAMES = ("coupons", "lines", "returns")


def extract_of(name: str) -> Contract:
    contract = landing_contract("csv", object_name="*.csv", prefix=f"order/{name}")
    return replace(contract, domain="order", name=name)


class Shop:
    """A domain's sensor, and what lands for its products."""

    def __init__(self, home: Path) -> None:
        self.environment = LocalEnvironment(root=home, home=home)
        self.ahead = timedelta(0)
        self.define(*map(extract_of, NAMES))
        self.cursor: str | None = None

    def define(self, *contracts: Contract) -> None:
        self.sensor = landing_sensor(
            "order", contracts, environment=lambda: self.environment, clock=self.now
        )

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def put(self, name: str, object_name: str = "a.csv", content: str = "id\n1\n") -> Path:
        path = self.environment.landing_zone.root / "order" / name / object_name
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f".{object_name}")
        made.write_text(content)
        made.replace(path)
        long_ago = 1_700_000_000
        os.utime(path, (long_ago, long_ago))
        return path

    def tick(self) -> dg.SensorResult:
        with dg.DagsterInstance.ephemeral() as instance:
            result = self.sensor(dg.build_sensor_context(instance=instance, cursor=self.cursor))
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def asked(self) -> list[str]:
        return [request.tags["mesh/product"] for request in self.tick().run_requests or ()]

    def said(self) -> str:
        return str(self.tick().skip_reason)

    def ledger(self, name: str) -> Ledger:
        return Ledger(self.environment.state, f"order/{name}", self.now)

    def ingested(self, name: str) -> None:
        """What was asked for was published."""
        ledger = self.ledger(name)
        entries = ledger.questions.under_way()
        ledger.take([one.object for one in entries], run_id="a run", batch_id="a batch")
        ledger.note([(one.key, one.etag) for one in entries], State.PUBLISHED)

    def passed(self, name: str) -> PassedOver:
        return PassedOver(self.environment.state, f"order/{name}", self.now)

    def settled(self, name: str) -> None:
        """Somebody has settled what was passed over, and the sensor has nothing more to say."""
        passed = self.passed(name)
        passed.settle(passed.open(), by="me", reason="none of ours")
        self.tick()
        assert "nothing new of 3 products" in self.said()

    def at_rest(self) -> None:
        """Everything that lies there is ingested, and the sensor has nothing to say."""
        self.tick()
        for name in NAMES:
            self.ingested(name)
        self.tick()
        assert self.said() == "SkipReason(skip_message='nothing new of 3 products')"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "home")


@pytest.fixture
def statements(shop: Shop) -> Iterator[list[str]]:
    """What the state's database is asked to do."""
    seen: list[str] = []

    def see(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement.split()[0])

    engine = shop.environment.state.engine
    sa.event.listen(engine, "before_cursor_execute", see)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", see)


def failing(
    monkeypatch: pytest.MonkeyPatch, problem: Callable[[], Exception], *products: str
) -> None:
    """The turns of these products raise."""
    turn = ProductTick.result

    def result(self: ProductTick, text: str | None) -> Ticked:
        if self._contract.name in products:
            raise problem()
        return turn(self, text)

    monkeypatch.setattr(ProductTick, "result", result)


def test_each_product_is_asked_for_by_the_one_sensor(shop: Shop) -> None:
    assert shop.sensor.name == "order_landing"
    shop.put("lines")
    shop.put("returns")
    result = shop.tick()
    requests = result.run_requests or []
    assert [one.asset_selection for one in requests] == [
        [dg.AssetKey(["order", "lines"])],
        [dg.AssetKey(["order", "returns"])],
    ]
    assert len({one.run_key for one in requests}) == 2
    assert shop.asked() == []


@pytest.mark.parametrize("kind", [LandingError, ZeroDivisionError])
def test_what_goes_wrong_with_one_product_is_said_and_keeps_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    for name in NAMES:
        shop.put(name)
    failing(monkeypatch, lambda: kind("its bucket is gone"), "lines")
    assert shop.asked() == ["order/coupons", "order/returns"]
    assert "its bucket is gone" in read_notes(shop.environment.state, "order/lines").said
    said = shop.said()
    assert "lines: " in said and "its bucket is gone" in said
    monkeypatch.undo()
    assert shop.asked() == ["order/lines"]


def test_when_nothing_can_be_looked_at_the_tick_fails_and_the_cursor_stays(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.put("lines")
    failing(monkeypatch, lambda: ZeroDivisionError("no bucket"), *NAMES)
    with pytest.raises(ZeroDivisionError):
        shop.tick()
    monkeypatch.undo()
    assert shop.asked() == ["order/lines"]


def test_who_had_no_time_comes_first_in_the_next_tick(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_TO_BEGIN", -1.0)
    for name in NAMES:
        shop.put(name)
    assert shop.asked() == []
    monkeypatch.setattr(module, "SECONDS_TO_BEGIN", 20.0)
    monkeypatch.setattr(module, "RUNS_A_TICK", 1)
    assert [shop.asked() for _ in range(4)] == [[f"order/{name}"] for name in NAMES] + [[]]


def test_a_product_that_comes_or_goes_changes_nothing_for_the_others(shop: Shop) -> None:
    shop.put("lines")
    shop.at_rest()
    shop.define(extract_of("lines"), extract_of("vouchers"))
    shop.put("vouchers")
    assert shop.asked() == ["order/vouchers"]
    assert sorted(json.loads(str(shop.cursor))["products"]) == ["lines", "vouchers"]


def test_one_product_is_reset_or_all_are(shop: Shop) -> None:
    for name in NAMES:
        shop.put(name)
    shop.at_rest()
    shop.cursor = '{"reset": ["lines"]}'
    assert "lines: 1 objects are forgotten" in shop.said()
    assert shop.asked() == ["order/lines"]
    shop.ingested("lines")
    shop.cursor = '{"reset": true}'
    assert shop.said().count("1 objects are forgotten") == 3
    assert shop.asked() == [f"order/{name}" for name in NAMES]


def test_a_product_that_is_none_is_said_and_keeps_no_other(shop: Shop) -> None:
    shop.at_rest()
    shop.put("lines")
    shop.cursor = '{"reset": ["shoes"]}'
    assert shop.asked() == ["order/lines"]
    for name in NAMES:
        shop.ingested(name)
    for _ in range(2):
        assert "shoes, which this sensor does not have" in shop.said()
    assert json.loads(str(shop.cursor))["reset"] == ["shoes"]


@pytest.mark.parametrize("reset", [["returns"], True])
def test_a_reset_is_made_though_the_tick_has_no_time_for_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, reset: object
) -> None:
    shop.put("returns")
    shop.at_rest()
    monkeypatch.setattr(module, "SECONDS_TO_BEGIN", -1.0)
    shop.cursor = json.dumps({"reset": reset})
    assert "returns: 1 objects are forgotten" in shop.said()
    monkeypatch.undo()
    assert "order/returns" in shop.asked()


def test_a_reset_that_fails_is_made_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put("lines")
    shop.at_rest()

    def broken(*_: object) -> Ticked:
        raise LandingError("no store answers")

    monkeypatch.setattr(module, "forget_ingested", broken)
    shop.cursor = '{"reset": ["lines"]}'
    for _ in range(2):
        assert "no store answers" in shop.said()
    monkeypatch.undo()
    assert "lines: 1 objects are forgotten" in shop.said()
    assert shop.asked() == ["order/lines"]


def test_a_slow_failure_keeps_no_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes all the time and fails has its turn after those who had none."""
    shop.at_rest()
    shop.put("returns")
    failing(monkeypatch, lambda: ZeroDivisionError("after a minute"), "coupons")
    times = itertools.chain([0.0, 0.0], itertools.repeat(99.0))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    assert shop.asked() == []
    monkeypatch.setattr(module.time, "monotonic", lambda: 0.0)
    assert shop.asked() == ["order/returns"]


def test_a_turn_at_which_the_tick_is_ended_keeps_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        shop.put(name)
    turn = ProductTick._look

    def hangs(self: ProductTick, *given: object) -> object:
        if self._contract.name == "coupons":
            raise KeyboardInterrupt  # Dagster ends the tick
        return turn(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(ProductTick, "_look", hangs)
    with pytest.raises(KeyboardInterrupt):
        shop.tick()
    assert shop.asked() == ["order/lines", "order/returns"]
    for name in NAMES:
        shop.ingested(name)
    with pytest.raises(KeyboardInterrupt):
        shop.tick()
    shop.put("lines", "b.csv")
    assert shop.asked() == ["order/lines"]
    # However much the others ask for, it has its turn again, before they ask.
    shop.ahead = module.TRIED_AGAIN_AFTER + timedelta(seconds=1)
    shop.put("returns", "b.csv")
    with pytest.raises(KeyboardInterrupt):
        shop.tick()
    assert shop.ledger("returns").questions.under_way() == []
    monkeypatch.undo()
    assert sorted(shop.asked()) == ["order/lines", "order/returns"]
    assert shop.asked() == ["order/coupons"]
    for name in NAMES:
        shop.ingested(name)
    shop.tick()
    assert "nothing new of 3 products" in shop.said()
    assert read_notes(shop.environment.state, "order/coupons").said != BEGUN


@pytest.mark.parametrize("kind", [LandingError, ZeroDivisionError, None])
def test_what_is_to_be_told_is_in_the_log_beside_others_requests(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: type[Exception] | None,
) -> None:
    shop.at_rest()
    shop.put("coupons")
    if kind is None:
        shop.put("lines", "notes.txt")
    else:
        failing(monkeypatch, lambda: kind("notes.txt is odd"), "lines")
    capsys.readouterr()
    assert shop.asked() == ["order/coupons"]
    assert any(
        "notes.txt" in line and "order/lines" in line and "WARNING" in line
        for line in capsys.readouterr().err.splitlines()
    )


def test_a_trouble_that_is_over_is_said_no_longer(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.put("lines")
    shop.at_rest()
    failing(monkeypatch, lambda: LandingError("its bucket is gone"), "lines")
    shop.tick()
    monkeypatch.undo()
    shop.tick()
    assert "gone" not in read_notes(shop.environment.state, "order/lines").said


def test_a_state_that_was_lost_is_filled_again(shop: Shop) -> None:
    shop.put("lines")
    shop.put("lines", "notes.txt")
    shop.tick()
    shop.ingested("lines")
    shop.settled("lines")
    with shop.environment.state.begin() as connection:
        for table in reversed(TABLES.sorted_tables):
            connection.execute(sa.delete(table))
    said = shop.tick()
    assert [one.tags["mesh/product"] for one in said.run_requests or ()] == ["order/lines"]
    assert [one.key for one in shop.passed("lines").open()] == ["order/lines/notes.txt"]


def test_what_another_process_passed_over_is_looked_at_again(shop: Shop) -> None:
    """A run under a contract that was edited and taken back: the sensor's own look counts."""
    shop.put("lines")
    shop.at_rest()
    passed = shop.passed("lines")
    (lies,) = shop.environment.landing_zone.page("order/lines", "", 10).objects
    passed.note([Stray(lies.key, lies.listed, "its name does not match", lies.size)])
    assert "nothing new of 3 products" not in shop.said()
    assert passed.open() == []
    shop.tick()
    assert "nothing new of 3 products" in shop.said()


def test_another_release_looks_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put("lines")
    shop.at_rest()
    monkeypatch.setattr(listing, "code_digest", lambda *rooms: "another")
    assert "lines: nothing new below order/lines" in shop.said()


def test_a_quiet_tick_asks_once_for_all_products_and_writes_one_row(
    shop: Shop, statements: list[str]
) -> None:
    for name in NAMES:
        shop.put(name)
    shop.at_rest()
    before = read_notes(shop.environment.state, "order/lines").ticked_at
    del statements[:]
    assert "nothing new of 3 products" in shop.said()
    assert sorted(one for one in statements if one != "BEGIN") == ["SELECT"] * 4 + ["UPDATE"]
    after = read_notes(shop.environment.state, "order/lines").ticked_at
    assert before is not None and after is not None and after > before


def new_object(shop: Shop) -> None:
    shop.put("lines", "b.csv")


def same_length_and_time(shop: Shop) -> None:
    shop.put("lines", content="id\n2\n")


def reset_by_command(shop: Shop) -> None:
    shop.ledger("lines").forget()
    ask_for_reset(shop.environment.state, "order/lines")


def forgotten_alone(shop: Shop) -> None:
    with shop.environment.state.begin() as connection:
        row = OBJECTS.c.product == "order/lines"
        connection.execute(sa.update(OBJECTS).where(row).values(state=State.FORGOTTEN))


def cleared(shop: Shop) -> None:
    shop.cursor = None
    forgotten_alone(shop)


@pytest.mark.parametrize(
    "happens", [new_object, same_length_and_time, reset_by_command, forgotten_alone, cleared]
)
def test_after_quiet_ticks_nothing_is_missed(shop: Shop, happens: Callable[[Shop], None]) -> None:
    for name in NAMES:
        shop.put(name)
    shop.at_rest()
    shop.tick()
    happens(shop)
    assert shop.asked() == ["order/lines"]


def test_what_is_to_be_told_is_told_at_every_tick_until_it_is_settled(shop: Shop) -> None:
    shop.put("lines")
    shop.at_rest()
    shop.put("lines", "notes.txt")
    assert all("notes.txt" in shop.said() for _ in range(3))
    shop.settled("lines")


def test_another_contract_looks_again_at_what_lies_there(shop: Shop) -> None:
    shop.put("lines")
    shop.put("lines", "b.tsv")
    shop.tick()
    shop.ingested("lines")
    shop.settled("lines")
    wider = landing_contract("csv", object_name="*.tsv", prefix="order/lines")
    shop.define(replace(wider, domain="order", name="lines", digest="1" * 64))
    assert shop.asked() == ["order/lines"]


def test_a_contract_without_a_landing_has_no_sensor() -> None:
    with pytest.raises(ValueError, match="order/lines"):
        landing_sensor("order", [replace(extract_of("lines"), landing=None)])
