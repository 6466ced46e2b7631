"""A kind from outside the library distils key between two hosts, without an edit of the library."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import qkdpost as qp
from protocols.toy import TOY, Sent, ToySettings, toy_records
from qkdpost.dialogue.messages import AbortReason, CorrectionRound
from qkdpost.errors import ConfigurationError, InputError, RemoteProtocolError
from qkdpost.protocols import PROTOCOLS
from qkdpost.session.codec import decode, encode
from qkdpost.session.events import KeyReady, StageCompleted
from support.link import Pair, small_link


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    PROTOCOLS["toy"] = TOY
    yield
    del PROTOCOLS["toy"]


def finished(**records: object) -> Pair:
    pair = Pair(small_link(protocol=ToySettings()))
    pair.submit(*toy_records(**records))  # type: ignore[arg-type]
    pair.finish()
    pair.run()
    return pair


def test_two_sessions_distil_key_of_a_kind_that_the_library_does_not_know() -> None:
    pair = finished()
    assert pair.keys("alice") == pair.keys("bob") != {}
    for role in ("alice", "bob"):
        (event,) = (event for event in pair.events[role] if isinstance(event, KeyReady))
        report = event.report
        assert report.kind == "toy"
        assert report.key_length_bits == len(event.key) > 5_000
        assert report.other_facts["noise_variance"] == pytest.approx(0.15**2, rel=0.1)
        assert "noise variance" in str(report)
        assert report.secret is not None
        assert ("noise_variance", report.other_facts["noise_variance"]) in report.secret.evidence
        stages = [event.stage for event in pair.events[role] if isinstance(event, StageCompleted)]
        assert stages == [stage.name for stage in TOY.stages] == list(report.completed_stages)


def test_the_reference_is_bob() -> None:
    """His signs are the key, to which hers are corrected; his tag comes first."""
    pair = finished()
    soft = [message for message in map(decode, pair.sent["bob"]) if isinstance(message, CorrectionRound)]
    assert [message.bits for message in soft] == [None, 17_920]
    names = [type(decode(frame)).__name__ for role in ("bob", "alice") for frame in pair.sent[role]]
    assert names.index("FrameTags") < names.index("FrameVerdict")


def test_a_notebook_distils_it_too() -> None:
    alice, bob = toy_records()
    link = small_link(protocol=ToySettings())
    assert len(qp.distill(alice, bob, link).key) > 5_000
    assert len(qp.distill([alice], [bob], link).key) > 5_000
    with pytest.raises(InputError, match="alice of a toy link submits Sent, found Measured"):
        qp.distill(bob, alice, link)


def test_a_noisy_block_has_no_key_and_says_why() -> None:
    link = small_link(protocol=ToySettings(max_noise_variance=0.01))
    result = qp.distill(*toy_records(), link)
    assert result.report.abort_reason == AbortReason.NO_KEY_LEFT.name.lower()
    assert "too noisy" in str(result.report)
    assert result.report.other_facts["noise_variance"] > 0.01


def test_its_settings_go_through_files_and_the_greeting() -> None:
    link = small_link(protocol=ToySettings(max_noise_variance=0.25))
    assert qp.LinkConfig.from_toml(link.to_toml()) == link
    assert link.to_fields()["protocol.max_noise_variance"] == "0.25"
    with pytest.raises(ConfigurationError, match="protocol"):
        qp.LinkConfig.from_toml(link.to_toml().replace("max_noise", "most_noise"))


@pytest.mark.parametrize("data", [b"", np.full(2 * 2**14, np.nan, dtype="<f4").tobytes()], ids=["none", "not a number"])
def test_soft_values_that_cannot_be_are_the_peers_fault(data: bytes) -> None:
    pair = Pair(small_link(protocol=ToySettings()))
    pair.submit(*toy_records())
    pair.finish()

    def alter(_: str, __: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if not isinstance(message, CorrectionRound) or message.bits is not None or len(message.data) < 9:
            return [frame]
        return [encode(CorrectionRound(block=0, round=0, bits=None, data=data))]

    with pytest.raises(RemoteProtocolError, match="magnitude"):
        pair.run(alter)
    assert pair.keys("alice") == pair.keys("bob") == {}


def test_an_own_record_is_checked_when_it_is_submitted() -> None:
    pair = Pair(small_link(protocol=ToySettings()))
    with pytest.raises(InputError, match="finite float32"):
        pair.sessions["alice"].submit(Sent(np.full(5, np.nan, dtype=np.float32)))
    with pytest.raises(InputError, match="alice of a toy link submits Sent"):
        pair.sessions["alice"].submit(toy_records()[1])


def test_without_its_row_no_link_can_be_made() -> None:
    PROTOCOLS.pop("toy")
    with pytest.raises(ConfigurationError, match="PROTOCOLS"):
        small_link(protocol=ToySettings())
    PROTOCOLS["toy"] = TOY
