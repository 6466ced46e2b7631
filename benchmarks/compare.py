"""The speed benchmarks on this machine beside those of a machine that is named in the tree.

    python -m benchmarks.compare                        # all groups, about ten minutes
    python -m benchmarks.compare --only toeplitz        # one group, about two
    python -m benchmarks.compare --save mine.json       # and keep the medians; in reference/ they are what others see
    python -m benchmarks.compare --run mine.json        # an earlier run, in place of a new one
    python -m benchmarks.compare --reference mine.json  # beside an earlier run of your own: what did a change do?

Give it a quiet machine, and one core (`taskset -c 1` on Linux). A ratio above 1 is faster here. Between two machines
the ratios of all lines should be alike; a line that stands out says that something there is not as it should be - the
processor path, say (`python -m qkdpost`). Between two versions on one machine `python -m benchmarks.beside` tells more.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import qkdpost as qp
from benchmarks.options import parser_of
from benchmarks.report import amount, seconds

REFERENCES = Path(__file__).resolve().parent / "reference"
BENCHMARKS = Path(__file__).resolve().parent / "speed"
NOTHING_SELECTED = 5
"""What pytest ends with then."""


def measured(only: str) -> dict[str, Any]:
    """Run the speed benchmarks and return their medians."""
    warn_if_busy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speed.json"
        command = [sys.executable, "-m", "pytest", str(BENCHMARKS), "-q", "--benchmark-enable", "--benchmark-only"]
        command += ["--benchmark-columns=median", f"--benchmark-json={path}", "-p", "no:cacheprovider"]
        done = subprocess.run([*command, *(["-k", only] if only else [])], check=False)
        if done.returncode == NOTHING_SELECTED:
            raise SystemExit(f"no benchmark matches {only!r}: `{' '.join(command[:4])} --collect-only` lists them")
        if done.returncode or not path.exists():
            raise SystemExit(f"the benchmarks ended with {done.returncode}; is qkdpost[bench,test] installed?")
        return medians(json.loads(path.read_text(encoding="utf-8")))


def medians(document: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a run of pytest-benchmark: the machine, and each median with what was done in it."""
    machine = document["machine_info"]
    return {
        "machine": {
            "processor": machine.get("cpu", {}).get("brand_raw") or machine.get("processor") or machine["machine"],
            "cores": machine.get("cpu", {}).get("count"),
            "system": f"{machine['system']} {machine['machine']}",
            "python": machine["python_version"],
            "multiplication": qp.processor_path(),
            "qkdpost": qp.__version__,
        },
        "date": document["datetime"][:10],
        "benchmarks": {
            item["fullname"].removeprefix("benchmarks/speed/"): {
                "group": item["group"],
                "median_seconds": float(f"{item['stats']['median']:.4g}"),
                "amount": amount(item)[1],
                "unit": amount(item)[0],
            }
            for item in document["benchmarks"]
        },
    }


def lines(here: dict[str, Any], there: dict[str, Any]) -> list[str]:
    """Return the table."""
    found = [f"here:      {described(here)}", f"reference: {described(there) if there else 'none'}", ""]
    logs = []
    group = None
    for name, item in sorted(here["benchmarks"].items(), key=lambda pair: (pair[1]["group"] or "", pair[0])):
        other = there["benchmarks"].get(name) if there else None
        if item["group"] != group:
            group = item["group"]
            found.append(f"{group}")
        shown = name.split("::")[-1].removeprefix("test_")
        if other is None or other["amount"] != item["amount"]:
            found.append(f"  {shown:58} {seconds(item['median_seconds']):>9} {'-':>9}")
            continue
        ratio = other["median_seconds"] / item["median_seconds"]
        logs.append(math.log(ratio))
        found.append(
            f"  {shown:58} {seconds(item['median_seconds']):>9} {seconds(other['median_seconds']):>9} {ratio:6.2f}x"
        )
    if logs:
        found += [
            "",
            f"{len(logs)} benchmarks, on geometric mean {math.exp(sum(logs) / len(logs)):.2f} times as fast",
        ]
    return found


def warn_if_busy() -> None:
    """Say that figures will mean little, where the machine has other work for every core."""
    if hasattr(os, "getloadavg") and os.getloadavg()[0] >= (os.cpu_count() or 1):
        print(f"this machine is busy, with a load of {os.getloadavg()[0]:.1f}: ratios will say little", file=sys.stderr)


def described(run: dict[str, Any]) -> str:
    machine = run["machine"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['multiplication']}, Python {machine['python']}, "
        f"qkdpost {machine['qkdpost']}, {run['date']}"
    )


def reference_of(given: argparse.Namespace) -> dict[str, Any]:
    """Return the medians to compare with; a run that makes the first reference has none beside it."""
    found = [given.reference] if given.reference else sorted(REFERENCES.glob("*.json"))[-1:]
    if found:
        return read(found[0])
    if given.save:
        return {}
    raise SystemExit(f"there is no reference in {REFERENCES}: name one with --reference, or make one with --save")


def read(path: Path) -> dict[str, Any]:
    """Return the medians of an earlier run."""
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kept["machine"], kept["benchmarks"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SystemExit(f"{path} holds no medians that --save has written: {error!r}") from None
    return kept


def options() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--only", default="", help="benchmarks that match, as pytest's -k: toeplitz, cascade, ldpc ...")
    parser.add_argument(
        "--reference", type=Path, help="medians to compare with; default: those in benchmarks/reference"
    )
    parser.add_argument("--run", type=Path, help="medians of an earlier run, in place of a new one")
    parser.add_argument("--save", type=Path, help="keep the medians of this run in this file")
    return parser.parse_args()


def main() -> None:
    given = options()
    there = reference_of(given)  # before minutes are spent
    if given.save:
        given.save.parent.mkdir(parents=True, exist_ok=True)
    here = read(given.run) if given.run else measured(given.only)
    if given.save:
        given.save.write_text(json.dumps(here, indent=1) + "\n", encoding="utf-8")
    print("\n".join(lines(here, there)))


if __name__ == "__main__":
    main()
