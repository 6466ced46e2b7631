"""Looking at an installation: versions, processor path, compiled code, extras, tables."""

from __future__ import annotations

import importlib.util
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from qkdpost._kernels.jit.inspection import CacheState, cache_state
from qkdpost.compilation import processor_path
from qkdpost.errors import QkdpostError
from qkdpost.reconciliation.ldpc.codes import code_names, load_code
from qkdpost.reconciliation.raptor.code import load_family
from qkdpost.version import VERSION

__all__ = ["Installation", "inspect_installation"]

DEPENDENCIES = ("msgspec", "numba", "llvmlite", "numpy", "scipy")
EXTRAS = {
    "plot": ("matplotlib",),
    "network": ("cryptography", "h11"),
    "design": ("galois",),
}
"""What users may add, and the modules that each needs."""
UNKNOWN = "unknown"

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What `python -m qkdpost` tells; nothing in it is secret.

    Args:
        versions: of the library, the interpreter, the platform and each package that it needs.
        processor_path: which code multiplies without carries, as `vpclmul256`; `portable` is plain loops.
        cache_folders: where compiled code lies; the folder above all, where there are several.
        kernels: how many kernels there are.
        cached_kernels: how many of them need not be compiled again.
        extras: for each optional extra whether its packages are there.
        problems: what is wrong, in sentences; empty where all is well.
    """

    versions: Mapping[str, str]
    processor_path: str
    cache_folders: tuple[str, ...]
    kernels: int
    cached_kernels: int
    extras: Mapping[str, bool]
    problems: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong. A cache that is not filled is slow and not wrong."""
        return not self.problems

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(asdict(self) | {"healthy": self.healthy}, indent=2)

    def __str__(self) -> str:
        rows = [*self.versions.items(), ("processor path", self.processor_path)]
        rows += [("compiled code", self._cache_in_words())]
        rows += [("", folder) for folder in self.cache_folders]
        rows += [(f"extra {name}", "present" if there else "absent") for name, there in self.extras.items()]
        rows += [("health", "well" if self.healthy else self.problems[0])]
        rows += [("", problem) for problem in self.problems[1:]]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)

    def _cache_in_words(self) -> str:
        if self.processor_path == UNKNOWN:
            return "not looked for: it depends on the processor path"
        if not self.kernels:
            return "none: NUMBA_DISABLE_JIT is set, kernels run as plain Python"
        if not self.cache_folders:
            return "nowhere to be kept: each process compiles anew; NUMBA_CACHE_DIR names a folder that can be written"
        missing = self.kernels - self.cached_kernels
        rest = f", {missing} to be compiled: python -m qkdpost warmup" if missing else ""
        return f"{self.cached_kernels} of {self.kernels} kernels on disk{rest}"


def inspect_installation() -> Installation:
    """Look at everything; nothing is compiled, and nothing is computed with kernels: `qkdpost.self_test` does that."""
    problems: list[str] = []
    path = _tried(processor_path, problems) or UNKNOWN
    cache = (_tried(cache_state, problems) if path != UNKNOWN else None) or CacheState((), 0, 0)
    _tried(_read_tables, problems)
    return Installation(
        versions=_versions(),
        processor_path=path,
        cache_folders=_above(cache.folders),
        kernels=cache.kernels,
        cached_kernels=cache.cached,
        extras={name: all(map(_importable, modules)) for name, modules in EXTRAS.items()},
        problems=tuple(problems),
    )


def _tried(action: Callable[[], Found], problems: list[str]) -> Found | None:
    try:
        return action()
    except (QkdpostError, RuntimeError, ImportError, OSError) as error:
        problems.append(str(error))
        return None


def _read_tables() -> None:
    """Read every table of codes, which compares it with its hash."""
    for name in code_names():
        load_code(name)
    load_family()


def _versions() -> dict[str, str]:
    found = {"qkdpost": VERSION, "python": platform.python_version(), "platform": platform.platform()}
    return found | {name: _version(name) for name in DEPENDENCIES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return UNKNOWN


def _importable(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _above(folders: tuple[Path, ...]) -> tuple[str, ...]:
    """Return the folder of kernels in the place of its own folders: with compiled code beside sources there are ten."""
    parents = {folder.parent.parent for folder in folders if folder.name == "__pycache__"}
    above = {parent for parent in parents if parent.name == "_kernels"}
    return tuple(sorted({str(next((root for root in above if root in folder.parents), folder)) for folder in folders}))
