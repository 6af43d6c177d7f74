"""How much personal data is found, and how much else is taken for it: precision and recall by kind.

    python -m benchmarks.personal_data [--columns N] [--rows N]

A labelled set, the same each time: for each kind so many columns of values, made by Faker or drawn
until the check passes; and columns that hold none: numbers of orders, article numbers, moments,
UUIDs, hashes, prices, versions, random digits of each width, companies, towns, streets, jobs, words.
Each is asked as the two policies ask a batch, under a name that says nothing. Prints a table for the
docs. A column counts as found when it is found under its own kind; what is found in a column of another
is a false alarm.
"""

from __future__ import annotations

import argparse
import random
import re
import uuid
from collections.abc import Callable, Iterator
from hashlib import sha256

import duckdb
import pyarrow as pa
from faker import Faker

from shared_resources.personal_data.number_kinds import KINDS, NumberKind
from shared_resources.personal_data.sampling import ADDRESS, NAME, POSITION, Texts
from shared_resources.personal_data.searching import Column
from shared_resources.personal_data.text import PATTERNS
from shared_resources.personal_data.validating import is_valid

LOCALES = ("en_US", "de_DE", "fr_FR", "en_GB", "it_IT", "nl_NL", "es_ES", "pl_PL")
Values = Callable[[random.Random], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--rows", type=int, default=60)
    options = parser.parse_args()
    found: dict[str, list[set[str]]] = {}
    for label, values in labelled(options.columns, options.rows):
        found.setdefault(label, []).append(kinds_found(values))
    print("| kind | columns | recall | precision |\n|---|---|---|---|")
    for label in sorted(label for label in found if label):
        right = sum(label in kinds for kinds in found[label])
        alarms = sum(
            label in kinds for other, all_ in found.items() if other != label for kinds in all_
        )
        precision = right / (right + alarms) if right + alarms else 1.0
        print(
            f"| {label} | {len(found[label])} | {right / len(found[label]):.2f} | {precision:.2f} |"
        )
    none = found.get("", [])
    print(f"\n{len(none)} columns of other data: {sum(map(bool, none))} taken for personal data.")


def kinds_found(values: list[str]) -> set[str]:
    """The kinds that are found in a column of these values."""
    connection = duckdb.connect()
    connection.register("batch", pa.table({"value": values}))
    column = Column("value", PATTERNS, numbers=True)
    ask = lambda query: connection.execute(query).fetchall()[0]  # noqa: E731
    found = {name for name, _, _ in column.held("batch", ask)}
    return found | {name for name, _ in Texts("value", names=True).held("batch", ask)}


def labelled(columns: int, rows: int) -> Iterator[tuple[str, list[str]]]:
    """The kind that each column holds, ``""`` for none, and its values."""
    for number in range(columns):
        chance = random.Random(number)
        fake = Faker(LOCALES[number % len(LOCALES)])
        fake.seed_instance(number)
        for kind, make in _texts(fake).items():
            # Within a sentence in every second column: one row of it is enough.
            sentence = number % 2 == 1
            values = [fake.sentence() for _ in range(rows)]
            yield (
                kind,
                [f"{values[0]} {make()}", *values[1:]] if sentence else [make() for _ in values],
            )
        for kind, make in _whole(fake, number).items():
            yield kind, [make() for _ in range(rows)]
        for make in _words(fake):
            yield "", [make() for _ in range(rows)]
        for kind in KINDS:
            if not kind.by_name_only and kind.validator != "luhn":
                yield kind.name, [_drawn(kind, chance) for _ in range(rows)]
        for make_other in _others():
            yield "", [make_other(chance) for _ in range(rows)]


def _texts(fake: Faker) -> dict[str, Callable[[], str]]:
    return {
        "e-mail address": fake.email,
        "phone number": fake.phone_number,
        "payment card": fake.credit_card_number,
        "IBAN": fake.iban,
        "IP address": lambda: fake.ipv4_public() if fake.boolean() else fake.ipv6(),
        "MAC address": fake.mac_address,
    }


def _whole(fake: Faker, number: int) -> dict[str, Callable[[], str]]:
    """Kinds that are told by a whole column, each written in one of several ways."""
    names = (
        fake.name,
        lambda: f"{fake.last_name()}, {fake.first_name()}",
        lambda: f"{fake.first_name()} {fake.last_name()}".upper(),
    )
    addresses = (lambda: fake.address().replace("\n", ", "), fake.street_address)
    positions = (
        lambda: f"{fake.latitude()}, {fake.longitude()}",
        lambda: f"POINT({fake.longitude()} {fake.latitude()})",
        lambda: f"geo:{fake.latitude()},{fake.longitude()}",
    )
    return {
        NAME: names[number % len(names)],
        ADDRESS: addresses[number // 2 % len(addresses)],
        POSITION: positions[number % len(positions)],
    }


def _words(fake: Faker) -> tuple[Callable[[], str], ...]:
    """What is no person's and made of words."""
    return (
        fake.company,
        fake.city,
        fake.country,
        fake.street_name,
        fake.job,
        fake.catch_phrase,
        fake.color_name,
        fake.currency_name,
        fake.sentence,
        lambda: " ".join(fake.words(2)).title(),
        lambda: f"{fake.random_int(1, 99)} {fake.word()} {fake.random_int(1, 9)}",
        lambda: f"{fake.random_int(1, 99)}.{fake.random_int(10, 99)}, {fake.random_int(1, 9)}.50",
    )


def _drawn(kind: NumberKind, chance: random.Random) -> str:
    """A number of the kind: its first layout, drawn with a date until the check passes."""
    while True:
        text = _of_layout(kind.layouts[0], chance)
        if kind.chance == 0.1 or kind.validator in ("fi.hetu", "no.fodselsnummer", "be.nn"):
            text = _with_date(kind.validator, text, chance)
        if is_valid(kind.validator, text):
            return text


def _of_layout(layout: str, chance: random.Random) -> str:
    """A text that the layout allows: of its classes, repeated as it says, of its first branches."""
    out = []
    pieces = re.findall(r"(\[[^\]]+\]|\\.|\(\?:[^)]*\)|.)(\{[0-9]+\}|\?)?", layout)
    for piece, times in pieces:
        if times == "?":
            continue
        for _ in range(int(times[1:-1]) if times else 1):
            if piece.startswith("(?:"):
                out.append(_of_layout(piece[3:-1].split("|")[0], chance))
            elif piece.startswith("["):
                out.append(chance.choice(_characters(piece[1:-1])))
            else:
                out.append(piece[-1])
    return "".join(out)


def _characters(listed: str) -> str:
    ranges = re.sub("(.)-(.)", lambda m: "".join(map(chr, range(ord(m[1]), ord(m[2]) + 1))), listed)
    return ranges.replace("-", "") or "-"


def _with_date(validator: str, text: str, chance: random.Random) -> str:
    day, month, year = chance.randint(1, 28), chance.randint(1, 12), chance.randint(40, 99)
    date = f"{year}{month:02d}{day:02d}"
    if validator in ("fi.hetu", "no.fodselsnummer", "is_.kennitala", "gr.amka"):
        date = f"{day:02d}{month:02d}{year}"
    starts = {"ro.cnp": 1, "ee.ik": 1, "mx.curp": 4}
    if validator in (
        "be.nn",
        "bg.egn",
        "cz.rc",
        "fi.hetu",
        "gr.amka",
        "is_.kennitala",
        "kr.rrn",
    ) or (validator in ("mx.curp", "no.fodselsnummer", "pl.pesel", "ro.cnp", "ee.ik", "za.idnr")):
        at = starts.get(validator, 0)
        return text[:at] + date + text[at + 6 :]
    return text


def _others() -> tuple[Values, ...]:
    def counted(begin: int, step: int) -> Values:
        return lambda chance: str(begin + step * chance.randrange(10**6))

    def digits(width: int) -> Values:
        return lambda chance: "".join(chance.choices("0123456789", k=width))

    return (
        *(digits(width) for width in range(8, 17)),
        *(counted(10**width, 1) for width in range(8, 16)),
        _article_number,
        lambda c: str(uuid.UUID(int=c.getrandbits(128))),
        lambda c: sha256(c.randbytes(8)).hexdigest(),
        lambda c: f"{c.uniform(0, 9999):.2f}",
        lambda c: f"{c.randint(1, 30)}.{c.randint(0, 30)}.{c.randint(0, 9999)}.{c.randint(0, 300)}",
        lambda c: (
            f"2024-{c.randint(1, 12):02d}-{c.randint(1, 28):02d} {c.randint(0, 23):02d}:10:11"
        ),
        _moment,
        lambda c: f"24{c.randint(1, 12):02d}{c.randint(1, 28):02d}{c.randint(0, 9999):04d}",
        lambda c: f"SKU-{c.randint(0, 10**6):06d}-{c.choice('ABCDEF')}",
        lambda c: f"{c.randint(100, 999)}-{c.randint(10, 99)}-{c.randint(1000, 9999)}",
        lambda c: f"{c.choice(('DE', 'FR', 'NL'))}{c.randint(0, 99):02d}{c.randrange(10**18):018d}",
        lambda c: f"{c.randint(1, 99)} OZ",
    )


def _moment(chance: random.Random) -> str:
    day = f"{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}"
    return f"2024{day}{chance.randint(0, 23):02d}{chance.randint(0, 59):02d}"


def _article_number(chance: random.Random) -> str:
    body = "".join(chance.choices("0123456789", k=12))
    check = -sum(int(d) * (3 if place % 2 else 1) for place, d in enumerate(body)) % 10
    return f"{body}{check}"


if __name__ == "__main__":
    main()
