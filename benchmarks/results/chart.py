"""The chart of docs/benchmarks.md, from what `make bench` kept.

    python -m benchmarks.results.chart FIGURES IMAGE

Belongs here: drawing. Does not belong here: figures (`figures.py`).

Each bar is a ratio: to the peer that ran beside it, or to the figure's limit where there is no peer.
The line is 1: a bar that ends before it is faster than its peer, or within its limit.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from benchmarks.results.figures import Figure, kept

ROW, TOP, LEFT, WIDTH, UNIT = 30, 20, 380, 1_060, 130
LONGEST = 3.2  # units; a longer bar is cut, and its text says how long it is
FASTER, SLOWER = "#2f7d4f", "#b4632d"


def main() -> None:
    figures, image = map(Path, sys.argv[1:])
    image.write_text(drawn(kept(figures)), encoding="utf-8")
    print(f"drew {image}")


def drawn(figures: Sequence[Figure]) -> str:
    """The figures that have a peer or a limit, as SVG."""
    shown = [figure for figure in figures if figure.ratio is not None or figure.limit]
    height = TOP + ROW * len(shown) + 24
    one = LEFT + UNIT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *(line for at, figure in enumerate(shown) for line in _row(figure, TOP + ROW * at)),
        f'<path d="M{one} {TOP - 8}V{height - 20}" stroke="#333" stroke-dasharray="3 3"/>',
        f'<text x="{one}" y="{height - 6}" text-anchor="middle">1</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _row(figure: Figure, top: int) -> Iterator[str]:
    ratio, said = figure.ratio, f"{figure.value:.3g} {figure.unit}"
    if ratio is not None:
        said += f", {ratio:.2f} times {figure.peer}"
    else:
        ratio = figure.value / (figure.limit or 1)
        said += f" of {figure.limit:g} {figure.unit}"
    length = round(UNIT * min(ratio, LONGEST))
    colour = FASTER if ratio <= 1 else SLOWER
    yield f'<text x="{LEFT - 10}" y="{top + 16}" text-anchor="end">{escape(figure.what)}</text>'
    yield f'<rect x="{LEFT}" y="{top + 3}" width="{length}" height="18" fill="{colour}"/>'
    yield f'<text x="{LEFT + length + 8}" y="{top + 16}" fill="#333">{escape(said)}</text>'


if __name__ == "__main__":
    main()
