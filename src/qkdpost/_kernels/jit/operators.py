"""Operators of kernels as they are written out: what one gives for arguments of these types is asked once.

When numba writes an addition or an index, it asks for the meaning of the operator again, up to four times: first for
what is known as it compiles, mostly in vain. Here the answer of the first such place serves all others that are
compiled with the same options, a refusal too.

This reaches into numba's own rooms, as `outermost` does, which cannot be imported without it.
"""

from __future__ import annotations

import functools
from typing import Any

from numba.core import types
from numba.core.errors import TypingError
from numba.core.lowering import Lower
from numba.core.targetconfig import ConfigStack

__all__ = ["KernelLower"]


class _RememberingOperator(types.Function):
    """A function of numba that remembers its answers."""

    _impl_keys: dict[Any, Any]

    def __init__(self, asked: Any) -> None:
        super().__init__(asked.templates)
        self._asked = asked
        self._answers: dict[tuple[object, ...], tuple[Any, Any]] = {}

    def get_impl_key(self, sig: Any) -> Any:
        """Return what implements a signature, which for operators of one side was found as types were."""
        return self._impl_keys[sig.args] if sig.args in self._impl_keys else self._asked.get_impl_key(sig)

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
        """Return the signature for arguments of these types.

        Raises:
            TypingError: there is none.
        """
        question = (ConfigStack.top_or_none(), tuple(args), tuple(kws.items()))  # type: ignore[no-untyped-call]
        if question not in self._answers:
            self._answers[question] = self._ask(context, args, kws)
        signature, implementation = self._answers[question]
        if signature is None:
            raise TypingError(implementation)
        self._impl_keys[signature.args] = implementation
        return signature

    def _ask(self, context: Any, args: Any, kws: Any) -> tuple[Any, Any]:
        """Return the signature and what implements it, or None and why there is none."""
        try:
            signature: Any = super().get_call_type(getattr(context, "asked", context), args, kws)
        except TypingError as error:
            return None, str(error)
        return signature, self._impl_keys[signature.args]


class _OperatorsContext:
    """A context of types that asks another one, except for operators."""

    def __init__(self, asked: Any) -> None:
        self.asked = asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self.asked, name)

    def resolve_value_type(self, value: Any) -> Any:
        """Return the type of a value that is known."""
        if getattr(value, "__module__", None) != "_operator":
            return self.asked.resolve_value_type(value)
        return _remembering(self.asked.resolve_value_type(value))


@functools.cache
def _remembering(found: Any) -> Any:
    """Return what remembers the answers of `found`; whoever adds meanings to an operator makes another `found`."""
    return _RememberingOperator(found) if type(found) is types.Function else found


class KernelLower(Lower):
    """What writes a kernel out."""

    def __init__(self, context: Any, *others: Any, **named: Any) -> None:
        super().__init__(context, *others, **named)  # type: ignore[no-untyped-call]
        self.context.typing_context = _OperatorsContext(context.typing_context)
