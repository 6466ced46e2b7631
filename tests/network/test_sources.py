from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from qkdpost.errors import InputError, KeyNotFound, LocalProtocolError, NotEnoughKey, RemoteProtocolError
from qkdpost.network.etsi014.exchange import Request
from qkdpost.network.sources import Etsi014Interface, ForeignCopy, ForeignSource
from support.network import Network, line


class Vendor:
    """Both key managers of a vendor's link, of which this test is the network."""

    def __init__(self, stock: int = 10_000) -> None:
        self.keys: dict[str, str] = {}
        self.numbers = itertools.count(1)
        self.stock = stock

    def answer(self, request: Request) -> tuple[int, bytes]:
        asked = msgspec.json.decode(request.body)
        if request.target.endswith("enc_keys"):
            count = min(asked["number"], self.stock)
            if not count:
                return 503, b'{"message":"none left"}'
            self.stock -= count
            names = [self.make(asked["size"] // 8) for _ in range(count)]
        else:
            names = [entry["key_ID"] for entry in asked["key_IDs"]]
            if not set(names) <= set(self.keys):
                return 400, b'{"message":"one or more keys specified are not found on KME"}'
        keys = [{"key_ID": name, "key": self.keys[name]} for name in names]
        return 200, msgspec.json.encode({"keys": keys})

    def make(self, size: int) -> str:
        number = next(self.numbers)
        name = f"{number:08x}-0000-4000-8000-000000000000"
        self.keys[name] = msgspec.json.decode(msgspec.json.encode(number.to_bytes(4, "big") * (size // 4)))
        return name


def drive(vendor: Vendor, side: ForeignSource | ForeignCopy) -> None:
    while (request := side.request()) is not None:
        side.receive(*vendor.answer(request))


def both(vendor: Vendor, size_bits: int = 256) -> tuple[ForeignSource, ForeignCopy]:
    source = ForeignSource("vendor-x", Etsi014Interface(application="KM-B", size_bits=size_bits), segment_bytes=20_000)
    drive(vendor, source)
    copy = ForeignCopy(source.batch(), "vendor-x", Etsi014Interface(application="KM-A", size_bits=size_bits))
    drive(vendor, copy)
    return source, copy


@pytest.mark.parametrize("size_bits", [64, 256, 4096])
def test_both_ends_make_the_same_segment(size_bits: int) -> None:
    source, copy = both(Vendor(), size_bits)
    one, two = source.take_key(epsilon_per_key=1e-12), copy.take_key(epsilon_per_key=1e-12)
    assert one == two
    assert len(one["key"]) >= 20_000
    assert one["epsilon"] >= 1e-12 * len(one["key"]) / (size_bits // 8)


def test_applications_get_keys_of_a_vendor_s_link_and_are_told_so() -> None:
    network = Network(line("a", "b"))
    for name, side in zip("ab", both(Vendor()), strict=True):
        peer = "b" if name == "a" else "a"
        assert network.managers[name].add_key(peer, **side.take_key(kind="vendor", epsilon_per_key=1e-12))
    network.run()
    ids, keys = network.keys_between("SAE-B", number=5)
    assert network.fetch("SAE-B", ids) == keys
    extension = network.released()[0].extension
    assert extension["qkdpost_kinds"] == ["vendor"]
    assert extension["qkdpost_epsilon_is_stated"] is True
    assert network.managers["a"].account().pool("b").received["foreign"] > 0
    assert network.balances()


def test_a_batch_that_was_altered_gives_a_segment_of_another_name() -> None:
    vendor = Vendor()
    source = ForeignSource("x", Etsi014Interface(application="KM-B"), segment_bytes=2048)
    drive(vendor, source)
    batch = source.batch()
    copy = ForeignCopy(batch[16:32] + batch[:16] + batch[32:], "x", Etsi014Interface(application="KM-A"))
    drive(vendor, copy)
    assert copy.identifier != source.identifier


def test_a_refusal_asks_again_and_loses_nothing() -> None:
    vendor = Vendor(stock=3)
    source = ForeignSource("x", Etsi014Interface(application="KM-B"), segment_bytes=1024)
    with pytest.raises(NotEnoughKey):
        drive(vendor, source)
    vendor.stock = 1000
    drive(vendor, source)
    assert source.is_complete
    copy = ForeignCopy(source.batch(), "x", Etsi014Interface(application="KM-A"))
    kept, vendor.keys = vendor.keys, {}
    with pytest.raises(KeyNotFound):
        drive(vendor, copy)
    vendor.keys = kept
    drive(vendor, copy)
    assert copy.take_key(epsilon_per_key=0.0) == source.take_key(epsilon_per_key=0.0)


def test_a_vendor_that_gives_a_key_twice_is_not_believed() -> None:
    vendor = Vendor()
    vendor.numbers = itertools.repeat(7)  # type: ignore[assignment]
    source = ForeignSource("x", Etsi014Interface(application="KM-B"), segment_bytes=1024)
    with pytest.raises(RemoteProtocolError, match="of one ID"):
        drive(vendor, source)


@pytest.mark.parametrize("batch", [b"", b"x" * 15, b"x" * 33, bytes(32)])
def test_other_bytes_are_no_batch(batch: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        ForeignCopy(batch, "x", Etsi014Interface(application="KM-A"))


def test_a_batch_is_taken_once_and_when_it_is_complete() -> None:
    vendor = Vendor()
    source = ForeignSource("x", Etsi014Interface(application="KM-B"), segment_bytes=1024)
    with pytest.raises(LocalProtocolError):
        source.take_key(epsilon_per_key=0.1)
    with pytest.raises(LocalProtocolError):
        source.batch()
    with pytest.raises(LocalProtocolError):
        source.receive(200, b"{}")
    assert source.request() is not None
    with pytest.raises(LocalProtocolError):
        source.request()
    source.failed()
    drive(vendor, source)
    key: dict[str, Any] = source.take_key(epsilon_per_key=0.1)
    assert key["epsilon"] < 1.0
    with pytest.raises(LocalProtocolError):
        source.take_key(epsilon_per_key=0.1)
    assert str(bytes(key["key"][:8])) not in repr(source)


def test_arguments_that_are_none_are_refused() -> None:
    with pytest.raises(InputError):
        Etsi014Interface(application="", size_bits=256)
    with pytest.raises(InputError):
        Etsi014Interface(application="KM", size_bits=12)
    with pytest.raises(InputError):
        ForeignSource("", Etsi014Interface(application="KM"))
    with pytest.raises(InputError):
        ForeignSource("x", Etsi014Interface(application="KM"), segment_bytes=10)
