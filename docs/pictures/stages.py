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
COLUMNS = 3
BOX, ACROSS, HEIGHT, DOWN, TOP = 150, 34, 88, 60, 62
WIDTH = COLUMNS * (BOX + ACROSS) + ACROSS


def text(x: float, y: float, words: str, kind: str) -> str:
    lines = words.split("\n")
    return "".join(f'<text class="{kind}" x="{x}" y="{y + 17 * row}">{line}</text>' for row, line in enumerate(lines))


def corner(number: int) -> tuple[int, int]:
    row, column = divmod(number, COLUMNS)
    return ACROSS + column * (BOX + ACROSS), TOP + row * (HEIGHT + DOWN)


def arrow(number: int) -> str:
    """Return the arrow to the next stage: across, or from the end of a row to the beginning of the next."""
    left, top = corner(number)
    if (number + 1) % COLUMNS:
        return f'<path class="arrow" d="M{left + BOX + 3} {top + HEIGHT / 2}h{ACROSS - 9}"/>'
    return f'<path class="arrow" d="M{left + BOX / 2} {top + HEIGHT + 28}v12H{ACROSS + BOX / 2}v{DOWN - 46}"/>'


def box(number: int, name: str, does: str, gives: str) -> str:
    left, top = corner(number)
    middle = left + BOX / 2
    return (
        f'<rect x="{left}" y="{top}" width="{BOX}" height="{HEIGHT}" rx="8"/>'
        + text(middle, top + 26, name, "name")
        + text(middle, top + 50, does, "does")
        + text(middle, top + HEIGHT + 20, gives, "gives")
        + (arrow(number) if number + 1 < len(STAGES) else "")
    )


def picture() -> str:
    boxes = "".join(box(number, *stage) for number, stage in enumerate(STAGES))
    bottom = corner(len(STAGES) - 1)[1] + HEIGHT + 56
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 16}" role="img">
<title>From the raw records of two hosts to one secret key</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0L8 4L0 8z" fill="#5b6b7b"/></marker></defs>
<style>
text {{ font: 15px system-ui, sans-serif; text-anchor: middle; fill: #24303c; }}
.name {{ font-weight: 600; font-size: 16px; }} .does {{ fill: #3d4b59; }}
.gives {{ fill: #0b6e69; font-style: italic; }}
rect {{ fill: #eef4f8; stroke: #5b87a8; }} .arrow {{ stroke: #5b6b7b; fill: none; marker-end: url(#tip); }}
.ground {{ fill: #ffffff; stroke: none; }}
</style>
<rect class="ground" width="{WIDTH}" height="{bottom + 16}"/>
{text(WIDTH / 2, 28, "raw records of Alice and of Bob, each on its own host", "name")}
<path class="arrow" d="M{ACROSS + BOX / 2} 37v19"/>
{boxes}
{text(WIDTH / 2, bottom, "every message is authenticated, every disclosed bit is counted by both hosts", "does")}
</svg>
"""


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(picture(), encoding="utf-8")
