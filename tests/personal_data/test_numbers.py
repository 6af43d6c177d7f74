"""Numbers of persons: known ones pass, chance is what is declared, ids are not taken for them."""

from __future__ import annotations

import random
import re

import pytest

from shared_resources.personal_data.chance import by_chance
from shared_resources.personal_data.number_kinds import KINDS, NumberKind
from shared_resources.personal_data.numbers import kinds_in
from shared_resources.personal_data.validating import is_valid

# The documentation's own examples of python-stdnum, or made with its functions.
KNOWN = {
    "at.vnr": "1237010180", "au.tfn": "123 456 782", "be.nn": "85.07.30-033.28",
    "br.cpf": "390.533.447-05",
    "bg.egn": "7523169263", "ca.sin": "123-456-782", "ch.ssn": "756.9217.0769.85", "cz.rc": "710319/2745",
    "de.idnr": "36 574 261 809", "dk.cpr": "211062-5629", "ee.ik": "36805280109", "es.dni": "54362315-K",
    "es.nie": "X-2482300W", "fi.hetu": "131052-308T", "fr.nir": "2 95 10 99 126 111 93",
    "gb.nhs": "943 476 5919", "gr.amka": "01013099997", "hr.oib": "33392005961", "ie.pps": "6433435F",
    "is_.kennitala": "450401-3150", "it.codicefiscale": "RCCMNL83S18D969H", "jp.in_": "628547693824",
    "kr.rrn": "971013-9019902", "mx.curp": "BOXW310820HNERXN09", "nl.bsn": "1112.22.333",
    "no.fodselsnummer": "151086 95088", "pl.pesel": "44051401359", "pt.nif": "501 964 843",
    "ro.cnp": "1630615123457", "se.personnummer": "880320-0016", "si.emso": "0101006500006",
    "tr.tckimlik": "17291716060", "us.ssn": "536-90-4399", "za.idnr": "7503305044089",
    "luhn": "4111111111111111",
}  # fmt: skip


def drawn(kind: NumberKind, count: int) -> list[str]:
    """Digits of the kind's width."""
    chance = random.Random(kind.name)
    width = kind.digits[0]
    found: list[str] = []
    while len(found) < count:
        text = "".join(chance.choices("0123456789", k=width))
        if re.fullmatch(kind.pattern, text):
            found.append(text)
        elif kind.validator in ("ch.ssn", "fr.nir", "luhn"):
            begin = {"ch.ssn": "756", "fr.nir": "1", "luhn": "34"}[kind.validator]
            found.append((begin + text)[:width])
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.validator)
def test_each_kind_has_a_known_number_in_one_of_its_layouts(kind: NumberKind) -> None:
    known = KNOWN[kind.validator]
    assert re.fullmatch(kind.pattern, known)
    assert is_valid(kind.validator, known)


@pytest.mark.parametrize("kind", [k for k in KINDS if k.digits], ids=lambda kind: kind.validator)
def test_chance_is_no_more_often_than_what_is_declared(kind: NumberKind) -> None:
    texts = drawn(kind, 1_000)
    passed = sum(is_valid(kind.validator, text) for text in texts)
    assert passed <= 1_000 * kind.chance + 30


@pytest.mark.parametrize("width", range(8, 17))
@pytest.mark.parametrize("column", ["order_id", "basket_number", "card"])
def test_ids_are_no_numbers_of_persons(width: int, column: str) -> None:
    chance = random.Random(width)
    texts = ["".join(chance.choices("123456789", k=width)) for _ in range(300)]
    for integers in (False, True):
        assert [kind.name for kind in kinds_in(texts, column, integers=integers)] == []


def test_a_column_of_a_kind_is_named() -> None:
    pesel = next(kind for kind in KINDS if kind.validator == "pl.pesel")
    texts = [text for text in drawn(pesel, 4_000) if is_valid("pl.pesel", text)][:40]
    for integers in (False, True):
        found = [kind.name for kind in kinds_in(texts, "a", integers=integers)]
        assert found == ["Polish PESEL"]


def test_how_probable_chance_is() -> None:
    assert by_chance(0, 5, 0.1) == 1.0
    assert by_chance(3, 3, 1.0) == 1.0
    assert by_chance(2, 2, 0.1) == pytest.approx(0.01)
    assert by_chance(1, 2, 0.1) == pytest.approx(0.19)
    assert 0.3 < by_chance(100, 1_000, 0.1) < 0.7


def test_what_a_check_stumbles_over_is_not_valid() -> None:
    assert not is_valid("cn.ric", "999999999999999999")
    assert not is_valid("ip", "300.300.300.300")
    with pytest.raises(ModuleNotFoundError):
        is_valid("xx.unknown", "1")
