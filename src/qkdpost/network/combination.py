"""A delivered key combined with a secret of another kind, as from a post-quantum key encapsulation.

A key manager delivers the key of quantum key distribution as it is. Who does not want to rest on that alone combines it
with the shared secret of a key encapsulation mechanism (KEM), at both ends alike:

    "concatenate"  HKDF over first || second                        RFC 5869; "CatKDF" of ETSI TS 103 744 with HKDF
    "one-step"     HMAC over counter || first || second || context  NIST SP 800-56C r2, option 2; "CatKDF" with HMAC
    "cascade"      HKDF over HMAC(first, hash of second)            "CasKDF" of ETSI TS 103 744, one round
    "xor"          the delivered key xor HKDF(secret of the KEM)    for one-time pads

Which secret stands first differs between documents: TS 103 744 puts a pre-shared key, as this one is, before the
others; SP 800-56C puts the secret of an approved scheme first, which is the KEM's. So the order is an argument.

Everything that names the exchange enters by a context in which every part is preceded by its length (32 bits, highest
byte first): label and names cannot run into each other, and keys of two exchanges, orders, methods or lengths differ.

What is claimed. The first three give a key that is computationally secret as long as *either* secret is unknown to the
attacker, with the hash modelled as a random oracle. However secret the delivered key was, the result is no longer so
without assumptions, and no part of it may serve as a one-time pad.

"xor" keeps what the delivered key was: if that is epsilon-close to uniform and independent of the KEM's secret, so is
the result, whatever becomes of the KEM; if it is known, what remains is the secrecy of the KEM with HKDF. That holds
against those who listen. A change of ciphertext or of key ID changes the key at one end without anybody's noticing:
plain exclusive or is no combiner against chosen ciphertexts (Giacon, Heuer and Poettering, PKC 2018). Send a tag over
the transcript before the key is used.

How sure the byte orders are: HKDF is held against the vectors of RFC 5869, the one-step function against an independent
implementation. The arrangement of "CatKDF" and "CasKDF" (salt = label, information = a hash over parts with their
lengths, the pre-shared key first) was read in the public reference code of that work item, not in the text of the
specification, and the parts that this module names in the context are its own. So both ends should run this function;
nobody should expect another implementation to agree with it without a test.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

from qkdpost.checks import byte_string, choice, described, instance, whole_number
from qkdpost.errors import InputError

__all__ = ["CombinationContext", "combine_secrets"]

Method = Literal["concatenate", "one-step", "cascade", "xor"]
Order = Literal["qkd-first", "kem-first"]
HashName = Literal["sha256", "sha384", "sha512"]

LEAST_SECRET_BYTES = 16
MOST_SECRET_BYTES = 2**16
MOST_CONTEXT_BYTES = 2**20
MOST_DIGESTS = 255
"""What HKDF-Expand gives at most, in digests; held for all methods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinationContext:
    """What an exchange is called: public, the same at both ends, and bound to the key.

    Args:
        key_id: the key ID under which the key was delivered, a UUID as text.
        master: the SAE that asked for the key.
        slave: the SAE that fetched it by its ID; for a multicast, the one with which the KEM was run.
        ciphertext: what the KEM sent to the holder of its private key.
        encapsulation_key: the public key of the KEM; leave it out only if the KEM binds it to its secret, as ML-KEM
            does.
        label: what the key is for, and by which program, as b"example.org tunnel v1"; other uses, other labels.

    Raises:
        InputError: a part of the wrong type, too long, or a key ID that is no UUID.

    >>> from qkdpost import network
    >>> context = network.CombinationContext(
    ...     key_id="00000000-0000-4000-8000-000000000001", master="SAE-A", slave="SAE-B", ciphertext=bytes(1088),
    ...     label=b"tls",
    ... )
    >>> context.master
    'SAE-A'
    """

    key_id: str
    master: str
    slave: str
    ciphertext: bytes
    label: bytes
    encapsulation_key: bytes = b""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key_id", _canonical_uuid(self.key_id))
        for name in ("master", "slave"):
            if not instance(name, getattr(self, name), str):
                raise InputError(f"{name} must name an SAE; found an empty name")
        for name in ("ciphertext", "label", "encapsulation_key"):
            object.__setattr__(self, name, byte_string(name, getattr(self, name)))
        if not self.label:
            raise InputError("label must say what the key is for; found no bytes")
        size = sum(len(part) for part in (self.ciphertext, self.label, self.encapsulation_key))
        if size + len(self.master) + len(self.slave) > MOST_CONTEXT_BYTES:
            raise InputError(f"the parts of a context must be at most 2^20 bytes together; found {size}")


