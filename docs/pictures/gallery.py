"""Draw the gallery: `python docs/pictures/gallery.py` runs the page's own lines and writes its pictures beside it."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "gallery.md"
SHOWN = re.compile(r"^```python\n(.*?)^```\n\n!\[[^]]*\]\(pictures/(\w+\.svg)\)", flags=re.DOTALL | re.MULTILINE)


def draw(folder: Path) -> list[Path]:
    """Run the lines above each picture and write what they drew; the same lines give the same file."""
    plt.rcParams.update({"svg.hashsalt": "qkdpost", "figure.figsize": (7, 4), "figure.constrained_layout.use": True})
    names: dict[str, object] = {}
    drawn = []
    for lines, picture in SHOWN.findall(PAGE.read_text(encoding="utf-8")):
        exec(compile(lines, str(PAGE), "exec"), names)
        names["axes"].figure.savefig(folder / picture, metadata={"Date": None})  # type: ignore[attr-defined]
        plt.close("all")
        drawn.append(folder / picture)
    return drawn


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE, help="where to (default: beside this file)")
    for path in draw(parser.parse_args().folder):
        print(path)
