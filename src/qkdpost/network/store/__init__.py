"""Where a key manager keeps everything: rows of bytes, durable before anything leaves the process."""

from qkdpost.network.store.memory import MemoryStore
from qkdpost.network.store.protocol import KeyStore

__all__ = ["KeyStore", "MemoryStore"]
