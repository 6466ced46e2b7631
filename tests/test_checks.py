"""Arguments become plain Python or are refused: the same answer whatever width or container they come in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost import checks
from qkdpost.errors import ConfigurationError, InputError

WIDTHS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]


@pytest.mark.parametrize("width", WIDTHS)
def test_whole_numbers_of_any_width_become_python_integers(width: type) -> None:
    for value in (width(100), np.array(100, dtype=width), np.array(100, dtype=object)):
        found = checks.whole_number("n", value)
        assert found == 100
        assert type(found) is int


@pytest.mark.parametrize(
    "value",
    [
        True,
        np.True_,
        1.0,
        np.float64(1),
        "1",
        b"1",
        None,
        math.nan,
        [1],
        np.array([1]),
        np.array(True),
        1j,
    ],
)
def test_what_is_no_integer_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"n must be an integer in 0 ... 2.53; found"):
        checks.whole_number("n", value)


def test_a_float_that_is_whole_is_told_what_to_write() -> None:
    with pytest.raises(InputError, match=r"found 1000000.0, a float. Write 1000000; astype\(int\) converts"):
        checks.whole_number("pulses", 1e6)
    for no_integer in (0.5, math.inf, math.nan, -1.0, 1e300):
        with pytest.raises(InputError, match=r"found [^ ]*$"):
            checks.whole_number("pulses", no_integer)


@given(st.integers())
def test_whole_numbers_hold_their_range(value: int) -> None:
    if 0 <= value <= 2**53:
        assert checks.whole_number("n", value) == value
    else:
        with pytest.raises(ConfigurationError):
            checks.whole_number("n", value, error=ConfigurationError)


def test_sums_are_limited_too() -> None:
    assert checks.whole_numbers("n", np.array([1, 2], dtype=np.uint8), count=2) == (1, 2)
    with pytest.raises(InputError, match=r"the sum of n must be at most 2.53"):
        checks.whole_numbers("n", [2**53, 1])
    with pytest.raises(InputError, match=r"one integer for each intensity, 3 in all; found 2"):
        checks.whole_numbers("n", [1, 2], count=3, each="intensity")


@pytest.mark.parametrize(
    "value", [True, "1", None, math.nan, math.inf, 10**400, [1.0], np.array([1.0]), 1j, np.timedelta64(1, "s")]
)
def test_what_is_no_real_number_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"x must be a number of ps above 0; found"):
        checks.real_number("x", value, above=0.0, unit="ps")


@pytest.mark.parametrize("value", [2, 2.0, np.float16(2), np.uint8(2), np.array(2), np.array(2.0)])
def test_real_numbers_become_floats(value: object) -> None:
    found = checks.real_number("x", value, least=0, most=2)
    assert found == 2.0
    assert type(found) is float


@pytest.mark.parametrize("width", WIDTHS)
def test_vectors_of_any_width_are_the_same(width: type) -> None:
    for values in (np.array([0, 1, 100], dtype=width), np.array([0, 1, 100], dtype=object), [0, 1, width(100)]):
        np.testing.assert_array_equal(checks.integer_vector("v", values), [0, 1, 100])


@pytest.mark.parametrize("dtype", ["f8", "c16", "U1", "M8[s]", "O"])
@pytest.mark.filterwarnings("error")
def test_an_empty_vector_may_be_of_any_dtype(dtype: str) -> None:
    assert checks.integer_vector("v", np.zeros(0, dtype=dtype)).dtype == np.int64


def test_nothing_wraps() -> None:
    with pytest.raises(InputError, match=r"found 9223372036854775813"):
        checks.integer_vector("v", np.array([2**63 + 5], dtype=np.uint64))
    with pytest.raises(InputError, match=r"2.63"):
        checks.integer_vector("v", [2**70])


@pytest.mark.parametrize(
    "values",
    [
        "01",
        b"01",
        [0.5],
        [math.nan],
        ["0"],
        [b"0"],
        [[0]],
        0,
        None,
        [0, 2],
        [-1],
        [None],
        {0: 1},
        [1j],
        [2**70],
        [[0], 1],
    ],
)
def test_what_is_not_a_bit_is_refused(values: object) -> None:
    with pytest.raises(InputError, match=r"^v must be "):
        checks.bit_vector("v", values)


@pytest.mark.parametrize("values", [[], [0, 1], [False, True], [0.0, 1.0], np.array([0, 1], dtype=object), (0, 1)])
def test_bits_in_any_container_are_the_same(values: object) -> None:
    found = checks.bit_vector("v", values)
    assert found.dtype == np.bool_
    assert found.tolist() in ([], [False, True])


def test_a_vector_is_a_copy() -> None:
    values = np.array([1, 2, 3])
    kept = checks.integer_vector("v", values)
    values[0] = 9
    assert kept[0] == 1


def test_no_message_shows_the_content_of_an_array() -> None:
    secret = np.array([0, 1, 1, 0, 1], dtype=np.uint8)
    for value in (secret, secret.tolist(), secret.tobytes()):
        with pytest.raises(InputError) as caught:
            checks.whole_number("n", value)
        assert "1, 1" not in str(caught.value)
        assert "1 1" not in str(caught.value)
        assert "x01" not in str(caught.value)


def test_choices_become_plain_text() -> None:
    assert type(checks.choice("kind", np.str_("bb84"), ("bb84", "bbm92"))) is str
    for value in (np.array(["bb84"]), "bb48", None, 1):
        with pytest.raises(ConfigurationError, match=r"kind must be one of 'bb84', 'bbm92'; found"):
            checks.choice("kind", value, ("bb84", "bbm92"), error=ConfigurationError)


def test_a_class_is_asked_for_by_name() -> None:
    assert checks.instance("pool", 1, int) == 1
    with pytest.raises(InputError, match=r"pool must be a str; found 1. Write it out"):
        checks.instance("pool", 1, str, hint="Write it out")


def test_flags_are_true_or_false() -> None:
    assert checks.flag("f", True) is checks.flag("f", np.True_) is True
    assert checks.flag("f", np.False_) is False
    for value in (None, 0, 1, "", "no", 1.0, [], np.array([True])):
        with pytest.raises(InputError, match="f must be True or False; found"):
            checks.flag("f", value)


def test_a_masked_value_is_none() -> None:
    """Its data are whatever was there before: nought, as a rule."""
    for value in (np.ma.masked, np.ma.array(3, mask=True), np.ma.array(0.5, mask=True)):
        with pytest.raises(InputError):
            checks.whole_number("n", value)
        with pytest.raises(InputError):
            checks.real_number("x", value)
    assert checks.whole_number("n", np.ma.array(3)) == 3
    with pytest.raises(InputError, match=r"n\[1\]"):
        checks.whole_numbers("n", np.ma.array([3, 4], mask=[False, True]))
    with pytest.raises(InputError, match=r"x\[1\]"):
        checks.numbers("x", np.ma.array([0.5, 0.25], mask=[False, True]))


@pytest.mark.parametrize("nonsense", ["text", b"bytes", {0.5, 0.1}, {0.5: 0.1}, np.array(1.0), np.zeros((2, 2)), 5])
def test_a_list_is_a_sequence_in_order(nonsense: object) -> None:
    with pytest.raises(InputError, match="means must be a sequence of numbers"):
        checks.listed("means", nonsense, "numbers")
    with pytest.raises(ConfigurationError, match="intensities"):
        qp.DecoyBB84(intensities=nonsense, probabilities=(0.5, 0.5))  # type: ignore[arg-type]


def test_a_list_may_be_any_sequence() -> None:
    for values in ([1, 2], (1, 2), np.array([1, 2]), range(1, 3), iter((1, 2))):
        assert checks.listed("values", values, "numbers") == [1, 2]
