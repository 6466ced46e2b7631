"""Settings that say where an argument belongs."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec
import pytest

import qkdpost as qp
from qkdpost.checks import Settings
from qkdpost.checks import settings as room
from qkdpost.errors import ConfigurationError


@pytest.mark.parametrize(
    ("kind", "arguments", "complaint"),
    [
        (
            qp.LinkConfig,
            {"epsilon": 1e-10},
            "LinkConfig has no argument 'epsilon': write security=Security(epsilon=",
        ),
        (qp.LinkConfig, {"in_flight": 2}, "'in_flight': write blocks=Blocks(in_flight=...)"),
        (qp.LinkConfig, {"test": "sample"}, "'test': write protocol=BB84(test=...) or protocol=BBM92(test=...)"),
        (qp.LinkConfig, {"kind": "bb84"}, "'kind': write protocol=BB84(...) or protocol=BBM92(...) or "),
        (qp.LinkConfig, {"method": "ldpc"}, "'method': write correction=Auto(...) or correction=Cascade(...) or "),
        (qp.LinkConfig, {"protocols": 1}, "'protocols': did you mean 'protocol'?"),
        (qp.LinkConfig, {"colour": 1}, "'colour'; it has protocol, correction, security, blocks, record_limits"),
        (qp.BB84, {"epsilon": 1e-10}, "BB84 has no argument 'epsilon': it is an argument of Security"),
        (qp.Security, {"key_bits": 5}, "'key_bits': write acceptance=QubitAcceptance(key_bits=...)"),
        (qp.Security, {"epsilom": 5}, "'epsilom': did you mean 'epsilon'?"),
        (qp.Blocks, {"detection": 5}, "'detection': did you mean 'detections'?"),
        (qp.Cascade, {"blind_rounds": 1}, "'blind_rounds': it is an argument of Ldpc"),
        (qp.RecordLimits, {"colour": 1}, "RecordLimits has no argument 'colour'; it has "),
        (qp.network.RelayPolicy, {"between": 1}, "'between': write pairs=[PairRule(between=...)]"),
        (qp.network.Site, {"length_km": 1}, "Site has no argument 'length_km': it is an argument of Link"),
        (qp.network.AccessPolicy, {"colour": 1}, "AccessPolicy has no argument 'colour'; it has "),
        (qp.transport.blocking.Reconnection, {"epsilon": 1}, "'epsilon': it is an argument of Security"),
    ],
)
def test_an_argument_of_another_class_is_sent_there(kind: Any, arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        kind(**arguments)
    assert complaint in str(caught.value)


def test_a_value_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        qp.LinkConfig(epsilon="0123456789")  # type: ignore[call-arg]
    assert "0123456789" not in str(caught.value)


def test_arguments_have_names() -> None:
    with pytest.raises(ConfigurationError, match=r"LinkConfig takes arguments by name, as LinkConfig\(protocol=\.\.\."):
        qp.LinkConfig(qp.BB84())  # type: ignore[call-arg, misc]


def test_every_class_of_settings_refuses_what_it_does_not_know() -> None:
    found = room._all_settings()
    assert {qp.LinkConfig, qp.BB84, qp.GaussianCV, qp.Security, qp.Blocks, qp.Ldpc, qp.RecordLimits} <= set(found)
    for kind in found:
        with pytest.raises(ConfigurationError, match=f"{kind.__name__} has no argument 'strange'"):
            kind(strange=1)  # type: ignore[call-arg]


def test_settings_are_structs_as_any() -> None:
    blocks = qp.Blocks(detections=1000)
    assert msgspec.structs.replace(blocks, in_flight=2) == qp.Blocks(detections=1000, in_flight=2)
    assert msgspec.convert({"detections": 1000}, qp.Blocks) == pickle.loads(pickle.dumps(blocks)) == blocks
    assert isinstance(blocks, Settings)


def test_a_type_that_is_there_for_checkers_alone_is_no_place() -> None:
    class Strange(Settings, frozen=True, kw_only=True):
        part: int = 0

    Strange.__annotations__["part"] = "NowhereToBeFound"
    with pytest.raises(ConfigurationError, match="Strange has no argument 'epsilon': it is an argument of Security"):
        Strange(epsilon=1)  # type: ignore[call-arg]