def combine_secrets(
    qkd_key: bytes | bytearray,
    kem_secret: bytes | bytearray,
    context: CombinationContext,
    length_bytes: int = 32,
    *,
    method: Method = "concatenate",
    order: Order = "qkd-first",
    hash_name: HashName = "sha256",
) -> bytearray:
    """Return one key of a delivered key and the secret of a key encapsulation; both ends call it alike.

    Args:
        qkd_key: the delivered key, at least 16 bytes. Secret; the caller erases it.
        kem_secret: the shared secret of the KEM, at least 16 bytes. Secret; the caller erases it.
        context: what the exchange is called, and what was sent.
        length_bytes: of the result; at most 255 digests. With "xor", the length of the delivered key.
        method: how the secrets are combined; the module says what each is.
        order: which secret is the first. "xor" has none: leave it at its default.
        hash_name: the hash under HMAC.

    Returns:
        The key. Secret; fill it with zeros after use. Python's own `hmac` leaves copies of what it was given that
        nobody can erase.

    Raises:
        InputError: a secret that is too short or too long, or a length or name that the method does not have.

    Example:
        >>> context = CombinationContext(
        ...     key_id="5dff9c5e-b27d-4c0b-a8de-63a54c6bd3d9",
        ...     master="SAE-A",
        ...     slave="SAE-B",
        ...     ciphertext=b"as sent",
        ...     label=b"example.org tunnel v1",
        ... )
        >>> delivered, kem_secret = bytes(range(32)), bytes(range(32, 64))  # yours are secret
        >>> len(combine_secrets(delivered, kem_secret, context, 48, order="kem-first"))
        48
    """
    secrets = _secrets(qkd_key, kem_secret)
    instance("context", context, CombinationContext)
    choice("method", method, get_args(Method))
    choice("order", order, get_args(Order))
    choice("hash_name", hash_name, get_args(HashName))
    most = MOST_DIGESTS * hashlib.new(hash_name).digest_size
    length = whole_number("length_bytes", length_bytes, least=1, most=most)
    try:
        if method == "xor":
            return _xor(secrets, context, length, order, hash_name)
        first, second = secrets if order == "qkd-first" else secrets[::-1]
        named = _information(context, method, order, hash_name, length, len(first), len(second))
        return _derive(method, first, second, context, named, length, hash_name)
    finally:
        for secret in secrets:
            _erase(secret)


def _derive(
    method: Method,
    first: bytearray,
    second: bytearray,
    context: CombinationContext,
    named: bytes,
    length: int,
    hash_name: HashName,
) -> bytearray:
    """Combine two secrets by a key derivation function."""
    sent = (context.encapsulation_key, context.ciphertext)
    if method == "cascade":
        return _cascade(first, second, context, named, length, hash_name)
    formatted = hashlib.new(hash_name, _with_lengths(named, *sent)).digest()
    derive = hkdf if method == "concatenate" else one_step
    both = bytearray(len(first) + len(second))
    both[: len(first)], both[len(first) :] = first, second
    try:
        return derive(both, salt=context.label, information=formatted, length_bytes=length, hash_name=hash_name)
    finally:
        _erase(both)


def _cascade(
    first: bytearray,
    second: bytearray,
    context: CombinationContext,
    named: bytes,
    length: int,
    hash_name: HashName,
) -> bytearray:
    """Do one round of a cascade: the first secret is the chain's, and the chain ends here.

    What the round hands to the next one is derived too, and dropped: so the key is what a longer chain would give.
    """
    parts = _with_lengths(second, context.encapsulation_key, context.ciphertext)
    digest = hashlib.new(hash_name, parts).digest()
    _erase(parts)
    chain_bytes = len(digest)
    most = (MOST_DIGESTS - 1) * chain_bytes
    if length > most:
        raise InputError(f'length_bytes of "cascade" must be at most {most}; found {length}')
    secret = bytearray(hmac.digest(first, digest, hash_name))
    both = hkdf(secret, salt=context.label, information=named, length_bytes=chain_bytes + length, hash_name=hash_name)
    key = both[chain_bytes:]
    _erase(both)
    _erase(secret)
    return key


