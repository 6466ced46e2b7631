"""Where compiled kernels are kept, and when what is kept is stale.

numba looks only at the file of a kernel to tell whether its compiled code is fresh. A kernel that calls one in
another file would then run the old callee for ever, so here the stamp is a digest of the kernel's module and of
every module of `_kernels` that it names, directly or through another.
Code that the environment changes (the path of carry-less multiplication, bounds checks) is kept apart by name.
Imported by `decorators` when the first kernel is called; it brings numba along.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import pickle
import re
from pathlib import Path
from typing import Any

from numba.core import config
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

from qkdpost._kernels.jit.processor import clmul_path

__all__ = ["enable_cache", "source_digest"]


def enable_cache(dispatcher: Any) -> None:
    """Keep the compiled code of `dispatcher` on disk, if there is a place for it."""
    clmul_path()  # a path that this processor lacks is an error, not a reason to go without a cache
    try:
        dispatcher._cache = _SourceCache(dispatcher.py_func)  # type: ignore[no-untyped-call]
    except (RuntimeError, OSError):
        # No directory can be written: compile anew in each process.
        return


def source_digest(source: str) -> str:
    """Return a digest of the module at the path `source` and of all modules of kernels that it depends on."""
    digest = hashlib.sha256()
    for path in sorted(_dependencies(Path(source))):
        name = path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else path.name
        digest.update(f"{name}\0{len(_content(path))}\0".encode())
        digest.update(_content(path))
    return digest.hexdigest()


@functools.cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


_ROOT = Path(__file__).parent.parent
"""The directory of all kernels."""
_MENTION = re.compile(rb"qkdpost\._kernels((?:\.\w+)*)(?: import ([\w, ]+|\([^)]*\)))?")
"""A module of kernels, or what is imported from one, as `from qkdpost._kernels.room import module` has it."""


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


class _Stamped:
    """What the locators below have in common: the stamp and the name."""

    _lineno: int
    _py_file: str

    def get_source_stamp(self) -> str:
        return source_digest(self._py_file)

    def get_disambiguator(self) -> str:
        checks = "-checked" if vars(config)["BOUNDSCHECK"] else ""
        return f"{self._lineno}-{clmul_path()}{checks}"


class _UserProvidedLocator(_Stamped, UserProvidedCacheLocator):
    pass


class _InTreeLocator(_Stamped, InTreeCacheLocator):
    pass


class _ReadOnlyInTreeLocator(_Stamped, InTreeCacheLocator):
    """A package directory that was filled at installation and cannot be written now."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        self = cls(py_func, py_file)
        path: str = self.get_cache_path()  # type: ignore[no-untyped-call]
        return self if any(Path(path).glob(f"*.{py_func.__name__}-*.nbi")) else None


class _UserWideLocator(_Stamped, UserWideCacheLocator):
    pass


class _SourceCacheImpl(CompileResultCacheImpl):
    _locator_classes = [  # noqa: RUF012
        _UserProvidedLocator,
        _InTreeLocator,
        _ReadOnlyInTreeLocator,
        _UserWideLocator,
    ]

    def __init__(self, py_func: Any) -> None:
        # A setting of numba that names other locators would undo the stamp.
        settings = vars(config)
        overridden = settings.get("CACHE_LOCATOR_CLASSES", "")
        settings["CACHE_LOCATOR_CLASSES"] = ""
        try:
            super().__init__(py_func)  # type: ignore[no-untyped-call]
        finally:
            settings["CACHE_LOCATOR_CLASSES"] = overridden


class _SourceCache(FunctionCache):
    """A cache whose failures cost time and nothing else."""

    _impl_class = _SourceCacheImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:
            # A damaged file can raise anything. Forget what the index lists, so that it is written anew.
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
