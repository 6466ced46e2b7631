from __future__ import annotations

from typing import Any

import pytest

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.network.accounts import Account, Ledger, PoolAccount
from qkdpost.network.policy import AccessPolicy, DeliveryPolicy, KeyRequirements, Lifetimes, Quota, checked_slaves


def test_applications_share_keys_within_a_group_in_either_role() -> None:
    policy = AccessPolicy(groups=[["a", "b", "c"], ["c", "d"]])
    assert policy.allows("a", "b")
    assert policy.allows("d", "c")
    assert not policy.allows("d", "a")
    assert not policy.allows("a", "a")
    assert AccessPolicy().allows("x", "y")


@pytest.mark.parametrize(
    "make",
    [
        lambda: AccessPolicy(groups="ab"),
        lambda: AccessPolicy(groups=[["a", " b"]]),
        lambda: Quota(held_keys=0),
        lambda: Quota(keys_per_second=float("nan")),
        lambda: Lifetimes(answer_seconds=0.0),
        lambda: Lifetimes(redelivery_seconds=-1.0),
        lambda: DeliveryPolicy(local_keys="maybe"),  # type: ignore[arg-type]
        lambda: DeliveryPolicy(quota=3),  # type: ignore[arg-type]
    ],
)
def test_rules_that_are_none_are_refused(make: Any) -> None:
    with pytest.raises(ConfigurationError):
        make()


@pytest.mark.parametrize(
    "demand", [{"route_type": "any"}, {"max_epsilon": 0.0}, {"max_age_seconds": True}, {"disjoint_paths": 0}]
)
def test_demands_that_are_none_are_refused(demand: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        KeyRequirements(**demand)


def test_slaves_are_others_each_once() -> None:
    assert checked_slaves("a", ["b", "c"]) == ("b", "c")
    for wrong in ([], ["a"], ["b", "b"], "b"):
        with pytest.raises(InputError):
            checked_slaves("a", wrong)


class Rows(dict[tuple[str, bytes], bytes]):
    def get(self, table: str, key: bytes) -> bytes | None:  # type: ignore[override]
        return super().get((table, key))

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self[table, key] = value


def test_a_ledger_goes_on_from_its_rows() -> None:
    rows = Rows()
    ledger = Ledger(rows)
    ledger.receive(b"p" * 16, "link", 1000)
    ledger.spend(b"p" * 16, "delivery", 256)
    ledger.spend(b"p" * 16, "delivery", 256)
    ledger.write()
    again = Ledger(rows)
    again.spend(b"p" * 16, "tags", 128)
    assert again.received(b"p" * 16) == {"link": 1000}
    assert again.spent(b"p" * 16) == {"delivery": 512, "tags": 128}
    with pytest.raises(InputError):
        again.spend(b"p" * 16, "coffee", 1)  # type: ignore[arg-type]


def test_an_account_is_a_table_whose_sums_can_be_checked() -> None:
    pool = PoolAccount(peer="kbh-3", stored_bits=360, received={"link": 1000}, spent={"delivery": 512, "tags": 128})
    account = Account(name="kbh-2", pools=(pool,), waiting_keys=2)
    assert pool.unaccounted_bits == 0
    assert account.pool("kbh-3") is pool
    assert "kbh-3" in str(account)
    assert "1,000" in str(account)
    with pytest.raises(InputError, match="no pool"):
        account.pool("aarhus")
