"""Where a key manager keeps everything: rows of bytes, durable before anything leaves the process."""

from qkdpost.network.store.memory import MemoryStore
from qkdpost.network.store.protocol import KeyStore
from qkdpost.network.store.sealing import AesGcmSealer, MonotonicCounter, NoSealer, Sealer
from qkdpost.network.store.sqlite import SqliteStore

__all__ = ["AesGcmSealer", "KeyStore", "MemoryStore", "MonotonicCounter", "NoSealer", "Sealer", "SqliteStore"]
