"""The kinds of numbers of persons: each country's layouts, and how often chance passes their checks.

Belongs here: what each is called, also by columns that hold it.
Does not belong here: the checks (`validating.py`), whether a column holds one (`numbers.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from shared_resources.personal_data.text import CARD_DIGITS


@dataclass(frozen=True)
class NumberKind:
    """`layouts` are regular expressions over whole texts, `digits` the widths as an integer, which loses
    leading zeros. `chance` is how many numbers of the layout, with a date where one belongs, pass.
    `unless` names validators of kinds whose narrower check only numbers pass that pass this one's, too.
    """

    name: str
    validator: str
    layouts: tuple[str, ...]
    digits: tuple[int, ...]
    chance: float
    called: str
    by_name_only: bool = False
    unless: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        return "|".join(self.layouts)


def _digits(width: int) -> str:
    return rf"[0-9]{{{width}}}"


# What columns of any country's may be called.
NATIONAL = (
    r"(national|person|citizen|social|insurance|identity|tax).*(id|no|nr|num)|ssn|national_id"
)

KINDS: tuple[NumberKind, ...] = (
    NumberKind(
        "Austrian insurance number",
        "at.vnr",
        (_digits(10), r"[0-9]{4} [0-9]{6}"),
        (10,),
        0.1,
        r"svnr|sozialvers",
    ),
    NumberKind(
        "Australian tax file number",
        "au.tfn",
        (_digits(9), r"[0-9]{3} [0-9]{3} [0-9]{3}"),
        (9,),
        0.1,
        r"tfn|tax_file",
        by_name_only=True,
    ),
    NumberKind(
        "Belgian national number",
        "be.nn",
        (_digits(11), r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}"),
        (11,),
        0.021,
        r"rijksregister|registre_national|insz|niss",
    ),
    NumberKind(
        "Brazilian CPF",
        "br.cpf",
        (_digits(11), r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
        (11,),
        0.01,
        r"cpf",
    ),
    NumberKind("Bulgarian EGN", "bg.egn", (_digits(10),), (10,), 0.1, r"egn"),
    NumberKind(
        "Canadian insurance number",
        "ca.sin",
        (_digits(9), r"[0-9]{3}[ -][0-9]{3}[ -][0-9]{3}"),
        (9,),
        0.1,
        r"(^|_)sin(_|$)|social_insurance",
        by_name_only=True,
    ),
    NumberKind(
        "Swiss AHV number",
        "ch.ssn",
        (r"756[0-9]{10}", r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}"),
        (13,),
        0.1,
        r"ahv|(^|_)avs|nss",
    ),
    NumberKind(
        "Czech or Slovak birth number",
        "cz.rc",
        (r"[0-9]{6}/?[0-9]{4}",),
        (10,),
        0.1,
        r"rodn|birth_number",
    ),
    NumberKind(
        "German tax number",
        "de.idnr",
        (_digits(11), r"[0-9]{2}( [0-9]{3}){3}"),
        (11,),
        0.1,
        r"steuer|idnr|tax_id",
    ),
    NumberKind(
        "Danish CPR number",
        "dk.cpr",
        (r"[0-9]{6}-?[0-9]{4}",),
        (10,),
        1.0,
        r"cpr",
        by_name_only=True,
    ),
    NumberKind(
        "Estonian or Lithuanian personal code",
        "ee.ik",
        (_digits(11),),
        (11,),
        0.1,
        r"isikukood|asmens",
    ),
    NumberKind("Spanish DNI", "es.dni", (r"[0-9]{8}-?[A-Z]",), (), 0.044, r"dni|nif"),
    NumberKind("Spanish NIE", "es.nie", (r"[XYZ]-?[0-9]{7}-?[A-Z]",), (), 0.044, r"nie|dni"),
    NumberKind(
        "Finnish personal code",
        "fi.hetu",
        (r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]",),
        (),
        0.033,
        r"hetu|henkilo",
    ),
    NumberKind(
        "French NIR",
        "fr.nir",
        (
            r"[12][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{8}",
            r"[12] [0-9]{2} [0-9]{2} (?:[0-9]{2}|2[AB]) [0-9]{3} [0-9]{3} [0-9]{2}",
        ),
        (15,),
        0.0104,
        r"(^|_)nir(_|$)|insee|securite_sociale",
    ),
    NumberKind(
        "British NHS number",
        "gb.nhs",
        (r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}",),
        (10,),
        0.1,
        r"nhs",
        by_name_only=True,
    ),
    NumberKind("Greek AMKA", "gr.amka", (_digits(11),), (11,), 0.1, r"amka"),
    # Both end in the check digit of ISO 7064, and a German number repeats but one of its digits.
    NumberKind("Croatian OIB", "hr.oib", (_digits(11),), (11,), 0.1, r"oib", unless=("de.idnr",)),
    NumberKind("Irish PPS number", "ie.pps", (r"[0-9]{7}[A-W][ABHTWX]?",), (), 0.044, r"pps"),
    NumberKind(
        "Icelandic kennitala", "is_.kennitala", (r"[0-9]{6}-?[0-9]{4}",), (10,), 0.1, r"kennitala"
    ),
    NumberKind(
        "Italian codice fiscale",
        "it.codicefiscale",
        (r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",),
        (),
        0.04,
        r"fiscale",
    ),
    NumberKind(
        "Japanese individual number", "jp.in_", (_digits(12),), (12,), 0.1, r"my_?number|kojin"
    ),
    NumberKind(
        "South Korean resident number", "kr.rrn", (r"[0-9]{6}-?[0-9]{7}",), (13,), 0.1, r"rrn|jumin"
    ),
    NumberKind(
        "Mexican CURP", "mx.curp", (r"[A-Z]{4}[0-9]{6}[HM][A-Z]{5}[0-9A-Z][0-9]",), (), 0.1, r"curp"
    ),
    NumberKind(
        "Dutch BSN",
        "nl.bsn",
        (_digits(9), r"[0-9]{4}\.[0-9]{2}\.[0-9]{3}"),
        (9,),
        0.092,
        r"bsn|burgerservice|sofi",
    ),
    NumberKind(
        "Norwegian identity number",
        "no.fodselsnummer",
        (r"[0-9]{6} ?[0-9]{5}",),
        (11,),
        0.01,
        r"fodsel|fnr|personnummer",
    ),
    NumberKind("Polish PESEL", "pl.pesel", (_digits(11),), (11,), 0.1, r"pesel"),
    NumberKind(
        "Portuguese NIF",
        "pt.nif",
        (_digits(9), r"[0-9]{3} [0-9]{3} [0-9]{3}"),
        (9,),
        0.1,
        r"nif|contribuinte",
    ),
    NumberKind("Romanian CNP", "ro.cnp", (_digits(13),), (13,), 0.1, r"cnp"),
    NumberKind(
        "Swedish personal number",
        "se.personnummer",
        (r"(?:[0-9]{2})?[0-9]{6}[-+]?[0-9]{4}",),
        (10, 12),
        0.1,
        r"personnummer|pnr",
    ),
    NumberKind("Slovenian EMSO", "si.emso", (_digits(13),), (13,), 0.1, r"emso|jmbg"),
    NumberKind(
        "Turkish identity number", "tr.tckimlik", (_digits(11),), (11,), 0.01, r"kimlik|tckn"
    ),
    NumberKind(
        "US social security number",
        "us.ssn",
        (r"[0-9]{3}-[0-9]{2}-[0-9]{4}", _digits(9)),
        (9,),
        1.0,
        r"ssn|social_security",
        by_name_only=True,
    ),
    NumberKind(
        "South African identity number", "za.idnr", (_digits(13),), (13,), 0.1, r"id_?n(o|r|um)"
    ),
    # Of text, `text.py` finds them among other words, too.
    NumberKind("payment card", "luhn", (CARD_DIGITS,), (14, 15, 16), 0.1, r"card|pan$"),
)
