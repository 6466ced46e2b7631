"""Whatever form a number comes in, the answer is that of the plain number, or the library's own refusal.

Ten thousand cases with --slow over what people call with values of their own: tallies, bounds, records, links, devices
and functions. One or two arguments of a good call are exchanged for the same value in another form (numbers of numpy of
every width, arrays without dimension, lists, columns, object arrays), which must give the same result or be refused; or
for something that is no such value (NaN, infinities, text, None, floats for counts), which must be refused; or for
numbers that may be out of range, which must break nothing. No call may warn of an overflow, raise what is not of the
library, or take more than some seconds.
"""

from __future__ import annotations

import dataclasses
import faulthandler
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.errors import QkdpostError
from support.believe_nothing import CALLS, Call

CPU_SECONDS = 10.0
CASES = 10_000


class TakesTooLong(Exception):
    """A call that does not end."""


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile first: a call may cost 10 s, and in a fresh checkout a decoder's kernels alone take longer."""
    qp.warmup()


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Let nothing take more than `seconds` of the processor, and nothing that cannot be interrupted an hour."""

    def give_up(*_: object) -> None:
        raise TakesTooLong(f"more than {seconds} s of the processor")

    before = signal.signal(signal.SIGPROF, give_up)
    faulthandler.dump_traceback_later(900, exit=True)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, before)


def plain(value: Any) -> Any:
    """Return what a result holds, in a form that compares."""
    if isinstance(value, qp.Bits):
        return ("bits", value.tolist())
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return (type(value).__name__, [plain(getattr(value, item.name)) for item in dataclasses.fields(value)])
    if isinstance(value, tuple | list):
        return [type(value).__name__, *map(plain, value)]
    if isinstance(value, np.generic):
        return (str(value.dtype), value.item())
    return (type(value).__name__, repr(value))


def outcome(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Return the result of a call in comparable form, or the class of the library's error."""
    with limited(CPU_SECONDS), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            result = function(**arguments)
        except QkdpostError as error:
            assert str(error), "an error without a word"
            return type(error)
    return plain(result)


def check(call: Call, data: st.DataObject) -> None:
    arguments = {name: data.draw(kind.plain, label=name) for name, kind in call.arguments.items()}
    expected = outcome(call.function, arguments)
    assert not isinstance(expected, type), f"the good call was refused: {expected}"
    changed = data.draw(
        st.lists(st.sampled_from(sorted(arguments)), min_size=1, max_size=2, unique=True), label="changed"
    )
    how = data.draw(st.sampled_from(["other form", "nonsense", "maybe"]), label="how")
    refused = same = True
    for name in changed:
        kind = call.arguments[name]
        forms = kind.disguises(arguments[name])
        makers = {"nonsense": kind.nonsense, "maybe": kind.maybe}.get(how, [])
        if how == "other form" and forms:
            arguments[name] = forms[data.draw(st.integers(0, len(forms) - 1), label="form")]
            refused = False
        elif makers:
            arguments[name] = makers[data.draw(st.integers(0, len(makers) - 1), label="maker")]()
            same = False
            refused = refused and how == "nonsense"
        else:
            refused = False
    found = outcome(call.function, arguments)
    if how == "nonsense" and not same:
        assert isinstance(found, type), f"nonsense was taken: {changed}"
    elif same:
        assert isinstance(found, type) or found == expected


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_sample_of_forms(call: Call, data: st.DataObject) -> None:
    check(call, data)


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
@settings(max_examples=CASES // len(CALLS) + 1, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_form(call: Call, data: st.DataObject) -> None:
    check(call, data)


@pytest.mark.parametrize("width", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_plain_counts_of_every_width_are_taken(width: type) -> None:
    """To refuse everything would pass the tests above."""
    tally = qp.Tally(key_bits=width(100), test_bits=width(50), test_errors=np.array(3, dtype=width))
    assert tally == qp.Tally(key_bits=100, test_bits=50, test_errors=3)
    slots = np.array([3, 9, 70], dtype=width)
    record = qp.Detections(pulses=width(100), slots=slots, bases=slots % 2, outcomes=slots % 3 % 2)
    assert record == qp.Detections(pulses=100, slots=[3, 9, 70], bases=[1, 1, 0], outcomes=[0, 0, 1])
