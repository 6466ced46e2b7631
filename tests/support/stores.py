"""What tests of stores share: what stands in one, copies that no lock hears of, and processes of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from qkdpost.network.store import KeyStore

TABLES = ("chunks", "held", "marks")
Rows = dict[tuple[str, bytes], bytes]

SOURCE = Path(__file__).resolve().parents[2] / "src"


def rows_of(store: KeyStore) -> Rows:
    """Return every row; tables are those above."""
    store.begin()
    found = {(table, key): value for table in TABLES for key, value in store.scan(table, b"", b"\xff" * 256, 2**20)}
    store.rollback()
    return found


def copy_of(folder: Path, target: Path) -> Path:
    """Copy a store as it lies there, by another process: in this one it would take SQLite's own locks away."""
    run(f"import shutil; shutil.copytree({str(folder)!r}, {str(target)!r})", "-S", "-E")
    return target


def again(copied: Path, target: Path) -> Path:
    """Copy a copy, which nobody has open, in this process."""
    if target.exists():
        shutil.rmtree(target)
    return Path(shutil.copytree(copied, target))


def run(script: str, *options: str, **more: Any) -> str:
    """Run a script of Python in a process of its own, and return what it printed."""
    return started(script, *options, **more).communicate(timeout=120)[0]


def started(script: str, *options: str, **more: Any) -> subprocess.Popen[str]:
    """Start a script of Python."""
    environment = {"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin", **more.pop("environment", {})}
    return subprocess.Popen(
        [sys.executable, *options, "-c", script], stdout=subprocess.PIPE, text=True, env=environment, **more
    )
