"""Write the vectors of the wire anew, for the version of the protocol that stands in the code.

    python -m tests.vectors.record

What is on disk for the same version is never replaced by other bytes: raise PROTOCOL_VERSION first. Only while that
version has not been released, `--replace` does it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from qkdpost.dialogue.messages import PROTOCOL_VERSION  # noqa: E402
from vectors import conversations, derived, messages  # noqa: E402

Content = dict[str, object]
FILES: dict[str, Callable[[], Content]] = {
    "messages.json": lambda: {"messages": messages.build()},
    "hashing.json": derived.build_hashing,
    "shared_random.json": derived.build_shared_random,
    "slots.json": derived.build_slots,
    "session_cascade.json": lambda: conversations.build("cascade"),
    "session_wrong_frame.json": lambda: conversations.build("wrong_frame"),
    "session_ldpc.json": lambda: conversations.build("ldpc"),
    "session_time_tags.json": lambda: conversations.build("time_tags"),
    "session_no_key.json": lambda: conversations.build("no_key"),
    "session_bob_kept.json": lambda: conversations.build("bob_kept"),
}
"""The files, and what makes the content of each."""


def text_of(name: str) -> str:
    """Return what the file must hold."""
    content = {"protocol_version": PROTOCOL_VERSION} | FILES[name]()
    lines = (f"{json.dumps(key)}: {_laid_out(value)}" for key, value in content.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _laid_out(value: object) -> str:
    """Return JSON with one line for each item of a list."""
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(f"  {json.dumps(item)}" for item in value) + "\n]"


def main() -> int:
    """Write every file that has changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replace", action="store_true", help="also bytes of this version, which is not released yet")
    replace = parser.parse_args().replace
    for name in FILES:
        path, text = FOLDER / name, text_of(name)
        before = path.read_text(encoding="utf-8") if path.exists() else None
        if before == text:
            continue
        if before is not None and json.loads(before).get("protocol_version") == PROTOCOL_VERSION and not replace:
            print(f"{name}: bytes of protocol version {PROTOCOL_VERSION} would change. Raise PROTOCOL_VERSION")
            return 1
        path.write_text(text, encoding="utf-8")
        print(f"{name}: written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
