"""What the last self-test of this process found; once it has failed, nothing that makes key may start.

The flag is the process's, and no later test takes it back: a processor or a memory that computed wrongly once may
compute rightly when it is asked again. A new process begins anew. It is a module of its own, light, since sessions and
key managers ask it whenever one begins.
"""

from __future__ import annotations

from qkdpost.errors import SelfTestFailed

__all__ = ["note_failure", "refuse_after_failure"]

_failures: list[str] = []


def note_failure(text: str) -> None:
    """Remember that a test failed, and of what."""
    _failures.append(text)


def refuse_after_failure() -> None:
    """Go on only if no self-test of this process has failed.

    Raises:
        SelfTestFailed: one has.
    """
    if _failures:
        raise SelfTestFailed(f"this process must make no key: its self-test failed, and {_failures[0]}")
