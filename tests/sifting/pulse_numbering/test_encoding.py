from __future__ import annotations

from typing import Any

import pytest

from qkdpost.errors import InputError
from qkdpost.sifting import PulseEncoding


def test_the_usual_encodings() -> None:
    four = PulseEncoding.polarisation(key=(-1, 7), test=(3, 2))
    assert four.detectors == (-1, 2, 3, 7)
    assert dict(four.outcomes) == {(-1, 0): (0, 0), (7, 0): (0, 1), (3, 0): (1, 0), (2, 0): (1, 1)}
    bins = PulseEncoding.time_bin(key=1, test=(2, 3), separation_ps=800, outer_peaks="loss")
    assert bins.named_bins(1) == (0, 1)
    assert (bins.named_bins(2), bins.lit_bins(2)) == ((1,), (0, 1, 2))
    only = PulseEncoding.time_bin(key=None, test=(2, 3), separation_ps=800)
    assert only.detectors_of(0, 1) == (2, 3)
    assert only.outcomes[2, 2] == (0, 1)
    active = PulseEncoding.active_choice((4, 9))
    assert active.chosen
    assert active.detectors_of(1, 1) == (9,)
    assert repr(bins) == "PulseEncoding of detectors 1, 2, 3 in 3 time bins"


FOUR: dict[Any, Any] = {(1, 0): (0, 0), (2, 0): (0, 1), (3, 0): (1, 0), (4, 0): (1, 1)}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"outcomes": {}}, "both outcomes of both bases"),
        ({"outcomes": {**FOUR, (5, 0): (None, 0)}}, "both outcomes of both bases"),
        ({"outcomes": {**FOUR, (5, 1): (0, 0)}}, "bin must be"),
        ({"outcomes": {**FOUR, 5: (0, 0)}}, "name \\(detector, bin\\)"),
        ({"outcomes": {**FOUR, (5, 0): 1}}, "an outcome is"),
        ({"outcomes": {**FOUR, (5, 0): (0, 2)}}, "outcome must be"),
        ({"outcomes": {**FOUR, (5, 0): (2, 0)}}, "basis must be"),
        ({"outcomes": [1, 2]}, "outcomes must be a Mapping"),
        ({"outcomes": FOUR, "bins_ps": (1, 1)}, "increasing times"),
        ({"outcomes": FOUR, "bins_ps": ()}, "increasing times"),
        ({"outcomes": FOUR, "losses": {(1, 0)}}, "must not be among losses"),
        ({"outcomes": FOUR, "losses": {(9, 0)}}, "may only name detectors"),
        ({"outcomes": {**FOUR, **{(at, 0): (0, 0) for at in range(10, 80)}}}, "at most 64 detectors"),
    ],
)
def test_tables_that_mean_nothing_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        PulseEncoding(**settings)


def test_usual_encodings_refuse_what_cannot_be() -> None:
    with pytest.raises(InputError, match="channel of its own"):
        PulseEncoding.polarisation(key=(1, 2), test=(2, 3))
    with pytest.raises(InputError, match="one integer for each outcome"):
        PulseEncoding.polarisation(key=(1, 2, 5), test=(3, 4))
    with pytest.raises(InputError, match="must be 'key'"):
        PulseEncoding.time_bin(key=None, test=(2, 3), separation_ps=800, outer_peaks="loss")
    with pytest.raises(InputError, match="outer_peaks must be one of"):
        PulseEncoding.time_bin(key=1, test=(2, 3), separation_ps=800, outer_peaks="drop")
    with pytest.raises(InputError, match="separation_ps must be"):
        PulseEncoding.time_bin(key=1, test=(2, 3), separation_ps=0)
    with pytest.raises(InputError, match="channel of its own"):
        PulseEncoding.time_bin(key=1, test=(1, 3), separation_ps=100)
    with pytest.raises(InputError, match="channel of its own"):
        PulseEncoding.active_choice((1, 1))
