from __future__ import annotations

import numpy as np
import pytest

from qkdpost.dialogue.ledger import Cause, Ledger
from qkdpost.errors import InputError


def test_every_cause_but_the_correctors_parities_is_charged() -> None:
    ledger = Ledger()
    for number, cause in enumerate(Cause):
        ledger.disclose(cause, 10**number)
    assert ledger.charged_bits == 1_1111_1111 - 10
    assert ledger.to_tuple() == tuple(10**number for number in range(len(Cause)))


def test_two_way_is_told_from_what_was_sent() -> None:
    ledger = Ledger()
    ledger.disclose(Cause.REFERENCE_PARITIES, 5)
    assert not ledger.two_way
    ledger.disclose(Cause.CORRECTOR_PARITIES, 1)
    assert ledger.two_way


def test_nothing_is_taken_back() -> None:
    with pytest.raises(InputError):
        Ledger().disclose(Cause.BLOCK_TAG, -1)


def test_what_is_no_count_or_cause_is_refused() -> None:
    ledger = Ledger()
    for bits in (1.0, True, None, "1"):
        with pytest.raises(InputError, match="bits disclosed as block_tag must be an integer"):
            ledger.disclose(Cause.BLOCK_TAG, bits)  # type: ignore[arg-type]
    for cause in (4, "BLOCK_TAG", None):
        with pytest.raises(InputError, match="cause must be a Cause"):
            ledger.disclose(cause, 1)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="cause must be a Cause"):
            ledger.bits(cause)  # type: ignore[arg-type]
    ledger.disclose(Cause.BLOCK_TAG, np.uint8(200))
    ledger.disclose(Cause.BLOCK_TAG, np.uint8(200))
    assert ledger.charged_bits == 400
