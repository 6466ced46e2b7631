"""docs/wire.md has every message, under its number, with its fields in the order of the wire."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from qkdpost.dialogue.messages import PROTOCOL_VERSION, AbortReason, Message

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "wire.md").read_text(encoding="utf-8")
SECTIONS = {
    name: (int(tag), section)
    for name, tag, section in re.findall(
        r"^### `(\w+)` \((\d+)\)\n(.*?)(?=^##)", PAGE.split("## Messages")[1], flags=re.MULTILINE | re.DOTALL
    )
}


def test_the_page_is_of_this_version() -> None:
    assert f"protocol version {PROTOCOL_VERSION}." in PAGE


def test_the_page_has_every_message_and_no_other() -> None:
    assert sorted(SECTIONS) == sorted(kind.__name__ for kind in get_args(Message))


@pytest.mark.parametrize("kind", get_args(Message), ids=lambda kind: kind.__name__)
def test_number_and_fields_are_those_of_the_wire(kind: type[Message]) -> None:
    tag, section = SECTIONS[kind.__name__]
    assert tag == kind.__struct_config__.tag
    assert re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE) == list(kind.__struct_fields__)
    assert re.match(r"\n(From|Step)", section), "who sends it?"


@pytest.mark.parametrize("kind", get_args(Message), ids=lambda kind: kind.__name__)
def test_every_message_has_its_place_in_the_order(kind: type[Message]) -> None:
    order = PAGE.split("## Who speaks when")[1].split("## Messages")[0]
    assert re.search(rf"\b{kind.__name__}\b", order)


def test_reasons_of_an_abort_are_all_told() -> None:
    assert f"| `reason` | {min(AbortReason)} ... {max(AbortReason)} |" in PAGE
