"""Names, addresses and positions: what looks like one, and what is taken for none."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pytest

from shared_resources.personal_data import people, places
from shared_resources.personal_data.sampling import ADDRESS, NAME, POSITION, Numbers, Texts

NAMES = [
    *("Mary Johnson", "JOHN SMITH", "Garcia, Linda", "Dr. Robert O'Neill", "Anna-Maria Larsson"),
    *("José Martínez", "Charlotte van Vliet", "Thomas B. Clark", "Karen Taylor", "Susan Wilson"),
]
NO_NAMES = [
    *(
        "FROZEN PIZZA",
        "GREEN BEANS",
        "Wilson-Hodges",
        "West James",
        "Boulevard Victor Hugo",
        "Mary",
    ),
    *("Jackson Street", "Johnson & Johnson Inc", "12 Mary Johnson", "", "North Carolina"),
]
ADDRESSES = [
    *("Hauptstraße 12, 10115 Berlin", "Gartenweg 5a", "5, avenue Victor Hugo, 75016 Paris"),
    *("Via Roma, 47, 56011 Pisa", "Calle Mayor 8", "Gerritsingel 7, 1317 YB Almere"),
    *("ul. Długa 17, 00-238 Warszawa", "Storvägen 56", "Rua Augusta, 18", "c/ Luna 3"),
    *("17 Jones Light, North Holly, S6 7LJ", "1777 Kramer Court, Johnson, NE 80119"),
    *("984 Weaver Road Suite 994", "12 Main Street\nSpringfield, IL 62701"),
]
NO_ADDRESSES = [
    *("12 OZ", "Earring 4", "Black tie 3", "Order 5447 of 2008-06-13", "Main Street", "10 ct"),
    *("6 place settings", "176-husband 41386", "36 administration information", "2 for 1", ""),
]
MARKED = [
    *("POINT(13.40495 52.52001)", "SRID=4326;POINT (13.4 52.5)", "geo:52.5,13.4;u=35"),
    *("52°31'12.0\"N 13°24'18\"E", '{"type": "Point", "coordinates": [13.4, 52.5]}'),
    *("8FVC9G8F+6X", "point z (1 2 3)"),
]


@pytest.mark.parametrize("text", NAMES)
def test_a_name_of_a_person(text: str) -> None:
    assert people.is_name(text)


@pytest.mark.parametrize("text", NO_NAMES)
def test_no_name_of_a_person(text: str) -> None:
    assert not people.is_name(text)


@pytest.mark.parametrize("text", ADDRESSES)
def test_a_postal_address(text: str) -> None:
    assert people.is_address(text)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_no_postal_address(text: str) -> None:
    assert not people.is_address(text)


def test_what_needs_a_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert people.missing() == () and "probablepeople 0." in people.lists()
    for asked in (people.missing, people.lists):
        asked.cache_clear()
    monkeypatch.setattr(people, "find_spec", lambda name: None)
    try:
        assert people.missing() == ("probablepeople", "usaddress") and people.lists() == ""
        assert people.is_address("Hauptstraße 12") and not people.is_address("12 Main Street")
    finally:
        for asked in (people.missing, people.lists):
            asked.cache_clear()


@pytest.mark.parametrize("text", MARKED)
def test_a_position_in_a_notation_that_says_so(text: str) -> None:
    assert places.is_marked(text)
    assert held([text, *["x y"] * 30]) == [(POSITION, 1)]


@pytest.mark.parametrize("text", ["52.52001,13.40495", "(13.40495 52.52001)", "-33.86, 151.2093"])
def test_two_numbers_that_may_be_degrees(text: str) -> None:
    assert places.is_pair(text) == (text[0] != "-"), "two decimals are prices, too"


@pytest.mark.parametrize("text", ["12.99, 13.99", "190.1234, 200.1234", "1.2345", "a, b", ""])
def test_two_numbers_that_are_none(text: str) -> None:
    assert not places.is_pair(text)


def held(values: Sequence[str], column: str = "value", *, names: bool = True) -> list[object]:
    """The kinds that are found, each with the number of rows that count."""
    connection = duckdb.connect()
    connection.register("batch", pa.table({column: list(values)}))

    def ask(query: str) -> tuple[object, ...]:
        return tuple(connection.execute(query).fetchall()[0])

    found = Texts(column, names).held("batch", ask)
    return [(kind, ask(f"SELECT count(*) FROM batch WHERE {rows}")[0]) for kind, rows in found]


def test_a_column_is_told_by_the_share_of_its_distinct_values() -> None:
    assert held(NAMES) == [(NAME, 10)]
    goods = [f"FROZEN GOODS {letter}{other}" for letter in "ABCDEF" for other in "ABCDEF"]
    assert held([*NAMES, *goods]) == []
    assert held([*NAMES[:3]] * 50) == [], "few distinct ones tell nothing"
    assert held(NAMES, names=False) == []
    assert held(ADDRESSES) == [(ADDRESS, 14)]
    assert held(["52.52001, 13.40495", "48.13512, 11.58198", "53.55108, 9.99368"]) == [
        (POSITION, 3)
    ]
    assert held([]) == []


def test_the_columns_name_helps_where_it_says_what_it_holds() -> None:
    assert held(["Mary", "Susan", "Xqz"], "first_name") == [(NAME, 3)]
    assert held(["Wilson", "Clark"], "surname") == [(NAME, 2)]
    assert held(["Mary", "Susan"], "brand") == []
    assert held(["Mary Johnson", "-", "n a"], "customer_name") == [(NAME, 2)]
    assert held(["12 Main Street", "n a"], "delivery_address") == [(ADDRESS, 1)]
    assert held(["u33dc0f", "u281z7j"], "geohash") == [(POSITION, 2)]
    assert held(["u33dc0f", "u281z7j"], "code") == []


def test_of_many_distinct_values_a_few_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(people, "is_name", lambda text: asked.append(text) or False)
    assert held([f"word {n}, {n % 7}" for n in range(20_000)]) == []
    assert len(asked) <= 300


def test_two_columns_of_numbers_are_a_position_by_their_names() -> None:
    assert list(places.pairs_of(["shop_lat", "shop_lon", "lat", "price"])) == [
        ("shop_lat", "shop_lon")
    ]
    assert list(places.pairs_of(["latitude", "Longitude", "long_text"])) == [
        ("latitude", "Longitude")
    ]
    assert list(places.pairs_of(["flat", "long"])) == []


@pytest.mark.parametrize(
    ("latitude", "longitude", "found"),
    [
        ([52.52001, 48.13512], [13.40495, 11.58198], True),
        ([52.5, 48.1], [13.4, 11.6], False),
        ([0.0, 0.0], [0.0, 0.0], False),
        ([520.52001], [13.40495], False),
        ([None], [None], False),
    ],
)
def test_their_values_must_agree(
    latitude: list[float | None], longitude: list[float | None], found: bool
) -> None:
    connection = duckdb.connect()
    table = pa.table(
        {"lat": pa.array(latitude, pa.float64()), "lon": pa.array(longitude, pa.float64())}
    )
    connection.register("batch", table)
    kinds = Numbers("lat", "lon").held("batch", lambda q: connection.execute(q).fetchall()[0])
    assert bool(list(kinds)) is found


def test_what_is_no_number_is_no_position() -> None:
    assert not places.is_position("x", "13.40495")
