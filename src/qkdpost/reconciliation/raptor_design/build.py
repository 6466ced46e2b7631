"""Making the shipped families of raptor-like codes, and checking that they come out again.

The commands of ``python -m qkdpost.reconciliation.raptor_design.build`` are ``write``, which makes tables and manifest,
and ``check``, which builds every shipped family again from its numbers and compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation import raptor_codes as tables
from qkdpost.reconciliation.raptor.code import FAMILY, RaptorCode, manifest
from qkdpost.reconciliation.raptor_design.lifting import build_family, count_short_cycles

__all__ = ["check_families", "rebuild", "write_families"]

_SETTINGS: dict[str, dict[str, int]] = {
    FAMILY: {"lift": 512, "info_columns": 40, "extension_rows": 3920, "increments": 16, "seed": 1},
}


def rebuild(name: str) -> RaptorCode:
    """Return a shipped family, made anew from the numbers in the manifest."""
    made_from: dict[str, int] = manifest()["families"][name]["made_from"]
    return build_family(name, **made_from)


def check_families() -> None:
    """Build every shipped family again and compare it with its hash.

    Raises:
        ConfigurationError: a table comes out differently.
    """
    for name, entry in manifest()["families"].items():
        if rebuild(name).digest() != entry["digest"]:
            raise ConfigurationError(f"family {name} does not come out again from its numbers and seed")


def write_families(directory: Path = Path(tables.__file__).parent) -> None:
    """Write tables and manifest."""
    before = manifest()
    families: dict[str, Any] = {}
    for name, settings in _SETTINGS.items():
        code = build_family(name, **settings)
        (directory / f"{name}.bin").write_bytes(code.table().astype("<u2").tobytes())
        families[name] = {
            "lift": code.lift,
            "info_columns": code.info_columns,
            "parity_columns": code.parity_columns,
            "made_from": settings,
            "digest": code.digest(),
            "four_cycles": count_short_cycles(code, code.extension.count, increments=code.increments.count),
        }
        old = before["families"].get(name, {})
        if old.get("digest") == code.digest():  # what was measured is still true of it
            families[name]["frame_errors"] = old["frame_errors"]
    content = {
        "origin": "made here by qkdpost.reconciliation.raptor_design.build; no table of others was used",
        "rows": "little-endian uint16 (section, row, column, shift), sorted; 0 precode, 1 extension, 2 increments",
        "frame_errors": before["frame_errors"],
        "families": families,
    }
    (directory / "manifest.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """Run one of the commands that the module names."""
    match list(arguments):
        case ["check"]:
            check_families()
        case ["write"]:
            write_families()
        case _:
            raise InputError(f"commands are check and write; found {list(arguments)}")


if __name__ == "__main__":
    main(sys.argv[1:])
