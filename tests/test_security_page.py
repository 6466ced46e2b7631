"""docs/security.md speaks of every message that there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from qkdpost.dialogue.messages import Message

PAGE = Path(__file__).resolve().parent.parent / "docs" / "security.md"


def test_every_message_is_in_the_table_of_what_it_reveals() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## What each message reveals")[1].split("\n### ")[0]
    rows = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in section.splitlines() if "|" in row]
    assert rows[0] == ["message", "what it reveals", "what was committed before", "who could still act on it"]
    assert {len(row) for row in rows if not row[0].startswith("--")} == {4}
    found = sorted(name for row in rows for name in re.findall(r"^`(\w+)`$", row[0]))
    assert found == sorted(kind.__name__ for kind in get_args(Message))
