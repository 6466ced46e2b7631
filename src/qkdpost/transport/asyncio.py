"""An asyncio driver: one session over a pair of streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from qkdpost.errors import QkdpostError
from qkdpost.session.events import Event
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState

__all__ = ["run"]

CHUNK_BYTES = 2**18


async def run(session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[Event]:
    """Drive `session` over the streams until the connection ends, and yield its events as they come.

    Submit records before, or from the loop that consumes the events. The streams are left open. To give up after a
    time, wrap the loop in `asyncio.timeout` and call `Session.connection_lost`.

    Raises:
        RemoteProtocolError, AuthenticationError: as `Session.receive_data`; the events of the blocks that died are
            yielded first.
    """
    sending: asyncio.Task[None] | None = None
    try:
        while True:
            for event in session.events():
                yield event
            try:
                while data := session.data_to_send():
                    sending = await _send(session, data, writer, sending)
                if session.state not in (ConnectionState.HANDSHAKE, ConnectionState.OPEN):
                    break
                data = await _receive(reader)
                if data:
                    session.receive_data(data)
                else:
                    session.connection_lost()
            except QkdpostError:
                for event in session.events():
                    yield event
                raise
        for event in session.events():
            yield event
        if sending is not None:
            await sending
    finally:
        if sending is not None and not sending.done():
            sending.cancel()


async def _receive(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(CHUNK_BYTES)
    except OSError:
        return b""


async def _send(
    session: Session, data: bytes, writer: asyncio.StreamWriter, sending: asyncio.Task[None] | None
) -> asyncio.Task[None] | None:
    """Hand bytes to the transport without waiting for the peer to read them; its buffer is drained beside."""
    try:
        writer.write(data)
    except OSError:
        session.connection_lost()
        return sending
    if sending is None or sending.done():
        sending = asyncio.get_running_loop().create_task(_drain(writer))
    await asyncio.sleep(0)
    return sending


async def _drain(writer: asyncio.StreamWriter) -> None:
    try:
        await writer.drain()
    except OSError:
        return
