"""How a kernel is compiled: numba's pipeline, which here remembers what it has found out.

Of the time that numba takes, a sixth goes into one question: what an operator or a function of numpy gives for
arguments of these types. It is answered by trying dozens of meanings, anew for each of the thousands of places that
ask, though there are a few hundred different questions. Here an answer serves all kernels that are compiled with the
same options. Three passes are left out, for what kernels do not have: closures, lists of literals, and functions that
are inlined by their source; one is added (`indexes`).

This reaches into numba's own rooms. Where a release has moved what is needed, this module cannot be imported, and
kernels are compiled as numba has it: with the same results, after a longer first start.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.typed_passes import InlineOverloads, NoPythonSupportedFeatureValidation
from numba.core.typing.context import BaseContext
from numba.core.untyped_passes import InlineClosureLikes, LiteralPropagationSubPipelinePass

from qkdpost._kernels.jit.indexes import IndexesFromZero

__all__ = ["KernelCompiler"]

if not hasattr(BaseContext, "resolve_function_type"):
    raise ImportError("numba's context of types does not say what a function gives")

_NOT_NEEDED = (InlineClosureLikes, LiteralPropagationSubPipelinePass, InlineOverloads)
_answers: dict[tuple[object, ...], Any] = {}
"""By the options of a compilation, the function and the types of its arguments: what numba found it to give."""


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


class KernelCompiler(CompilerBase):
    """The pipeline for a kernel that is called from Python."""

    def __init__(self, typingctx: Any, targetctx: Any, library: Any, args: Any, return_type: Any, *others: Any) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            typingctx, targetctx, library, args, return_type, *others
        )
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
        return standard
