"""The keystream of ChaCha20: vectors of RFC 8439, and its twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost._kernels.bits.keystream import BLOCK_WORDS, GROUP_WORDS, fill_keystream
from reference import shared_random as twin

CONSTANTS = b"expand 32-byte k"
PUBLISHED = [
    # RFC 8439, 2.3.2: key, counter, nonce, block.
    (
        bytes(range(32)).hex(),
        1,
        "000000090000004a00000000",
        "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
    ),
    # Appendix A.1, 1 to 5.
    (
        "00" * 32,
        0,
        "00" * 12,
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
    ),
    (
        "00" * 32,
        1,
        "00" * 12,
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
    ),
    (
        "00" * 31 + "01",
        1,
        "00" * 12,
        "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
        "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0",
    ),
    (
        "00ff" + "00" * 30,
        2,
        "00" * 12,
        "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
        "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096",
    ),
    (
        "00" * 32,
        0,
        "00" * 11 + "02",
        "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
        "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d",
    ),
]


def keystream(key: bytes, counter: int, nonce: bytes, groups: int) -> bytes:
    state = np.frombuffer(CONSTANTS + key + counter.to_bytes(4, "little") + nonce, dtype="<u4").astype(np.uint32)
    output = np.empty(groups * GROUP_WORDS, dtype=np.uint32)
    fill_keystream(state, output)
    return output.astype("<u4").tobytes()


@pytest.mark.parametrize(("key", "counter", "nonce", "block"), PUBLISHED)
def test_published_blocks(key: str, counter: int, nonce: str, block: str) -> None:
    assert twin.chacha20_block(bytes.fromhex(key), counter, bytes.fromhex(nonce)).hex() == block
    assert keystream(bytes.fromhex(key), counter, bytes.fromhex(nonce), 1)[:64].hex() == block


@settings(max_examples=10, deadline=None)
@given(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**32 - 1) | st.integers(2**32 - 40, 2**32 - 1),
    st.binary(min_size=12, max_size=12),
    st.integers(0, 3),
)
def test_blocks_are_those_of_the_twin(key: bytes, counter: int, nonce: bytes, groups: int) -> None:
    blocks = groups * GROUP_WORDS // BLOCK_WORDS
    expected = [twin.chacha20_block(key, (counter + block) % 2**32, nonce) for block in range(blocks)]
    assert keystream(key, counter, nonce, groups) == b"".join(expected)
