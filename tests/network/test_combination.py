"""Delivered keys combined with secrets of a KEM: against published vectors and independent implementations."""

from __future__ import annotations

import doctest
import hashlib
import hmac as standard_hmac
import importlib
from itertools import combinations
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from qkdpost.errors import InputError
from qkdpost.network.combination import CombinationContext, combine_secrets, hkdf, one_step

QKD = bytes(range(32))
KEM = bytes(range(100, 132))
NAMES: dict[str, Any] = {
    "key_id": "5dff9c5e-b27d-4c0b-a8de-63a54c6bd3d9",
    "master": "SAE-A",
    "slave": "SAE-B",
    "ciphertext": b"from the encapsulating side",
    "label": b"example.org tunnel v1",
}
CONTEXT = CombinationContext(**NAMES)
TWINS = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
METHODS = ("concatenate", "one-step", "cascade", "xor")

RFC_5869 = [
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
        "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        "0b" * 22,
        "",
        "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("secret", "salt", "information", "wanted"), RFC_5869)
def test_hkdf_gives_the_published_vectors(secret: str, salt: str, information: str, wanted: str) -> None:
    result = hkdf(
        bytes.fromhex(secret),
        salt=bytes.fromhex(salt),
        information=bytes.fromhex(information),
        length_bytes=len(wanted) // 2,
        hash_name="sha256",
    )
    assert result.hex() == wanted


@pytest.mark.parametrize("hash_name", TWINS)
@pytest.mark.parametrize("length_bytes", [1, 31, 32, 33, 64, 200, 255 * 32])
def test_both_functions_agree_with_independent_ones(hash_name: str, length_bytes: int) -> None:
    twin = HKDF(TWINS[hash_name], length_bytes, salt=b"salt", info=b"information")
    options: dict[str, Any] = {"salt": b"salt", "information": b"information", "hash_name": hash_name}
    assert hkdf(QKD, length_bytes=length_bytes, **options) == twin.derive(QKD)
    step = ConcatKDFHMAC(TWINS[hash_name], length_bytes, salt=b"salt", otherinfo=b"information")
    assert one_step(QKD, length_bytes=length_bytes, **options) == step.derive(QKD)
    step = ConcatKDFHMAC(TWINS[hash_name], length_bytes, salt=None, otherinfo=b"information")
    assert one_step(QKD, length_bytes=length_bytes, **options | {"salt": b""}) == step.derive(QKD)


def counted(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def by_hand(method: str, order: str, length: int, context: CombinationContext = CONTEXT, qkd: bytes = QKD) -> bytes:
    """The same key, written down step by step with another library's functions, SHA-256 only."""
    first, second = (qkd, KEM) if order == "qkd-first" else (KEM, qkd)
    named = counted(
        b"qkdpost combination 1",
        method.encode(),
        order.encode(),
        b"sha256",
        context.key_id.encode(),
        context.master.encode(),
        context.slave.encode(),
        len(first).to_bytes(4, "big") + len(second).to_bytes(4, "big") + length.to_bytes(4, "big"),
    )
    sent = (context.encapsulation_key, context.ciphertext)
    formatted = hashlib.sha256(counted(named, *sent)).digest()
    sha = hashes.SHA256()
    match method:
        case "concatenate":
            return HKDF(sha, length, salt=context.label, info=formatted).derive(first + second)
        case "one-step":
            return ConcatKDFHMAC(sha, length, salt=context.label, otherinfo=formatted).derive(first + second)
        case "cascade":
            inner = standard_hmac.new(first, hashlib.sha256(counted(second, *sent)).digest(), "sha256").digest()
            return HKDF(sha, length + 32, salt=context.label, info=named).derive(inner)[32:]
    pad = HKDF(sha, length, salt=context.label, info=formatted).derive(KEM)
    return bytes(a ^ b for a, b in zip(pad, qkd, strict=True))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ["qkd-first", "kem-first"])
def test_every_method_agrees_with_its_twin(method: Any, order: Any) -> None:
    if method == "xor" and order == "kem-first":
        return
    for length in (32,) if method == "xor" else (16, 32, 80):
        key = combine_secrets(QKD, KEM, CONTEXT, length, method=method, order=order)
        assert bytes(key) == by_hand(method, order, length)
        assert isinstance(key, bytearray)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "change",
    [
        {"key_id": "5dff9c5e-b27d-4c0b-a8de-63a54c6bd3da"},
        {"master": "SAE-C"},
        {"slave": "SAE-C"},
        {"master": "SAE-B", "slave": "SAE-A"},
        {"ciphertext": b"of somebody else"},
        {"label": b"example.org tunnel v2"},
        {"encapsulation_key": b"public"},
        {"ciphertext": b"", "encapsulation_key": b"from the encapsulating side"},
    ],
)
def test_everything_that_names_the_exchange_changes_the_key(method: Any, change: dict[str, Any]) -> None:
    other = CombinationContext(**NAMES | change)
    assert combine_secrets(QKD, KEM, CONTEXT, method=method) != combine_secrets(QKD, KEM, other, method=method)


