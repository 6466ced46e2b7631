from __future__ import annotations

import pytest

from qkdpost.errors import InputError
from qkdpost.leakage import Cause, Ledger


def test_every_cause_but_the_correctors_parities_is_charged() -> None:
    ledger = Ledger()
    for number, cause in enumerate(Cause):
        ledger.disclose(cause, 10**number)
    assert ledger.charged_bits == 1111_1111 - 10
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
