from __future__ import annotations

from typing import get_args

import pytest

from qkdpost.network.deliveries.states import (
    HELD_TRANSITIONS,
    MASTER_TRANSITIONS,
    HeldEvent,
    HeldState,
    MasterEvent,
    MasterState,
    next_state,
)


def test_a_key_is_released_only_when_all_sites_hold_it_and_once() -> None:
    into_delivered = {key for key, state in MASTER_TRANSITIONS.items() if state == MasterState.DELIVERED}
    assert into_delivered == {
        (MasterState.READY, "released"),
        (MasterState.DELIVERED, "expired"),
        (MasterState.DELIVERED, "revoked"),
    }
    assert [key for key, state in MASTER_TRANSITIONS.items() if state == MasterState.READY] == [
        (MasterState.ASSIGNED, "held by all")
    ]


@pytest.mark.parametrize("event", get_args(MasterEvent))
def test_nothing_revives_what_is_void_at_the_master(event: MasterEvent) -> None:
    assert next_state(MASTER_TRANSITIONS, MasterState.VOIDED, event) is None


@pytest.mark.parametrize("event", sorted(set(get_args(MasterEvent)) - {"held by all", "released"}))
@pytest.mark.parametrize("state", [MasterState.ASSIGNED, MasterState.READY])
def test_whatever_ends_a_request_before_release_voids_its_keys(state: MasterState, event: MasterEvent) -> None:
    assert next_state(MASTER_TRANSITIONS, state, event) == MasterState.VOIDED


def test_only_a_held_key_is_fetched_and_it_is_not_held_afterwards() -> None:
    assert [key for key in HELD_TRANSITIONS if key[1] == "fetched"] == [(HeldState.HELD, "fetched")]
    assert [key for key, state in HELD_TRANSITIONS.items() if state == HeldState.HELD] == [(None, "assigned")]


@pytest.mark.parametrize("event", ["voided", "expired"])
@pytest.mark.parametrize("state", [HeldState.DELIVERED, HeldState.VOIDED, HeldState.EXPIRED])
def test_terminal_states_of_a_held_key_change_no_more(state: HeldState, event: HeldEvent) -> None:
    assert next_state(HELD_TRANSITIONS, state, event) == state


def test_a_key_that_is_void_before_it_comes_is_never_held() -> None:
    assert next_state(HELD_TRANSITIONS, None, "voided") == HeldState.VOIDED
    assert next_state(HELD_TRANSITIONS, HeldState.VOIDED, "assigned") is None
