"""Any bytes at all become either values with their places, or findings that say where and what."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared_resources.contracts.source import Source, parse_source, read_source
from shared_resources.findings import InvalidFile

FILE = Path("some.yaml")


def parse(text: str | bytes) -> Source:
    return parse_source(text.encode() if isinstance(text, str) else text, FILE)


def refusal(text: str | bytes) -> str:
    with pytest.raises(InvalidFile) as refused:
        parse(text)
    return str(refused.value)


def test_every_node_has_the_line_and_column_where_it_stands() -> None:
    source = parse(
        "name: x\nschema:\n  - name: t\n    properties:\n      - {name: a, required: true}\n"
    )
    assert source.places[("schema", 0, "properties", 0, "required")] == (5, 19)
    assert source.lines["schema.t.properties.a.required"] == 5
    assert source.line(("schema", 0, "nowhere")) == 3


def test_plain_scalars_follow_yaml_1_2() -> None:
    source = parse(
        "{a: no, b: 2017-01-01, c: 007, d: 12:30, e: 1e3, f: 0x1F, g: true, h: ~, i: -1.5, j: '1'}"
    )
    assert source.data == {
        "a": "no", "b": "2017-01-01", "c": "007", "d": "12:30", "e": 1000.0, "f": 31, "g": True,
        "h": None, "i": -1.5, "j": "1",
    }  # fmt: skip


def test_duplicate_keys_are_found_at_every_depth_and_reading_goes_on() -> None:
    source = parse("a: 1\nb:\n  c: 1\n  c: {d: 1, d: 2}\na: 2\n")
    assert source.data == {"a": 1, "b": {"c": 1}}
    assert [(finding.line, finding.message) for finding in source.findings] == [
        (4, "'c' stands twice in the same place (first in line 3)"),
        (4, "'d' stands twice in the same place (first in line 4)"),
        (5, "'a' stands twice in the same place (first in line 1)"),
    ]


def test_an_alias_is_the_value_that_it_names() -> None:
    assert parse("a: &one [1, 2]\nb: *one").data == {"a": [1, 2], "b": [1, 2]}


def test_aliases_cannot_explode() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    assert "more than 100000 values" in refusal(bomb)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "some.yaml: is empty"),
        (b"# nothing\n", "some.yaml: is empty"),
        (b"- a\n- b\n", "some.yaml:1: holds a list where fields are expected"),
        (b"only text", "holds the single value 'only text'"),
        (b"a: 1\nb: \xff\xfe\n", "some.yaml:2: is not UTF-8: byte 0xff"),
        ("a: 1".encode("utf-16"), "is not UTF-8"),
        (b"a:\n\tb: 1\n", "some.yaml:2: is indented with a tab"),
        (b"a:\n  - b\n\t- c\n", "some.yaml:3: is indented with a tab"),
        (b"a: 1\nb: \x00\n", "some.yaml:2: holds U+0000"),
        (b"a: 'open\n", "is not YAML"),
        (b"a: 1\n---\nb: 2\n", "some.yaml:2: holds a second document"),
        (b"a: &x [*x]\n", "refers to *x, which is not defined"),
        (b"<<: {a: 1}\n", "uses a merge key"),
        (b"? [a, b]\n: c\n", "has a field whose name is no text"),
        (b"[" * 5000, "is nested more than 40 deep"),
        (b"a: " + b"9" * 500, "over 400 digits"),
        (b"a: " + b"x" * (1 << 20), "bytes long"),
    ],
)
def test_what_cannot_be_used_is_one_finding_with_its_line(text: bytes, said: str) -> None:
    assert said in refusal(text)


def test_a_tag_is_never_followed() -> None:
    source = parse("a: !!python/object/apply:os.system [id]\nb: !!int '5'")
    assert [finding.line for finding in source.findings] == [1, 2]


def test_a_byte_order_mark_is_no_content() -> None:
    assert parse(b"\xef\xbb\xbfa: 1").data == {"a": 1}


def test_a_missing_file_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_source(tmp_path / "absent.yaml")
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_source(tmp_path)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode())))
@example(b"!!<")
@example(b"%YAML 9.9\n---\na: 1")
@example("a: \ud800".encode("utf-8", "surrogatepass"))
def test_no_bytes_end_in_a_traceback(raw: bytes) -> None:
    try:
        assert isinstance(parse(raw).data, dict)
    except InvalidFile as refused:
        assert refused.findings
