"""An asyncio driver: one session over a pair of streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from qkdpost.checks import instance
from qkdpost.errors import QkdpostError
from qkdpost.session.events import Event
from qkdpost.session.session import Session

__all__ = ["run"]

CHUNK_BYTES = 2**18
LOOK_SECONDS = 0.05
"""How soon what another task submitted is sent, on a line on which nothing else moves."""


async def run(session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[Event]:
    """Drive `session` over the streams until the connection ends, and yield its events as they come.

    Submit records before, from the loop that consumes the events, or from another task of the same event loop. The
    streams are left open. To give up after a time, wrap the loop in `asyncio.timeout` and call
    `Session.connection_lost`.

    Raises:
        RemoteProtocolError, AuthenticationError: as `Session.receive_data`; the events of the blocks that died are
            yielded first.
    """
    instance("session", session, Session)
    receiving: asyncio.Task[bytes] | None = None
    sending: asyncio.Task[None] | None = None
    error: QkdpostError | None = None
    try:
        while error is None and session.state.alive:
            try:
                while data := session.data_to_send():
                    sending = _write(writer, data, sending)
                    await asyncio.sleep(0)
                receiving = receiving or asyncio.create_task(_receive(reader))
                done, _ = await asyncio.wait({receiving}, timeout=LOOK_SECONDS)
                if done:
                    _take(session, receiving.result())
                    receiving = None
            except QkdpostError as caught:
                error = caught
            for event in session.events():
                yield event
        if error is not None:
            raise error
        while data := session.data_to_send():
            sending = _write(writer, data, sending)
        if sending is not None:
            await sending
    finally:
        for task in (receiving, sending):
            if task is not None and not task.done():
                task.cancel()


def _take(session: Session, data: bytes) -> None:
    if data:
        session.receive_data(data)
    else:
        session.connection_lost()


async def _receive(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(CHUNK_BYTES)
    except OSError:
        return b""


def _write(writer: asyncio.StreamWriter, data: bytes, sending: asyncio.Task[None] | None) -> asyncio.Task[None]:
    """Hand bytes to the transport without waiting for the peer to read them; its buffer is drained beside."""
    writer.write(data)
    return asyncio.create_task(_drain(writer)) if sending is None or sending.done() else sending


async def _drain(writer: asyncio.StreamWriter) -> None:
    try:
        await writer.drain()
    except OSError:
        return
