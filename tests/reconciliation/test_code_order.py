"""Orders of codes: they are what they were when the codes were measured."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import qkdpost
from qkdpost.errors import InputError
from qkdpost.reconciliation.code_order import code_order
from qkdpost.reconciliation.ldpc.codes import load_code
from qkdpost.reconciliation.ldpc.frame_layout import HEAVY_SHARES, puncturing_order, random_order
from reference import shared_random as twin

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "shared_random.json").read_text(encoding="utf-8"))
COUNTED = bytes(range(32))


def digest(order: np.ndarray) -> str:
    return hashlib.sha256(order.astype("<u4").tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("vector", VECTORS["code_order"])
def test_vectors(vector: dict[str, object]) -> None:
    order = code_order(bytes.fromhex(str(vector["seed"])), bytes.fromhex(str(vector["label"])), int(str(vector["n"])))
    assert order.dtype == np.uint32
    assert order.tolist() == vector["output"]


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, "df3f619804a92fdb"),
        (2, "01acecb507abfe1a"),
        (1000, "74c435f4f6089b5e"),
        (65536, "945bd616372844dd"),
        # More than a chunk of words.
        (300000, "e6d8d7255be54ef8"),
    ],
)
def test_orders_are_as_they_were(n: int, expected: str) -> None:
    assert digest(code_order(COUNTED, b"ldpc untainted", n)) == expected


@pytest.mark.parametrize(
    ("name", "punctured", "every"),
    [
        ("qc010-0128", ("d3917ba7b954e26e", "003f2bbfcb018b23", "91a48485bb49ebb0"), "8dbc5dd799a61b98"),
        ("qc097-0064", ("0773140adecd6b13", "968db8d2fcf1e40a", "d93ff0c281c110c1"), "1e10b01aa5e9e0cc"),
        ("qc124-0256", ("fc0fe5feb04a20df", "ae752c30c1f777cf", "467af62e735fa0a1"), "2eaa1a29c9c95b8f"),
        ("qc156-1024", ("cfcc7ac70854dd1f", "837d11960ce80041", "24efd793d4223855"), "ea830966ec67ff71"),
    ],
)
def test_punctured_bits_of_codes_are_those_that_were_measured(
    name: str, punctured: tuple[str, ...], every: str
) -> None:
    code = load_code(name)
    assert tuple(digest(puncturing_order(code, share)) for share in HEAVY_SHARES) == punctured
    assert digest(random_order(code)) == every


@pytest.mark.slow
def test_punctured_bits_of_all_codes() -> None:
    folder = Path(qkdpost.__file__).parent / "reconciliation" / "codes"
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.bin")):
        code = load_code(path.stem)
        total.update("".join(digest(puncturing_order(code, share)) for share in HEAVY_SHARES).encode())
    assert total.hexdigest() == "f04ee76202c47308b9750afb8db2e46a4bb1b62de0ead896f9726df3aa532880"


@pytest.mark.parametrize("n", [0, 3, 90])
def test_twin(n: int) -> None:
    assert code_order(COUNTED, b"x", n).tolist() == twin.code_order(COUNTED, b"x", n)


def test_numbers_out_of_range() -> None:
    with pytest.raises(InputError, match="32 bytes"):
        code_order(bytes(31), b"", 1)
    for n in (-1, 2**32 + 1):
        with pytest.raises(InputError):
            code_order(COUNTED, b"", n)
