"""The decorators of every kernel and intrinsic, and nothing that costs time at import.

`kernel` and `intrinsic` only take note of a function. At the first call of any kernel, numba is imported and every
noted kernel becomes a lazy numba dispatcher: cached on disk, without the interpreter lock, compiled when its turn
comes. With ``NUMBA_DISABLE_JIT=1`` kernels stay plain Python in which unsigned numbers wrap silently, as they do
when compiled.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np

from qkdpost._kernels.jit.environment import JIT_ENABLED

__all__ = ["intrinsic", "kernel", "lean_kernel", "registered_kernels", "summing_kernel"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Function = TypeVar("Function", bound=Callable[..., Any])

_ANY_ORDER = frozenset({"reassoc", "nsz", "contract"})

_lock = threading.RLock()
_pending: list[_Deferred[..., Any]] = []
_dispatchers: list[Any] = []
_replaced_in: set[str] = set()
"""Modules that call the numba objects themselves; what one imports later is called by way of `_Deferred`."""


class _Deferred(Generic[Parameters, Result]):
    """A function that becomes a numba object when it, or any kernel, is first needed."""

    def __init__(self, function: Callable[Parameters, Result], build: Callable[[Callable[..., Any]], Any]) -> None:
        self.__wrapped__ = function
        self.__name__ = function.__name__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self._build = build
        self._built: Any = None
        with _lock:
            _pending.append(self)

    @property
    def py_func(self) -> Callable[Parameters, Result]:
        """The function as it was written."""
        return self.__wrapped__

    def resolve(self) -> Any:
        """Return the numba object, having built it and every other pending one."""
        if self._built is None:
            _resolve_all()
        return self._built

    def __call__(self, *arguments: Parameters.args, **keywords: Parameters.kwargs) -> Result:
        built = self._built
        if built is None:
            built = self.resolve()
        result: Result = built(*arguments, **keywords)
        return result

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.resolve(), name)

    def __repr__(self) -> str:
        return f"<{self.__module__}.{self.__name__}>"


def kernel(function: Function) -> Function:
    """Compile `function` at its first call: cached on disk, without the interpreter lock.

    The cache is written beside the package, else in the user's cache directory or NUMBA_CACHE_DIR, else nowhere.
    It knows the sources of what a kernel calls: an edit there makes the caller's code stale too.
    """
    if not JIT_ENABLED:
        return _interpreted(function)
    return cast("Function", _Deferred(function, _build_kernel))


def lean_kernel(function: Function) -> Function:
    """Compile `function` as `kernel` does, without reference counts of arrays; it must not make any array.

    numba counts a reference whenever an array goes to a kernel that was not inlined: two atomic instructions for each
    array and call. Where the same arrays go down long chains of calls, that took two fifths of the time.
    """
    if not JIT_ENABLED:
        return _interpreted(function)
    return cast("Function", _Deferred(function, functools.partial(_build_kernel, _nrt=False)))


def summing_kernel(function: Function) -> Function:
    """Compile `function` as `kernel` does, with its sums of floats taken in any order, hence in vector registers.

    What it returns may differ in the last bits between processors; NaN and infinity are what they are.
    """
    if not JIT_ENABLED:
        return _interpreted(function)
    return cast("Function", _Deferred(function, functools.partial(_build_kernel, fastmath=set(_ANY_ORDER))))


def inlined_kernel(function: Function) -> Function:
    """Compile `function` as `lean_kernel` does, into every kernel that calls it.

    Left to itself the compiler calls what is longer than a few instructions, and hands vector registers over in memory.
    """
    if not JIT_ENABLED:
        return _interpreted(function)
    return cast("Function", _Deferred(function, functools.partial(_build_kernel, _nrt=False, forceinline=True)))


def intrinsic(lowering: Callable[..., Any]) -> Callable[[Function], Function]:
    """Let compiled kernels call `function` through code that `lowering` generates.

    Args:
        lowering: takes numba's typing context and the argument types, returns the signature and a function
            that emits LLVM code, as `numba.extending.intrinsic` wants it. It must import numba by itself.

    Returns:
        A decorator for the Python function that says what the code does; it runs where nothing is compiled.
    """

    def decorate(function: Function) -> Function:
        if not JIT_ENABLED:
            return function
        return cast("Function", _Deferred(function, functools.partial(_build_intrinsic, lowering)))

    return decorate


def registered_kernels() -> tuple[Any, ...]:
    """Return the numba dispatchers of all kernels of the modules imported so far."""
    _resolve_all()
    return tuple(_dispatchers)


def _interpreted(function: Function) -> Function:
    """Return `function` with the wrap-around of compiled unsigned arithmetic."""

    @functools.wraps(function)
    def run(*arguments: Any) -> Any:
        with np.errstate(over="ignore"):
            return function(*arguments)

    return cast("Function", run)


def _resolve_all() -> None:
    """Build every pending object, and let the functions that use them see what was built."""
    with _lock:
        if not _pending:
            return
        found = list(_pending)
        for deferred in found:
            if deferred._built is None:
                deferred._built = deferred._build(deferred.__wrapped__)
        for deferred in found:
            _replace_deferred(deferred.__wrapped__)
        _pending.clear()
        _replace_in_callers()


def _replace_in_callers() -> None:
    """Put what was built in the modules of the library that call it: a call then takes two thirds of the time."""
    package, _, _ = __name__.partition(".")
    for name, module in list(sys.modules.items()):
        ours = name == package or name.startswith(f"{package}.")
        if ours and isinstance(module, ModuleType) and name not in _replaced_in:
            _replaced_in.add(name)
            _replace_names(vars(module))


def _replace_names(names: dict[str, Any]) -> None:
    for name, value in list(names.items()):
        if isinstance(value, _Deferred) and value._built is not None:
            names[name] = value._built


def _replace_deferred(function: Callable[..., Any]) -> None:
    """Put what was built in place of what was deferred, in the module and the closure of `function`."""
    _replace_names(function.__globals__)
    for cell in function.__closure__ or ():
        if isinstance(cell.cell_contents, _Deferred):
            cell.cell_contents = cell.cell_contents._built


def _build_kernel(function: Callable[..., Any], **options: Any) -> Any:
    import numba  # noqa: PLC0415

    from qkdpost._kernels.jit.cache import enable_cache  # noqa: PLC0415

    compiler: Any = functools.partial(numba.njit, nogil=True, no_cfunc_wrapper=True, **options)
    dispatcher = compiler(**_pipeline())(function)
    enable_cache(dispatcher)
    _link_into_callers(dispatcher, compiler)
    _dispatchers.append(dispatcher)
    return dispatcher


def _pipeline() -> dict[str, Any]:
    """Return the option that names the pipeline of this library, if this release of numba can."""
    try:
        from qkdpost._kernels.jit.pipeline import KernelCompiler  # noqa: PLC0415
    except ImportError:
        return {}
    return {"pipeline_class": KernelCompiler}


def _link_into_callers(dispatcher: Any, compiler: Any) -> None:
    """Let kernels that call `dispatcher` compile it with themselves, if this release of numba can."""
    try:
        from qkdpost._kernels.jit.callees import CalleeCompiler, use_as_callee  # noqa: PLC0415
    except ImportError:
        return

    @functools.cache
    def callee() -> Any:
        return compiler(pipeline_class=CalleeCompiler)(dispatcher.py_func)

    use_as_callee(dispatcher, callee)


def _build_intrinsic(lowering: Callable[..., Any], function: Callable[..., Any]) -> Any:
    import numba.extending  # noqa: PLC0415

    # numba wants the lowering under the name and the parameters of what it stands for.
    built = numba.extending.intrinsic(lowering)
    functools.update_wrapper(built, function, updated=())
    return built
