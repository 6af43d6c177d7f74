"""The chart of docs/benchmarks.md says what the benchmarks found, no more and no less."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.results.chart import FASTER, LONGEST, SLOWER, UNIT, drawn
from benchmarks.results.figures import KEPT_IN, Figure, kept, report

FIGURES = [
    Figure("an audit", 2.0, "s", "a <peer>", 4.0, 0.6),
    Figure("a publish", 90.0, "s", "another", 3.0),
    Figure("a whole mesh", 45.0, limit=30.0),
    Figure("nobody compares it", 1.0),
]


def test_what_a_benchmark_reports_is_printed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(KEPT_IN, str(tmp_path / "figures"))
    report(FIGURES[:1])
    report(iter(FIGURES[1:]))
    assert kept(tmp_path / "figures") == FIGURES
    said = capsys.readouterr().out.splitlines()
    assert "0.50 x a <peer> (keeps the limit of 0.6 x)" in said[0]
    assert said[1].endswith("30.00 x another")
    assert "45.00 s" in said[2] and "(beyond the limit of 30 s)" in said[2]
    assert len(said) == 4
    monkeypatch.delenv(KEPT_IN)
    report(FIGURES)
    assert kept(tmp_path / "figures") == FIGURES


def test_each_figure_with_a_peer_or_a_limit_is_a_bar() -> None:
    image = ElementTree.fromstring(drawn(FIGURES))
    bars = [one for one in image if one.get("height") == "18"]
    ratios = [0.5, LONGEST, 1.5]
    assert [int(one.get("width", 0)) for one in bars] == [round(UNIT * ratio) for ratio in ratios]
    assert [one.get("fill") for one in bars] == [FASTER, SLOWER, SLOWER]
    said = [one.text for one in image if one.tag.endswith("text")]
    assert said == [
        "an audit",
        "2 s, 0.50 times a <peer>",
        "a publish",
        "90 s, 30.00 times another",
        "a whole mesh",
        "45 s of 30 s",
        "1",
    ]
