"""Compiled kernels as they are kept on disk: machine code, and the names in it.

numba keeps a kernel's intermediate code beside its machine code, for kernels that call it and are compiled later. Here
these take their callees from elsewhere (`callees`), and reading it back was a quarter of what loading a kernel costs.
In its place stands a module that defines the same functions with nothing in them, for numba asks it which there are.
Who cannot import `callees` cannot import this either, and keeps the whole, under another name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from llvmlite import binding

from qkdpost._kernels.jit import callees  # noqa: F401

__all__ = ["without_intermediate_code"]


def without_intermediate_code(reduced: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what numba would write of a kernel, less its intermediate code; what has another form stays as it is."""
    match reduced:
        case ((name, "object", (bytes() as machine_code, bytes() as intermediate_code)), *others):
            return ((name, "object", (machine_code, _names_alone(intermediate_code))), *others)
    return reduced


def _names_alone(intermediate_code: bytes) -> bytes:
    module = binding.parse_bitcode(intermediate_code)
    names = [function.name for function in module.functions if not function.is_declaration]
    return bytes(binding.parse_assembly(_empty_functions(names)).as_bitcode())


def _empty_functions(names: Iterable[str]) -> str:
    return "\n".join(f'define void @"{_escaped(name)}"() {{ ret void }}' for name in names)


def _escaped(name: str) -> str:
    return re.sub(r"[^\w.$]", lambda found: "".join(f"\\{byte:02X}" for byte in found[0].encode()), name, flags=re.A)
