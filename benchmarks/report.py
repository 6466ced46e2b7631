"""One table from a run of the speed benchmarks.

    python -m pytest benchmarks/speed --benchmark-enable --benchmark-only --benchmark-json speed.json
    python -m benchmarks.report speed.json [--table speed.md]

Every group is one question, with its baselines beside our own; the ratio is of speeds (work done in a second, where
the benchmark says how much it does), to the slowest of the group, measured in the same process. Times are medians.
A picture, with the fastest peer of each step and its floor, is drawn by `python -m benchmarks.peers`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.options import parser_of


def groups_of(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in document["benchmarks"]:
        groups[item["group"] or item["fullname"].split("::")[0]].append(item)
    return {name: sorted(items, key=speed, reverse=True) for name, items in sorted(groups.items())}


def amount(item: dict[str, Any]) -> tuple[str, float]:
    """Return what a benchmark does in one go, if it says so (`extra_info`: name and number), else itself once."""
    amounts = [(name, value) for name, value in item["extra_info"].items() if isinstance(value, int)]
    return amounts[0] if amounts else ("", 1.0)


def speed(item: dict[str, Any]) -> float:
    return amount(item)[1] / item["stats"]["median"]


def label(item: dict[str, Any]) -> str:
    return str(item["name"]).removeprefix("test_").replace("_", " ")


def seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def rate(item: dict[str, Any]) -> str:
    name, value = amount(item)[0], speed(item)
    if not name:
        return ""
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {prefix}{name}/s"
    return f"{value:.3g} {name}/s"


def table(document: dict[str, Any]) -> str:
    machine = document["machine_info"]
    processor = machine.get("cpu", {}).get("brand_raw") or machine.get("processor") or machine["machine"]
    lines = [
        f"Processor: {processor}, {machine['cpu'].get('count', '?')} cores; Python {machine['python_version']}; "
        f"{document['datetime'][:10]}. Medians.",
        "",
        "| what | median | rate | over the slowest |",
        "|---|---|---|---|",
    ]
    for group, items in groups_of(document).items():
        lines.append(f"| **{group}** | | | |")
        for item in items:
            median = item["stats"]["median"]
            ratio = speed(item) / speed(items[-1])
            lines.append(f"| {label(item)} | {seconds(median)} | {rate(item)} | {ratio:.1f}x |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("json", type=Path, help="written by pytest-benchmark")
    parser.add_argument("--table", type=Path, help="write a table in Markdown")
    options = parser.parse_args()
    document = json.loads(options.json.read_text())
    text = table(document)
    print(text)
    if options.table:
        options.table.write_text(text)


if __name__ == "__main__":
    main()
