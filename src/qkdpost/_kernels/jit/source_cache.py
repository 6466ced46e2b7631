"""Files of compiled kernels, as numba keeps them, with the stamps of this library.

Code that the environment changes (the path of carry-less multiplication, bounds checks) is kept apart by name, as is
code that callers link with.
These are names of numba's own rooms, which a release may move: `cache` goes without where this module cannot be
imported.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
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

from qkdpost._kernels.jit.complaints import complain
from qkdpost._kernels.jit.processor import clmul_path
from qkdpost._kernels.jit.stamps import module_path, source_digest

try:
    from qkdpost._kernels.jit.lean_code import without_intermediate_code
except ImportError:
    without_intermediate_code = None  # type: ignore[assignment]

__all__ = ["SourceCache"]

_LOG = logging.getLogger("qkdpost.compilation")


class _Stamped:
    """What the locators below have in common: the path, the stamp and the name."""

    _lineno: int
    _py_file: str

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        """Return a locator if its directory can be written; there need be no source, as numba has it."""
        if not cls._applies():
            return None
        self: Any = cls(py_func, module_path(py_func))  # type: ignore[call-arg]
        try:
            self.ensure_cache_path()
        except OSError:
            return None
        return self

    @classmethod
    def _applies(cls) -> bool:
        return True

    def get_source_stamp(self) -> str:
        return source_digest(self._py_file)

    def get_disambiguator(self) -> str:
        checks = "-checked" if vars(config)["BOUNDSCHECK"] else ""
        whole = "-whole" if without_intermediate_code is None else ""
        return f"{self._lineno}-{clmul_path()}{checks}{whole}"


class _UserProvidedLocator(_Stamped, UserProvidedCacheLocator):
    @classmethod
    def _applies(cls) -> bool:
        return bool(vars(config)["CACHE_DIR"])


class _InTreeLocator(_Stamped, InTreeCacheLocator):
    pass


class _ReadOnlyInTreeLocator(_Stamped, InTreeCacheLocator):
    """A package directory that was filled at installation and cannot be written now."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        self = cls(py_func, module_path(py_func))
        path: str = self.get_cache_path()  # type: ignore[no-untyped-call]
        return self if any(Path(path).glob(f"*.{py_func.__name__}-*.nbi")) else None


class _UserWideLocator(_Stamped, UserWideCacheLocator):
    def __init__(self, py_func: Any, py_file: str) -> None:
        super().__init__(py_func, py_file)  # type: ignore[no-untyped-call]
        # XDG_CACHE_HOME that is set to nothing, or not absolute, is to be taken for unset: code would be loaded from
        # whatever directory the process happens to be in.
        if not os.path.isabs(self._cache_path):
            self._cache_path = str(Path.home() / ".cache" / self._cache_path)


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

    def reduce(self, cres: Any) -> Any:
        """Return what is kept of a kernel."""
        reduced = super().reduce(cres)  # type: ignore[no-untyped-call]
        return reduced if without_intermediate_code is None else without_intermediate_code(reduced)


class SourceCache(FunctionCache):
    """A cache whose failures cost time and nothing else."""

    _impl_class = _SourceCacheImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled code for `sig`, or None where there is none that is fresh and whole."""
        try:
            loaded = super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:
            # A damaged file can raise anything. Forget what the index lists, so that it is written anew.
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            loaded = None
        if loaded is None:
            _say_that_it_takes_long(self.cache_path)
            _LOG.debug("compiling %s", self._name)
        return loaded

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the compiled code; a disk that is full or cannot be written is complained of once."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            complain(f"compiled kernels cannot be kept in {self.cache_path}: {error}; the next process compiles anew")
        except (EOFError, pickle.UnpicklingError):
            return


_said: set[str] = set()


def _say_that_it_takes_long(directory: str) -> None:
    if not _said:
        _said.add(directory)
        _LOG.info("compiling kernels, which takes about a minute for all, once; they are kept in %s", directory)
