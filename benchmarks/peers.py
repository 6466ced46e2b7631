"""This library, the fastest packaged peer of each step, and what the machine allows: by turns in one process.

    pip install -e '.[bench,peers]'
    python -m benchmarks.peers --json peers.json --table peers.md --picture speed.png    # about three minutes
    python -m benchmarks.peers --draw peers.json --picture speed.png                     # an earlier run again

Each step runs here, by every peer that is installed, and as its floor, round after round; told is the fastest peer, by
medians of processor time. Peers are packages of an index; where none does the step, a twin in numpy stands in and is
named so. Not all peers do the same: that of Cascade has other block sizes and never goes back, so that it discloses
more and may leave errors; that of slot numbers is made for sets and takes twice the bytes; GMAC is a hash in the same
field, but with a key from AES.

The floor is a lower limit by work that cannot be left out, done in the same run: as many bytes as go in and come out
are moved once; for Cascade one look-up in a small table for each parity that either side says; for LDPC ten operations
on one byte for each edge and iteration, in the first cache. No method is known to reach it: it says what is left at
most.
"""

from __future__ import annotations

import json
import platform
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import qkdpost as qp
from benchmarks.options import parser_of
from benchmarks.peer_cases import CASES, Case

TURN_SECONDS = 0.05
"""A side of a step is repeated for so long in each turn."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was measured of one step; seconds are medians of processor time for `amount` units."""

    step: str
    unit: str
    amount: float
    here_seconds: float
    peer: str
    peer_seconds: float | None
    floor: str
    floor_seconds: float

    @property
    def times_peer(self) -> float | None:
        return None if self.peer_seconds is None else self.peer_seconds / self.here_seconds

    @property
    def times_floor(self) -> float:
        return self.here_seconds / self.floor_seconds


