"""Drivers that own a connection and turn a session's bytes and events into a loop.

`blocking` and `asyncio` drive the `Session` of a link; `network` drives key managers, and needs the extra of that name.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from qkdpost.transport import asyncio, blocking

if TYPE_CHECKING:
    from qkdpost.transport import network

__all__ = ["asyncio", "blocking", "network"]


if not TYPE_CHECKING:  # to type checkers a name that is not written above does not exist, so that they refuse typos

    def __getattr__(name: str) -> ModuleType:
        """Enter the drivers of key managers when they are first used: they need packages that not everybody has."""
        if name == "network":
            return import_module(f"{__name__}.network")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