def _xor(
    secrets: tuple[bytearray, bytearray],
    context: CombinationContext,
    length: int,
    order: Order,
    hash_name: HashName,
) -> bytearray:
    """Return the delivered key xor as many bytes derived from the KEM's secret."""
    qkd_key, kem_secret = secrets
    if order != "qkd-first":
        raise InputError('method "xor" has no order of its secrets: leave order out')
    if length != len(qkd_key):
        raise InputError(f'length_bytes of "xor" must be that of the delivered key, {len(qkd_key)}; found {length}')
    named = _information(context, "xor", order, hash_name, length, len(qkd_key), len(kem_secret))
    formatted = hashlib.new(hash_name, _with_lengths(named, context.encapsulation_key, context.ciphertext)).digest()
    pad = hkdf(kem_secret, salt=context.label, information=formatted, length_bytes=length, hash_name=hash_name)
    for place, byte in enumerate(qkd_key):
        pad[place] ^= byte
    return pad


def hkdf(secret: bytes | bytearray, *, salt: bytes, information: bytes, length_bytes: int, hash_name: str) -> bytearray:
    """Return bytes derived by extraction and expansion (RFC 5869, sections 2.2 and 2.3).

    Args:
        secret: the input keying material. Secret.
        salt: public; none is as many zeros as a digest has bytes.
        information: public, bound to the result.
        length_bytes: of the result, at most 255 digests.
        hash_name: as `hashlib` calls it.
    """
    digest_bytes = hashlib.new(hash_name).digest_size
    extracted = hmac.digest(salt or bytes(digest_bytes), secret, hash_name)
    result, block = bytearray(), b""
    for counter in range(1, -(-length_bytes // digest_bytes) + 1):
        block = hmac.digest(extracted, block + information + bytes([counter]), hash_name)
        result += block
    del result[length_bytes:]
    return result


def one_step(
    secret: bytes | bytearray, *, salt: bytes, information: bytes, length_bytes: int, hash_name: str
) -> bytearray:
    """Return bytes derived in one step with HMAC (NIST SP 800-56C r2, section 4.1, option 2); else as `hkdf`.

    Digest number i is HMAC(salt, i || secret || information), i in 32 bits, highest byte first, from 1; the salt
    that is left out is as many zeros as a block of the hash has bytes.
    """
    kind = hashlib.new(hash_name)
    counters = range(1, -(-length_bytes // kind.digest_size) + 1)
    result = bytearray()
    for counter in counters:
        state = hmac.new(salt or bytes(kind.block_size), counter.to_bytes(4, "big"), hash_name)
        state.update(secret)
        state.update(information)
        result += state.digest()
    del result[length_bytes:]
    return result


def _information(
    context: CombinationContext,
    method: Method,
    order: Order,
    hash_name: HashName,
    length: int,
    first_bytes: int,
    second_bytes: int,
) -> bytes:
    """Return everything public but what the KEM sent, no two sets of parts alike.

    The lengths of the secrets are among it: without them, secrets of other lengths could have the same concatenation.
    """
    texts = ("qkdpost combination 1", method, order, hash_name, context.key_id, context.master, context.slave)
    counts = b"".join(count.to_bytes(4, "big") for count in (first_bytes, second_bytes, length))
    return bytes(_with_lengths(*(text.encode() for text in texts), counts))


def _with_lengths(*parts: bytes | bytearray) -> bytearray:
    """Join parts, each after its length in 32 bits, highest byte first."""
    joined = bytearray()
    for part in parts:
        joined += len(part).to_bytes(4, "big")
        joined += part
    return joined


def _secrets(qkd_key: object, kem_secret: object) -> tuple[bytearray, bytearray]:
    kept = []
    for name, value in (("qkd_key", qkd_key), ("kem_secret", kem_secret)):
        secret = bytearray(byte_string(name, value))
        if not LEAST_SECRET_BYTES <= len(secret) <= MOST_SECRET_BYTES:
            raise InputError(f"{name} must be 16 ... 65536 bytes; found {len(secret)}")
        kept.append(secret)
    return kept[0], kept[1]


def _canonical_uuid(value: object) -> str:
    """Return the one way to write a key ID; readers of UUIDs take other case, too (RFC 9562, section 4)."""
    text = instance("key_id", value, str)
    try:
        canonical = str(UUID(text))
    except ValueError:
        canonical = ""
    if canonical != text.lower():
        raise InputError(f"key_id must be a UUID as the delivery interface writes it; found {described(value)}")
    return canonical


def _erase(secret: bytearray) -> None:
    secret[:] = bytes(len(secret))


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
