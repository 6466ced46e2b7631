"""Digests of the code of kernels, by which compiled code is known to be fresh or stale.

numba looks only at the file of a kernel to tell whether its compiled code is fresh. A kernel that calls one in
another file would then run the old callee for ever, so here the stamp is a digest of the kernel's module and of
every module of `_kernels` that it names, directly or through another.
Where no sources are installed (compiled modules only, or a zip archive), it is a digest of all modules of kernels.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from qkdpost import _kernels

__all__ = ["module_path", "source_digest"]


def module_path(function: Callable[..., Any]) -> str:
    """Return where the module of `function` was loaded from.

    A compiled module without its source remembers the path that the source had when it was compiled, perhaps on
    another machine: `function.__code__` cannot be asked.
    """
    module = sys.modules.get(function.__module__)
    return str(getattr(module, "__file__", None) or function.__code__.co_filename)


@functools.cache
def source_digest(source: str) -> str:
    """Return a digest of the module at the path `source` and of all modules of kernels that it depends on."""
    path = Path(source)
    if path.suffix == ".py" and path.is_file():
        return _digest((_name(found), _content(found)) for found in sorted(_dependencies(path)))
    return _digest_of_all_modules()


def _digest(parts: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in parts:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


@functools.cache
def _digest_of_all_modules() -> str:
    """Return a digest of every module of kernels as its loader reads it: source or code, of a folder or an archive."""
    found = pkgutil.walk_packages(_kernels.__path__, f"{_kernels.__name__}.")
    return _digest((module.name, _loaded(module.name)) for module in sorted(found, key=lambda module: module.name))


def _loaded(name: str) -> bytes:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise OSError(f"cannot read the module {name}")
    content: bytes = spec.loader.get_data(spec.origin)  # type: ignore[union-attr]
    return content


@functools.cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


_ROOT = Path(__file__).parent.parent
"""The directory of all kernels."""
_MENTION = re.compile(rb"qkdpost\._kernels((?:\.\w+)*)(?: import ([\w, ]+|\([^)]*\)))?")
"""A module of kernels, or what is imported from one, as `from qkdpost._kernels.room import module` has it."""


def _name(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else path.name


@functools.cache
def _dependencies(source: Path) -> frozenset[Path]:
    """Return `source`, this module, and the modules of kernels that `source` reaches by its imports."""
    found = {source, Path(__file__)}
    unread = [source]
    while unread:
        for path in _mentioned(_content(unread.pop())) - found:
            found.add(path)
            unread.append(path)
    return frozenset(found)


def _mentioned(content: bytes) -> set[Path]:
    """Return the modules that a source names, however deep in folders; a name that is no module names none."""
    paths = set()
    for dotted, imported in _MENTION.findall(content):
        module = _ROOT.joinpath(*dotted.decode().split(".")[1:])
        candidates = [module, module.parent, *(module / name for name in re.findall(r"\w+", imported.decode()))]
        paths |= {path for path in (candidate.with_suffix(".py") for candidate in candidates) if path.is_file()}
    return paths
