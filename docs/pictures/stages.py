"""Draw the stages of a block: `python docs/pictures/stages.py` writes stages.svg beside this file."""

from __future__ import annotations

from pathlib import Path

STAGES = (
    ("sifting", "rounds in the\nsame basis", "key and test bits"),
    ("estimation", "compare the\ntest bits", "what Eve may know"),
    ("correction", "Cascade, LDPC\nor slices", "equal strings"),
    ("verification", "compare hashes", "no error is left"),
    ("bound", "finite-key\nlength", "how many bits"),
    ("amplification", "Toeplitz hash", "a secret key"),
)
UNDER_ALL = "every message is authenticated with one-time key; every disclosed bit is counted by both hosts"
BOX, GAP, TOP, HEIGHT = 128, 22, 66, 96
WIDTH = len(STAGES) * (BOX + GAP) + GAP


def text(x: float, y: float, words: str, kind: str) -> str:
    lines = words.split("\n")
    return "".join(f'<text class="{kind}" x="{x}" y="{y + 17 * row}">{line}</text>' for row, line in enumerate(lines))


def box(number: int, name: str, does: str, gives: str) -> str:
    left = GAP + number * (BOX + GAP)
    middle, end = left + BOX / 2, left + BOX
    arrow = f'<path class="arrow" d="M{end + 3} {TOP + HEIGHT / 2}h{GAP - 8}"/>' if number + 1 < len(STAGES) else ""
    return (
        f'<rect x="{left}" y="{TOP}" width="{BOX}" height="{HEIGHT}" rx="8"/>'
        + text(middle, TOP + 28, name, "name")
        + text(middle, TOP + 54, does, "does")
        + text(middle, TOP + HEIGHT + 22, gives, "gives")
        + arrow
    )


def picture() -> str:
    boxes = "".join(box(number, *stage) for number, stage in enumerate(STAGES))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 230" role="img">
<title>From the raw records of two hosts to one secret key</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0L8 4L0 8z" fill="#5b6b7b"/></marker></defs>
<style>
text {{ font: 14px system-ui, sans-serif; text-anchor: middle; fill: #24303c; }}
.name {{ font-weight: 600; font-size: 15px; }} .does {{ fill: #3d4b59; }}
.gives {{ fill: #0b6e69; font-style: italic; }}
rect {{ fill: #eef4f8; stroke: #5b87a8; }} .arrow {{ stroke: #5b6b7b; fill: none; marker-end: url(#tip); }}
.ground {{ fill: #ffffff; stroke: none; }}
</style>
<rect class="ground" width="{WIDTH}" height="230"/>
{text(WIDTH / 2, 32, "raw records of Alice and of Bob, each on its own host", "name")}
<path class="arrow" d="M{GAP + BOX / 2} 40v20"/>
{boxes}
{text(WIDTH / 2, 216, UNDER_ALL, "does")}
</svg>
"""


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(picture(), encoding="utf-8")
