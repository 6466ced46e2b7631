"""TLS over a connection of asyncio, by the standard library's TLS without a socket.

The library's own is used in place of asyncio's, for two things that hosts of keys need: connections count from the
moment they are accepted, also while they shake hands; and a secret buffer may be overwritten when `write` returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from abc import ABC, abstractmethod
from typing import cast

__all__ = ["TlsProtocol"]

_RECORD_BYTES = 16_384
"""The most plain bytes of a record of TLS: one read takes a whole one."""
_MOST_GATHERED_BYTES = 65_536
"""Of what is written while bytes are taken in, before it is sent all the same."""
_FOREVER = float("inf")


class TlsProtocol(asyncio.Protocol, ABC):
    """One end of a TLS connection; subclasses say what to do with its plain bytes.

    Args:
        context: with the certificates of this end.
        server_side: whether this end was called.
        handshake_seconds: the deadline until which the handshake is over.

    Attributes:
        deadline: by `time.monotonic`, when whoever watches the connection gives it up.
    """

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, handshake_seconds: float) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._context, self._server_side = context, server_side
        self._tls: ssl.SSLObject
        self._transport: asyncio.Transport | None = None
        self._handshake_seconds = handshake_seconds
        self._open = self._is_reading_records = False
        self._held_back = self._choked = False
        self.deadline = _FOREVER

    # What subclasses say.

    def accepted(self) -> bool:
        """Take note of a connection, before a byte of it was read; False to hang up."""
        return True

    @abstractmethod
    def opened(self, certificate: bytes) -> None:
        """Take the other end's certificate (DER), which its authority has signed; the handshake is over."""

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Take plain bytes."""

    def ended(self) -> None:
        """Know that no more bytes will come; the connection is still open for what is to be sent."""
        self.close()

    def lost(self) -> None:
        """Know that the connection is gone, whether or not it was opened."""

    # What subclasses and their owners call.

    @property
    def is_open(self) -> bool:
        """Whether plain bytes may be written."""
        return self._open

    def write(self, data: bytes | bytearray) -> None:
        """Send plain bytes; they are encrypted when this returns, so that the caller may overwrite them.

        What is written while bytes are taken in leaves in one piece when all of them are taken.
        """
        view = memoryview(data)
        try:
            while self._open and view:
                view = view[self._tls.write(view) :]
        except ssl.SSLError:
            self.abort()
        finally:
            view.release()
        if not self._is_reading_records or self._outgoing.pending > _MOST_GATHERED_BYTES:
            self._flush()

    def hold_back(self, hold: bool) -> None:
        """Read no more from the connection, or go on."""
        if hold != self._held_back:
            self._held_back = hold
            self._set_reading()

    def close(self) -> None:
        """Say goodbye, and close when all was sent."""
        if self._open:
            self._open = False
            with contextlib.suppress(ssl.SSLError, OSError):
                self._tls.unwrap()
            self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, whatever is still to be sent."""
        self._open = False
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        self.deadline = time.monotonic() + self._handshake_seconds
        if not self.accepted():
            self.abort()
            return
        # Not before: it takes tens of kilobytes, and whoever floods a server is not let in.
        self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=self._server_side)
        self._shake_hands()

    def data_received(self, data: bytes) -> None:
        """Take encrypted bytes."""
        if self._transport is None or self._transport.is_closing():
            return
        self._incoming.write(data)
        if not self._open:
            self._shake_hands()
        if self._open:
            self._read()

    def eof_received(self) -> bool:
        """Close: an end without TLS's own goodbye says nothing that may be trusted."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        self._open = False
        self._transport = None
        self.lost()

    def pause_writing(self) -> None:
        """Read no more from who does not read."""
        self._choked = True
        self._set_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._choked = False
        self._set_reading()

    def _set_reading(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._held_back or self._choked:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except (ssl.SSLError, OSError):
            self._flush()  # the alert
            self.close()
        else:
            self._open = True
            self._flush()
            self.opened(cast(bytes, self._tls.getpeercert(True)))

    def _read(self) -> None:
        self._is_reading_records = True
        try:
            while self._open and (data := self._next_record()):
                self.received(data)
        finally:
            self._is_reading_records = False
            self._flush()

    def _next_record(self) -> bytes:
        """Return the plain bytes of the next record; nothing if it has not come whole, or if none will follow."""
        if not self._incoming.pending:
            return b""  # TLS itself keeps no more than the beginning of a record
        try:
            data = self._tls.read(_RECORD_BYTES)
        except ssl.SSLWantReadError:
            return b""
        except (ssl.SSLError, OSError):
            self._flush()
            self.abort()
            return b""
        if not data:
            self.ended()
        return data

    def _flush(self) -> None:
        if self._outgoing.pending and self._transport is not None:
            self._transport.write(self._outgoing.read())
