"""Kernels as Python calls them: optimised once, with all that they call, and not in parts before.

numba optimises each function by itself, then all that is linked together; and as well what stands around a kernel to
take Python's objects apart, which runs once a call and is longer than many a kernel. Here a function waits for what is
linked with it, and that wrapper is translated as it stands: a call of twelve arrays takes 0.73 microseconds, not 0.67.

This reaches into numba's own rooms. Where a release has moved what is needed, this module cannot be imported, and
kernels are compiled as numba has it.
"""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import binding
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering

from qkdpost._kernels.jit.operators import KernelLower

__all__ = ["OutermostLowering", "UnoptimisedLibrary"]

if missing := [name for name in ("add_llvm_module", "add_linking_library") if not hasattr(JITCodeLibrary, name)]:
    raise ImportError(f"numba's library of code has no {', '.join(missing)}")


class UnoptimisedLibrary(JITCodeLibrary):
    """Code of which no part is optimised before all of it is there."""

    def add_llvm_module(self, ll_module: Any) -> None:
        """Link `ll_module` in as it is."""
        ll_module.data_layout = self._codegen._data_layout
        self._final_module.link_in(ll_module)

    def add_linking_library(self, library: Any) -> None:
        """Take note of what is to be linked with: `library`, and what that is to be linked with and was not."""
        super().add_linking_library(library)  # type: ignore[no-untyped-call]
        if isinstance(library, UnoptimisedLibrary):
            self._linking_libraries = list(dict.fromkeys([*self._linking_libraries, *library._linking_libraries]))


class _Lower(KernelLower):
    def create_cpython_wrapper(self, release_gil: bool = False) -> None:
        super().create_cpython_wrapper(release_gil)  # type: ignore[no-untyped-call]
        if _can_be_left_as_it_stands():
            _leave_as_it_stands(self.library.get_function(self.fndesc.llvm_cpython_wrapper_name))


def _leave_as_it_stands(function: Any) -> None:
    """Let LLVM translate a function and not optimise it."""
    for attribute in ("noinline", "optnone"):
        function.add_function_attribute(attribute)


@functools.cache
def _can_be_left_as_it_stands() -> bool:
    """Tell whether this release marks the function: llvmlite before 0.48 marks what it returns, which LLVM refuses."""
    module: Any = binding.parse_assembly("define void @probe() { ret void }")
    _leave_as_it_stands(module.get_function("probe"))
    try:
        module.verify()
    except RuntimeError:
        return False
    return True


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[no-untyped-call]
class OutermostLowering(NativeLowering):
    """The pass that makes machine code of a kernel that Python calls."""

    _name = "outermost_lowering"

    @property
    def lowering_class(self) -> Any:
        """What writes a function and what stands around it."""
        return _Lower

    def run_pass(self, state: Any) -> bool:
        """Make the code, and tell that something was made."""
        name = state.func_id.func_qualname
        state.library = UnoptimisedLibrary(state.targetctx.codegen(), name)  # type: ignore[no-untyped-call]
        state.library.enable_object_caching()
        return bool(super().run_pass(state))  # type: ignore[no-untyped-call]