def test_methods_orders_hashes_lengths_and_secrets_give_unlike_keys() -> None:
    swapped = combine_secrets(KEM, QKD, CONTEXT, order="kem-first")
    keys = [
        bytes(combine_secrets(QKD, KEM, CONTEXT, 64, method=method, order=order, hash_name=hash_name)[:32])
        for method in ("concatenate", "one-step", "cascade")
        for order in ("qkd-first", "kem-first")
        for hash_name in ("sha256", "sha384", "sha512")
    ]
    keys += [bytes(combine_secrets(QKD, KEM, CONTEXT, 32, method=method)) for method in METHODS]
    keys += [bytes(combine_secrets(KEM, QKD, CONTEXT)), bytes(swapped)]
    keys += [bytes(combine_secrets(QKD + KEM[:1], KEM[1:], CONTEXT))]  # the same concatenation
    keys += [bytes(combine_secrets(QKD + bytes(1), KEM, CONTEXT, method="cascade"))]  # HMAC pads its key with zeros
    for one, other in combinations(keys, 2):
        assert one != other


def test_exclusive_or_keeps_every_bit_of_the_delivered_key() -> None:
    """For one secret of the KEM it is one to one in the delivered key: uniform in, uniform out."""
    base = combine_secrets(bytes(32), KEM, CONTEXT, method="xor")
    for flipped in range(0, 256, 37):
        key = bytearray(32)
        key[flipped // 8] ^= 1 << flipped % 8
        result = combine_secrets(key, KEM, CONTEXT, method="xor")
        assert bytes(a ^ b for a, b in zip(result, base, strict=True)) == bytes(key)


def test_upper_case_key_ids_name_the_same_key() -> None:
    upper = CombinationContext(**NAMES | {"key_id": NAMES["key_id"].upper()})
    assert upper == CONTEXT
    assert combine_secrets(QKD, KEM, upper) == combine_secrets(bytearray(QKD), bytearray(KEM), CONTEXT)


def test_what_the_caller_holds_is_not_touched() -> None:
    qkd, kem = bytearray(QKD), bytearray(KEM)
    combine_secrets(qkd, kem, CONTEXT)
    assert (qkd, kem) == (QKD, KEM)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"qkd_key": b"short"}, "qkd_key must be 16 ... 65536 bytes; found 5"),
        ({"kem_secret": b""}, "kem_secret must be"),
        ({"qkd_key": "x" * 32}, "qkd_key must be bytes"),
        ({"length_bytes": 0}, "length_bytes"),
        ({"length_bytes": 255 * 32 + 1}, "length_bytes"),
        ({"length_bytes": 255 * 32, "method": "cascade"}, "at most 8128"),
        ({"length_bytes": 16, "method": "xor"}, "must be that of the delivered key, 32; found 16"),
        ({"method": "xor", "order": "kem-first"}, "leave order out"),
        ({"method": "add"}, "method"),
        ({"order": "first"}, "order"),
        ({"hash_name": "md5"}, "hash_name"),
        ({"context": NAMES}, "context"),
    ],
)
def test_what_cannot_be_combined_is_refused_without_showing_a_secret(arguments: dict[str, Any], said: str) -> None:
    whole: dict[str, Any] = {"qkd_key": QKD, "kem_secret": KEM, "context": CONTEXT} | arguments
    with pytest.raises(InputError) as caught:
        combine_secrets(**whole)
    assert said in str(caught.value)
    for shown in (QKD.hex(), KEM.hex(), repr(QKD)[:20], repr(KEM)[:20]):
        assert shown not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"key_id": "key 7"},
        {"key_id": "{5dff9c5e-b27d-4c0b-a8de-63a54c6bd3d9}"},
        {"key_id": 7},
        {"master": ""},
        {"slave": b"SAE-B"},
        {"ciphertext": "text"},
        {"label": b""},
        {"ciphertext": bytes(2**20)},
    ],
)
def test_contexts_are_checked(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        CombinationContext(**NAMES | change)


def test_the_example_runs() -> None:
    found = doctest.testmod(importlib.import_module("qkdpost.network.combination"))
    assert found.attempted > 0
    assert found.failed == 0
