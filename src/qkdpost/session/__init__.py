"""The conversation between two hosts without input or output: bytes in, bytes and events out."""
