"""The wire, byte for byte: what is recorded for this version of the protocol is what the library says and computes.

Where a test here fails and the change was meant: raise PROTOCOL_VERSION in qkdpost/dialogue/messages.py, record again
with `python -m tests.vectors.record`, and write the change under "Wire format" in CHANGELOG.md.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import galois
import numpy as np
import pytest

from qkdpost import shared_random
from qkdpost.amplification import modified_toeplitz_hash, toeplitz_hash
from qkdpost.bits import Bits
from qkdpost.dialogue.messages import PROTOCOL_VERSION
from qkdpost.keys.authentication import PolynomialHasher, Transcript
from qkdpost.session.codec import decode, encode
from qkdpost.sifting.slots.coding import decode_slots, encode_slots, rice_parameter
from qkdpost.verification import frame_tags, hash_tag
from support.link import Pair
from vectors import conversations, messages, record

CHANGELOG = Path(__file__).resolve().parents[2] / "CHANGELOG.md"
WHAT_TO_DO = (
    f"the bytes on the wire have changed, and the protocol is still version {PROTOCOL_VERSION}. If that was meant: "
    "raise PROTOCOL_VERSION, record again with `python -m tests.vectors.record`, write it under Wire format in "
    "CHANGELOG.md"
)


def recorded(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((record.FOLDER / name).read_text(encoding="utf-8"))
    return content


HASHING, SLOTS, SHARED = recorded("hashing.json"), recorded("slots.json"), recorded("shared_random.json")
MESSAGES = recorded("messages.json")["messages"]


def bits(vector: dict[str, Any], name: str, length: int) -> Bits:
    return Bits.from_bytes(bytes.fromhex(vector[name]), length)


def octets(vector: dict[str, Any], *names: str) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(vector[name]) for name in names)


# What binds the bytes to the version.


@pytest.mark.parametrize("name", record.FILES)
def test_vectors_are_those_of_this_version(name: str) -> None:
    version = recorded(name)["protocol_version"]
    assert version == PROTOCOL_VERSION, (
        f"{name} was recorded for protocol version {version}, the code has {PROTOCOL_VERSION}: record again with "
        "`python -m tests.vectors.record`, and write what changed under Wire format in CHANGELOG.md"
    )


@pytest.mark.parametrize("name", record.FILES)
def test_the_bytes_change_with_the_version_alone(name: str) -> None:
    assert (record.FOLDER / name).read_text(encoding="utf-8") == record.text_of(name), f"{name}: {WHAT_TO_DO}"


def test_the_changelog_says_which_version_this_is() -> None:
    sections = re.findall(r"^### Wire format\n(.*?)(?=^##|\Z)", CHANGELOG.read_text(encoding="utf-8"), re.M | re.S)
    assert any(re.search(rf"\b[Pp]rotocol version {PROTOCOL_VERSION}\b", section) for section in sections), (
        f"CHANGELOG.md does not say under Wire format what protocol version {PROTOCOL_VERSION} is"
    )


def test_no_vector_lies_about_unread() -> None:
    assert {path.name for path in record.FOLDER.glob("*.json")} == set(record.FILES)


def test_the_recorder_replaces_no_bytes_of_one_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    monkeypatch.setattr(record, "FILES", {"slots.json": record.FILES["slots.json"]})
    monkeypatch.setattr("sys.argv", ["record"])
    assert record.main() == 0
    path = tmp_path / "slots.json"
    path.write_text(path.read_text(encoding="utf-8").replace("1000", "1001"), encoding="utf-8")
    altered = path.read_text(encoding="utf-8")
    assert record.main() == 1
    assert "Raise PROTOCOL_VERSION" in capsys.readouterr().out
    assert path.read_text(encoding="utf-8") == altered


# Messages.


def test_every_message_is_recorded_once() -> None:
    names = [vector["type"] for vector in MESSAGES]
    assert sorted(names) == sorted(kind.__name__ for kind in messages.all_types())
    assert len({vector["tag"] for vector in MESSAGES}) == len(MESSAGES), "a number stands for two types"


@pytest.mark.parametrize("vector", MESSAGES, ids=lambda vector: vector["type"])
def test_a_recorded_frame_is_read_and_written(vector: dict[str, Any]) -> None:
    (frame,) = octets(vector, "frame")
    message = decode(frame)
    assert type(message).__name__ == vector["type"]
    assert messages.plain(message) == vector["fields"]
    assert encode(message) == frame, WHAT_TO_DO


# What both hosts compute.


@pytest.mark.parametrize("vector", HASHING["toeplitz"])
def test_toeplitz_vectors(vector: dict[str, Any]) -> None:
    n, length = vector["input_bits"], vector["output_bits"]
    if vector["function"] == "toeplitz_hash":
        found = toeplitz_hash(bits(vector, "bits", n), bits(vector, "seed", n + length - 1), length)
    else:
        seed = bits(vector, "seed", n - 1 if length < n else 0)
        found = modified_toeplitz_hash(bits(vector, "bits", n), seed, length)
    assert found == bits(vector, "output", length)


@pytest.mark.parametrize("vector", HASHING["field_product"])
def test_field_vectors_are_those_of_galois(vector: dict[str, Any]) -> None:
    """The library multiplies inside of hashes alone, which have vectors of their own; this is a second opinion."""
    first, second, product = (int.from_bytes(data, "little") for data in octets(vector, "first", "second", "product"))
    modulus = galois.Poly.Degrees([128, 7, 2, 1, 0])
    assert int(galois.Poly.Int(first) * galois.Poly.Int(second) % modulus) == product


@pytest.mark.parametrize("vector", HASHING["polynomial_hash"])
def test_polynomial_hash_vectors(vector: dict[str, Any]) -> None:
    key, data, expected = octets(vector, "key", "data", "hash")
    hasher = PolynomialHasher(key)
    hasher.update(data)
    assert hasher.digest() == expected


@pytest.mark.parametrize("vector", HASHING["transcript_tag"])
def test_transcript_vectors(vector: dict[str, Any]) -> None:
    key, first, second, pad, expected = octets(vector, "hash_key", "reference", "corrector", "pad", "tag")
    for reference, sent, received in ((True, first, second), (False, second, first)):
        transcript = Transcript(key, reference=reference)
        transcript.sent(sent)
        transcript.received(received)
        assert transcript.tag(pad) == expected


@pytest.mark.parametrize("vector", HASHING["frame_tags"])
def test_frame_tag_vectors(vector: dict[str, Any]) -> None:
    string, (key,) = bits(vector, "bits", vector["input_bits"]), octets(vector, "key")
    frames, tag_bits = -(-vector["input_bits"] // vector["frame_bits"]), vector["tag_bits"]
    expected = bits(vector, "tags", frames * tag_bits)
    assert frame_tags(string, vector["frame_bits"], key, tag_bits) == expected
    if frames == 1:
        assert hash_tag(string, key, tag_bits) == expected


@pytest.mark.parametrize("vector", SLOTS["slot_codes"])
def test_slot_vectors(vector: dict[str, Any]) -> None:
    slots, pulses, (code,) = vector["slots"], vector["pulses"], octets(vector, "code")
    assert rice_parameter(len(slots), pulses) == vector["parameter"]
    assert encode_slots(np.array(slots, dtype=np.int64), pulses) == code
    assert decode_slots(code, len(slots), pulses).tolist() == slots


def test_shared_random_has_vectors_of_each_function() -> None:
    """They are checked in tests/test_shared_random.py, those of codes in tests/reconciliation/test_code_order.py."""
    assert set(shared_random.__all__) - {"SEED_BYTES", "random_words", "sample_mask"} <= SHARED.keys()


# Whole conversations.


@pytest.mark.parametrize("name", conversations.SCENES)
@pytest.mark.parametrize("role", ["alice", "bob"])
@conversations.as_recorded()
def test_each_host_alone_answers_the_recorded_peer(name: str, role: str) -> None:
    """Also in pieces of any size, of what it is sent and of what it says."""
    scene, said = conversations.SCENES[name](), recorded(f"session_{name}.json")
    pair = Pair(scene.link, seed=conversations.SEED, preshared=conversations.PRESHARED)
    session = pair.sessions[role]
    session.submit(scene.alice if role == "alice" else scene.bob)
    session.finish()
    own = b"".join(bytes.fromhex(frame["frame"]) for frame in said["frames"] if frame["from"] == role)
    heard = b""
    for frame in said["frames"]:
        (data,) = octets(frame, "frame")
        if frame["from"] == role:
            while len(heard) < len(own) and (more := session.data_to_send()):
                heard += more
        else:
            for start in range(0, len(data), 1000):
                session.receive_data(data[start : start + 1000])
    while more := session.data_to_send():
        heard += more
    assert heard == own, WHAT_TO_DO
    pair.collect()
    assert [key.hex() for key in pair.keys(role).values()] == said["keys"][role]
    assert [event.reason.name.lower() for event in pair.aborts(role)] == said["aborts"][role]


def test_the_conversations_say_every_message() -> None:
    """But for those of continuous outcomes: floating-point results, which may differ in the last place.

    The session tests of that kind hold their order. `Alive` is said by drivers.
    """
    said = {frame["type"] for name in conversations.SCENES for frame in recorded(f"session_{name}.json")["frames"]}
    of_bits = {kind for kind in messages.all_types() if kind.__module__ != "qkdpost.dialogue.quadrature_messages"}
    assert said == {kind.__name__ for kind in of_bits} - {"Alive"}
