from __future__ import annotations

import os

import pytest

from qkdpost.network.peer.pads import add_into


@pytest.mark.parametrize("length", [1, 16, 32, 8192])
def test_a_pad_goes_on_and_comes_off_in_place(length: int) -> None:
    pad, text = bytearray(os.urandom(length)), os.urandom(length)
    total = bytearray(pad)
    add_into(total, text)
    assert bytes(total) == bytes(first ^ second for first, second in zip(pad, text, strict=True))
    add_into(total, pad)
    assert total == text
