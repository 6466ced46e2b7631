"""Kernels as other kernels call them: no machine code of their own, only what is compiled into their callers.

numba compiles a kernel that another one calls as if it were called from Python: it optimises it, emits machine code
and a wrapper that takes Python objects, and then links its intermediate code into the caller, where all is optimised
again. Most kernels are called by kernels only. Here a callee is typed and lowered once, for all values of a literal
argument alike, and its intermediate code is handed to each caller as it is: optimised where it runs, nowhere else.
That halves the time that compiling takes. What a callee calls is linked with the outermost kernel, once.

This reaches into numba's own rooms. Where a release has moved what is needed, this module cannot be imported, and
kernels call each other as numba has it: with the same results, after a longer first start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding
from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering

from qkdpost._kernels.jit.operators import KernelLower
from qkdpost._kernels.jit.outermost import UnoptimisedLibrary
from qkdpost._kernels.jit.pipeline import KernelCompiler

__all__ = ["CalleeCompiler", "use_as_callee"]

_NEEDED = ("_get_module_for_linking", "_finalize_dynamic_globals", "add_llvm_module", "finalize")
if missing := [name for name in _NEEDED if not hasattr(JITCodeLibrary, name)]:
    raise ImportError(f"numba's library of code has no {', '.join(missing)}")


class _CalleeLibrary(UnoptimisedLibrary):
    """Intermediate code that waits for a caller: not linked with what it calls, not optimised, not made executable."""

    def finalize(self) -> None:
        for function in self.get_defined_functions():  # type: ignore[no-untyped-call]
            if function.linkage == binding.Linkage.external:
                function.linkage = "linkonce_odr"
        self._shared_module = self._final_module
        self._finalize_dynamic_globals()  # type: ignore[no-untyped-call]
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[no-untyped-call]
class _CalleeLowering(NativeLowering):
    _name = "callee_lowering"

    @property
    def lowering_class(self) -> Any:
        return KernelLower

    def run_pass(self, state: Any) -> bool:
        name = state.func_id.func_qualname
        state.library = _CalleeLibrary(state.targetctx.codegen(), name)  # type: ignore[no-untyped-call]
        state.flags.no_compile = state.flags.no_cpython_wrapper = True
        super().run_pass(state)  # type: ignore[no-untyped-call]
        # numba knows a compiled function by a built-in function of its own, which nobody calls here.
        state.cr = state.cr._replace(cfunc=[].append)
        state.targetctx.insert_user_function(state.cr.cfunc, state.cr.fndesc, [state.library])
        return True


class CalleeCompiler(KernelCompiler):
    """The pipeline for a kernel that kernels call: the same, but for the step that emits code."""

    def step(self, standard: Any) -> Any:
        """Return what takes the place of a pass."""
        return _CalleeLowering if standard is NativeLowering else super().step(standard)


def use_as_callee(dispatcher: Any, callee: Callable[[], Any]) -> None:
    """Link kernels that call `dispatcher` with what `callee` gives, which is asked when one does."""
    unliteral: Any = types.unliteral

    def get_call_template(args: Any, kws: Any) -> Any:
        return callee().get_call_template(
            [unliteral(argument) for argument in args], {name: unliteral(argument) for name, argument in kws.items()}
        )

    dispatcher.get_call_template = get_call_template
    dispatcher.get_overload = lambda signature: callee().get_overload(signature)
    dispatcher.callee = callee
