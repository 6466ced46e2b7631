"""Drivers that own a connection and turn a session's bytes and events into a loop."""

from __future__ import annotations

from qkdpost.transport import asyncio, blocking

__all__ = ["asyncio", "blocking"]