def measured(case: Case, rounds: int) -> Row:
    """Run a step by all sides in turns."""
    made = case.make()
    sides = {"here": made.here, "floor": made.floor, **made.peers}
    repeats = {name: 1 + int(TURN_SECONDS / max(1e-6, _seconds(side, 2))) for name, side in sides.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            times[name].append(_seconds(side, repeats[name]))
    medians = {name: statistics.median(found) for name, found in times.items()}
    per_unit = {name: made.scale.get(name, 1.0) * medians[name] for name in made.peers}
    peer = min(per_unit, key=lambda name: per_unit[name], default="")
    return Row(
        step=case.step,
        unit=case.unit,
        amount=made.amount,
        here_seconds=medians["here"],
        peer=peer or case.without,
        peer_seconds=per_unit.get(peer),
        floor=case.floor,
        floor_seconds=made.scale.get("floor", 1.0) * medians["floor"],
    )


def _seconds(side: Callable[[], object], repeats: int) -> float:
    started = time.process_time()
    for _ in range(repeats):
        side()
    return (time.process_time() - started) / repeats


def rate(amount: float, seconds: float, unit: str) -> str:
    value = amount / seconds
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {prefix}{unit}/s"
    return f"{value:.3g} {unit}/s"


def table(rows: list[Row], machine: str) -> str:
    """Return the rows in Markdown, ratios first."""
    lines = [
        f"{machine}. Medians of processor time, one core.",
        "",
        "| step | over the fastest peer | from its floor | here | peer | floor |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        over = "" if row.times_peer is None else f"**{shown(row.times_peer)}x**"
        peer = row.peer if row.peer_seconds is None else f"{rate(row.amount, row.peer_seconds, row.unit)}, {row.peer}"
        lines.append(
            f"| {row.step} | {over} | {shown(row.times_floor)}x | {rate(row.amount, row.here_seconds, row.unit)} | "
            f"{peer} | {row.floor} |"
        )
    return "\n".join(lines) + "\n"


def shown(ratio: float) -> str:
    """Return a ratio as one reads it: two digits below ten, whole numbers above."""
    return f"{ratio:,.2g}" if ratio < 10 else f"{ratio:,.0f}"


def raised(text: str) -> str:
    """Return the text with powers written as such."""
    return re.sub(r"\^(\d+)", lambda found: found[1].translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")), text)


def picture(rows: list[Row], machine: str, path: Path) -> None:
    """Draw all steps on one screen: peer, here and floor on one logarithmic axis, the peer at 1."""
    import matplotlib  # noqa: PLC0415 - the table alone does not need it

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(figsize=(12, 7), dpi=100, layout="constrained")
    for place, row in enumerate(rows):
        ours = row.times_peer or 1.0
        axes.plot([min(1.0, ours), ours * row.times_floor], [place, place], color="0.85", lw=2, zorder=1)
        axes.plot([1.0, ours], [place, place], color="C0", lw=9, alpha=0.35, zorder=2, solid_capstyle="butt")
        axes.plot([ours], [place], "o", color="C0", ms=11, zorder=3)
        axes.plot([ours * row.times_floor], [place], "D", mfc="white", color="C3", ms=9, zorder=3)
        if row.peer_seconds is not None:
            axes.plot([1.0], [place], "|", color="0.2", ms=18, mew=3, zorder=4)
        told = f"{rate(row.amount, row.here_seconds, row.unit)}"
        words = told if row.times_peer is None else f"{shown(row.times_peer)}x, {told}"
        place_of_words = {"textcoords": "offset points", "ha": "center", "fontsize": 11}
        axes.annotate(words, (ours, place), (0, 11), color="C0", **place_of_words)
        left = f"{shown(row.times_floor)}x"
        aside = 20 if row.times_floor < _CLOSE else 0  # to the right, so that it does not run into the words before it
        axes.annotate(left, (ours * row.times_floor, place), (aside, 11), color="C3", **place_of_words)
    axes.set_yticks(range(len(rows)), [f"{raised(row.step)}\nbeside {row.peer}" for row in rows], fontsize=10.5)
    axes.set_xscale("log")
    axes.set_ylim(len(rows) - 0.5, -0.8)
    axes.set_xlim(0.3, 3.0 * max((row.times_peer or 1.0) * row.times_floor for row in rows))
    axes.tick_params(axis="x", labelsize=11)
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)
    axes.set_xlabel("times as fast as the fastest packaged peer (logarithmic)", fontsize=12)
    axes.set_title(f"| peer    ● this library    ◇ floor: {FLOORS}\n{machine}", fontsize=11.5)
    figure.savefig(path)


_CLOSE = 5.0
FLOORS = "bytes moved once; fewest operations of Cascade and LDPC"


def machine_of(name: str) -> str:
    return f"{name or platform.processor() or platform.machine()}, one core, {qp.processor_path()}, {_versions()}"


def _versions() -> str:
    found = [f"Python {platform.python_version()}", f"qkdpost {qp.__version__}"]
    for package in ("numba", "scipy"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side of a step")
    parser.add_argument("--only", nargs="+", default=[""], help="steps whose names hold one of these words")
    parser.add_argument("--machine", default="", help="how the machine is called in the table and the picture")
    parser.add_argument("--json", type=Path, help="keep what was measured")
    parser.add_argument("--draw", type=Path, help="an earlier run, in place of a new one")
    parser.add_argument("--table", type=Path, help="write a table in Markdown")
    parser.add_argument("--picture", type=Path, help="draw into this file, 1200 x 700 points")
    options = parser.parse_args()
    if options.draw:
        kept = json.loads(options.draw.read_text(encoding="utf-8"))
        machine, rows = kept["machine"], [Row(**row) for row in kept["rows"]]
    else:
        machine = machine_of(options.machine)
        chosen = [case for case in CASES if any(word in case.step for word in options.only)]
        rows = [measured(case, options.rounds) for case in chosen]
    text = table(rows, machine)
    print(text)
    if options.json:
        document = {"machine": machine, "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if options.table:
        options.table.write_text(text, encoding="utf-8")
    if options.picture:
        picture(rows, machine, options.picture)


if __name__ == "__main__":
    main()
