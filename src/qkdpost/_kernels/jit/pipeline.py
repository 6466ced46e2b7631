"""How a kernel is compiled: numba's pipeline, which here remembers what it has found out.

Of the time that numba takes, a sixth goes into one question: what an operator or a function of numpy gives for
arguments of these types. It is answered by trying dozens of meanings, anew for each of the thousands of places that
ask, though there are a few hundred different questions. Here an answer serves all kernels that are compiled with the
same options. Three passes are left out, for what kernels do not have: closures, lists of literals, and functions that
are inlined by their source; a fourth, where no expression is of whole arrays; one is added (`indexes`).

numba compares all options of a compilation whenever it looks up what it made of a function of numpy: twenty properties
of each, one by one, an eighth of the time. Here it is told by comparing what was set.

This reaches into numba's own rooms. Where a release has moved what is needed, this module cannot be imported, and
kernels are compiled as numba has it: with the same results, after a longer first start.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.core.compiler import CompilerBase, DefaultPassBuilder, Flags
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import (
    InlineOverloads,
    NativeLowering,
    NopythonRewrites,
    NoPythonSupportedFeatureValidation,
)
from numba.core.typing.context import BaseContext
from numba.core.untyped_passes import InlineClosureLikes, LiteralPropagationSubPipelinePass

from qkdpost._kernels.jit.indexes import IndexesFromZero
from qkdpost._kernels.jit.outermost import OutermostLowering

__all__ = ["KernelCompiler", "KernelFlags"]

if not hasattr(BaseContext, "resolve_function_type"):
    raise ImportError("numba's context of types does not say what a function gives")

_NOT_NEEDED = (InlineClosureLikes, LiteralPropagationSubPipelinePass, InlineOverloads)
_answers: dict[tuple[object, ...], Any] = {}
"""By the options of a compilation, the function and the types of its arguments: what numba found it to give."""
_DEFAULTS = {name: option.default for name, option in getattr(Flags, "options", {}).items()}
_NONE_SET: Any = Flags()  # type: ignore[no-untyped-call]
_HASH = hash(_NONE_SET)
"""numba's hash of options is that of their names, and so the same for all."""

if getattr(_NONE_SET, "_values", None) != {} or _NONE_SET.values() != _DEFAULTS:
    raise ImportError("numba keeps the options of a compilation in another way")


class KernelFlags(Flags):
    """numba's options, equal to the same ones of numba and found equal sooner."""

    __slots__ = ()

    def __hash__(self) -> int:
        return _HASH

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Flags):
            return NotImplemented
        return self._values == other._values or self.values() == {**_DEFAULTS, **other._values}

    def values(self) -> dict[str, Any]:
        """Return the value of each option by its name."""
        return {**_DEFAULTS, **self._values}


class _RememberingContext:
    """A context of types that asks another one, and the same about calls only once."""

    def __init__(self, asked: Any, options: str) -> None:
        self._asked = asked
        self._options = options

    def __getattr__(self, name: str) -> Any:
        return getattr(self._asked, name)

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        """Return the signature of a call, or None; other kernels and bound methods are looked up each time."""
        if kws or not isinstance(func, types.Function):
            return self._asked.resolve_function_type(func, args, kws)
        question = (self._options, func, args)
        answer = _answers.get(question)
        if answer is None:
            answer = _answers[question] = self._asked.resolve_function_type(func, args, kws)
        return answer


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[no-untyped-call]
class _RewritesOfArrays(NopythonRewrites):
    """What numba does to expressions of whole arrays, where there is any."""

    _name = "rewrites_of_arrays"

    def run_pass(self, state: Any) -> bool:
        if not any(call is not None and isinstance(call.return_type, types.Array) for call in state.calltypes.values()):
            return False
        return bool(super().run_pass(state))  # type: ignore[no-untyped-call]


class KernelCompiler(CompilerBase):
    """The pipeline for a kernel that is called from Python."""

    def __init__(self, typingctx: Any, targetctx: Any, library: Any, args: Any, return_type: Any, *others: Any) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            typingctx, targetctx, library, args, return_type, *others
        )
        self.state.flags = KernelFlags(self.state.flags)  # type: ignore[no-untyped-call]
        self.state.typingctx = _RememberingContext(typingctx, self.state.flags.get_mangle_string())

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline that there is."""
        standard: Any = DefaultPassBuilder.define_nopython_pipeline
        pipeline = standard(self.state, "kernel")
        pipeline.passes = [(self.step(step), words) for step, words in pipeline.passes if step not in _NOT_NEEDED]
        pipeline.add_pass_after(IndexesFromZero, NoPythonSupportedFeatureValidation)
        pipeline._finalized = False
        pipeline.finalize()
        return [pipeline]

    def step(self, standard: Any) -> Any:
        """Return what takes the place of a pass."""
        return _INSTEAD.get(standard, standard)


_INSTEAD: dict[Any, Any] = {NativeLowering: OutermostLowering, NopythonRewrites: _RewritesOfArrays}
